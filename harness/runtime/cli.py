"""The command line of the runtime: look at the runs of an agent, and settle runs by hand.

Looking is safe while agents work on the database; what acts takes the lease of its run, as every process does.

    from rollproof.runtime import Saga, Step, Store
    from rollproof.runtime.cli import main

    with Store("agent.db") as store:
        Saga(store, "look", [Step("look", lambda run: None, reads_only=True)]).run("look", {})
    assert main(["list", "agent.db"]) == 0      # python -m rollproof.runtime list agent.db

What looks needs the database alone. What acts needs the agent's steps: `--agent module:function` names a function that
takes a `Store` and gives its `Saga` (or `PlannedAgent`). Exit codes: 0 done, 1 it could not be done, 2 wrong usage.

    python -m rollproof.runtime show agent.db RUN
    python -m rollproof.runtime roll-back agent.db RUN --agent myagent:saga
    python -m rollproof.runtime rehearse DATA --steps myagent:steps
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from .dead_letters import DeadLetters
from .handover import owner_of
from .journal import Journal, JournalBroken
from .locks import Leases
from .messages import Message, State
from .outbox import Outbox
from .progress import Decision, Progress, Status, all_runs, current, is_transition, progress_of
from .rehearsal import rehearse
from .retention import Retention
from .shadow import PlannedAgent
from .store import Store, StoreError

Command = Callable[[Store, argparse.Namespace, TextIO], int]


class CannotDo(Exception):
    """The command cannot be carried out; the text says why, and which one can."""


def main(arguments: Sequence[str] | None = None, out: TextIO | None = None) -> int:
    """Carry one command line out, and give its exit code."""
    given = _parser().parse_args(arguments)
    out = out or sys.stdout
    try:
        if given.command == "rehearse":
            return _rehearse(given, out)
        path = Path(given.database)
        if not path.is_file():
            raise CannotDo(f"there is no database {path}; the runtime makes it with the first run")
        with Store(path) as store:
            if getattr(given, "run", None):
                given.run = _known(store, given.run)
            return COMMANDS[given.command](store, given, out)
    except (CannotDo, StoreError, JournalBroken, LookupError, ImportError, AttributeError, OSError) as error:
        print(f"rollproof.runtime: {error}", file=sys.stderr)
    except sqlite3.Error as error:
        print(f"rollproof.runtime: {given.database}: {error}{_why(Path(given.database))}", file=sys.stderr)
    except Exception as error:
        print(f"rollproof.runtime: {type(error).__name__}: {error}", file=sys.stderr)
    return 1


def _list(store: Store, given: argparse.Namespace, out: TextIO) -> int:
    journal, sound = Journal(store), _sound(store)
    runs = all_runs(journal, sound)
    for progress in runs:
        entries = list(journal.entries(progress.run, sound))
        what = f"{progress.status:12} {progress.saga}  owner: {owner_of(entries)}{_at(progress)}"
        print(f"{progress.run}  {what}  {entries[0].at} to {entries[-1].at}", file=out)
    if not runs:
        print("no runs", file=out)
    return _chain(store, out)


def _show(store: Store, given: argparse.Namespace, out: TextIO) -> int:
    run, entries = given.run, list(Journal(store).entries(given.run, _sound(store)))
    progress = progress_of(run, entries)
    print(
        f"run    {run} of {progress.saga}\nstatus {progress.status}{_at(progress)}\nowner  {owner_of(entries)}",
        file=out,
    )
    for lease in Leases(store).all():
        if lease.holder == run:
            print(f"lease  {lease.name}, token {lease.token}", file=out)
    for entry in entries:
        mark = " " if is_transition(entry) else "·"
        detail = " ".join(f"{name}={_short(value)}" for name, value in entry.detail.items())
        print(f"{entry.seq:6} {entry.at} {mark} {entry.event:12} {detail}".rstrip(), file=out)
    for message in Outbox(store).messages(run):
        damaged = ", damaged" if message.damaged else ""
        print(f"outbox {message.key} {message.state} to {message.topic}{_tried(message)}{damaged}", file=out)
    for letter in DeadLetters(store).all():
        if letter.run == run:
            print(f"dead   {letter.key} ({letter.kind}): {letter.reason}", file=out)
    return _chain(store, out)


def _verify(store: Store, given: argparse.Namespace, out: TextIO) -> int:
    return _chain(store, out, say_right=True)


def _dead_letters(store: Store, given: argparse.Namespace, out: TextIO) -> int:
    letters = DeadLetters(store)
    if given.key and given.dismiss:
        letters.dismiss(given.key, given.by)
        print(f"dismissed {given.key}", file=out)
    elif given.key:
        letter = letters.find(given.key)
        print(f"{letter.key}\nkind     {letter.kind}\nrun      {letter.run}\nreason   {letter.reason}", file=out)
        print(f"attempts {letter.attempts}\ninput    {json.dumps(dict(letter.input), sort_keys=True)}", file=out)
    else:
        for letter in letters.all():
            print(f"{letter.key}  {letter.kind:12} {letter.reason}, tried {letter.attempts} times", file=out)
        if not letters.all():
            print("no dead letters", file=out)
    return 0


def _requeue(store: Store, given: argparse.Namespace, out: TextIO) -> int:
    letter = DeadLetters(store).find(given.key)
    if letter.kind in ("irreversible", "damaged"):
        why = "was sent and cannot be taken back" if letter.kind == "irreversible" else "is not as it was written"
        raise CannotDo(f"{letter.key} {why}; when it is settled by hand: dead-letters "
                       f"{letter.key} --dismiss --by NAME")  # fmt: skip
    if letter.kind == "message":
        Outbox(store).requeue(letter.key)
        print(f"{letter.key} is ready to be sent again", file=out)
    else:
        saga = _saga(store, given, letter.run)
        try:
            print(f"run {letter.run} is {saga.requeue(letter.run)}", file=out)
        except Exception as error:
            raise CannotDo(f"{type(error).__name__}: {error}; run {letter.run} is to be undone still: when that is "
                           f"mended, recover {given.database} --agent {given.agent}") from error  # fmt: skip
    return 0


def _roll_back(store: Store, given: argparse.Namespace, out: TextIO) -> int:
    print(f"run {given.run} is {_saga(store, given, given.run).roll_back(given.run)}", file=out)
    return 0


def _resume(store: Store, given: argparse.Namespace, out: TextIO) -> int:
    print(f"run {given.run} is {_saga(store, given, given.run).resume(given.run)}", file=out)
    return 0


def _recover(store: Store, given: argparse.Namespace, out: TextIO) -> int:
    print(f"settled: {_agent(store, given).recover() or 'nothing was left'}", file=out)
    for lease in Leases(store).all():
        progress = current(Journal(store), lease.holder)
        if progress.status in (Status.WITH_PERSON, Status.STUCK):
            print(f"run {progress.run} is {progress.status}: a person settles it; see show", file=out)
    return 0


def _hand_over(store: Store, given: argparse.Namespace, out: TextIO) -> int:
    _saga(store, given, given.run).hand_over(given.run, given.person, given.reason)
    print(f"run {given.run} is with {given.person}; the agent leaves it alone until it is handed back", file=out)
    return 0


def _hand_back(store: Store, given: argparse.Namespace, out: TextIO) -> int:
    status = _saga(store, given, given.run).hand_back(given.run, Decision(given.decision), given.variables)
    print(f"run {given.run} is {status}", file=out)
    return 0


def _reality(store: Store, given: argparse.Namespace, out: TextIO) -> int:
    found = _saga(store, given, given.run).differences(given.run)
    for difference in found:
        print(difference, file=out)
    if not found:
        print("belief and reality agree, as far as the steps can look", file=out)
    return 1 if found else 0


def _approvals(store: Store, given: argparse.Namespace, out: TextIO) -> int:
    agent = PlannedAgent(store, {})
    if given.plan:
        decide = agent.refuse if given.refuse else agent.approve
        decide(given.plan, given.by)
    for proposal in [agent.proposal(given.plan)] if given.plan else agent.proposals():
        print(f"{proposal.digest}  {proposal.state}  {proposal.by_whom}".rstrip(), file=out)
        for entry in Journal(store).entries(f"plan-{proposal.digest}"):
            for line in entry.detail.get("lines", ()):
                print(f"    {line}", file=out)
    return 0


def _forget(store: Store, given: argparse.Namespace, out: TextIO) -> int:
    if given.runs is None and given.days is None:
        raise CannotDo("how much is kept? --runs N keeps the newest, --days D what ended within so many days")
    count = Retention(store, runs=given.runs, days=given.days).apply()
    print(f"{count} {'run that is' if count == 1 else 'runs that are'} over: forgotten", file=out)
    return 0


def _rehearse(given: argparse.Namespace, out: TextIO) -> int:
    steps_for, wrong = _function(given.steps), 0
    beside = Path(given.beside) if given.beside else Path(given.data).absolute().parent
    for finding in rehearse(Path(given.data), beside, steps_for, variables=given.variables):
        print(finding, file=out)
        wrong += finding.kind in ("missing", "wrong", "raised")
    print(f"{wrong} rollbacks are missing or wrong", file=out)
    return 1 if wrong else 0


COMMANDS: dict[str, Command] = {
    "list": _list,
    "show": _show,
    "verify": _verify,
    "dead-letters": _dead_letters,
    "requeue": _requeue,
    "roll-back": _roll_back,
    "rollback": _roll_back,
    "resume": _resume,
    "recover": _recover,
    "hand-over": _hand_over,
    "hand-back": _hand_back,
    "reality": _reality,
    "approve": _approvals,
    "forget": _forget,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rollproof.runtime", description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, *positional: str, agent: bool = False) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text)
        for argument in positional if name == "rehearse" else ("database", *positional):
            added.add_argument(argument.rstrip("?"), nargs="?" if argument.endswith("?") else None)
        if agent:
            added.add_argument("--agent", required=True, metavar="MODULE:FUNCTION", help="takes a Store, gives a Saga")
        return added

    command("list", "all runs, and whether the journal is whole")
    command("show", "one run with its timeline", "run")
    command("verify", "follow the journal's chain of hashes")
    letters = command("dead-letters", "what failed for good, or one of them", "key?")
    letters.add_argument("--dismiss", action="store_true", help="it is settled by hand")
    letters.add_argument("--by", default="operator", metavar="NAME")
    command("requeue", "try a dead letter again", "key").add_argument("--agent", metavar="MODULE:FUNCTION")
    command("roll-back", "undo a run", "run", agent=True)
    command("rollback", "the same", "run", agent=True)
    command("resume", "go on with a run", "run", agent=True)
    command("recover", "settle all that is unfinished", agent=True)
    command("hand-over", "give a run to a person", "run", "person", "reason", agent=True)
    back = command("hand-back", "give a run back to the agent", "run", agent=True)
    back.add_argument("decision", choices=[decision.value for decision in Decision])
    back.add_argument("--variables", default={}, type=_variables, metavar="JSON", help="what the agent has to know now")
    command("reality", "what the agent believes that is not so", "run", agent=True)
    approve = command("approve", "plans that were proposed, or approve one", "plan?")
    approve.add_argument("--refuse", action="store_true")
    approve.add_argument("--by", default="operator", metavar="NAME")
    forget = command("forget", "delete what is known of old runs that are over; give --runs or --days")
    forget.add_argument("--runs", type=int, metavar="N", help="keep the newest N")
    forget.add_argument("--days", type=float, metavar="D", help="keep what ended within so many days")
    rehearsal = command("rehearse", "try every rollback on a copy of real data", "data")
    rehearsal.add_argument("--steps", required=True, metavar="MODULE:FUNCTION", help="takes a path, gives steps")
    rehearsal.add_argument(
        "--beside", default="", metavar="FOLDER", help="where copies are made; beside the data if not given"
    )
    rehearsal.add_argument("--variables", default={}, type=_variables, metavar="JSON", help="what the run starts with")
    return parser


def _variables(text: str) -> dict[str, Any]:
    """Read the variables of a command line, which are a JSON object."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON ({error}); such as '{{\"price\": 12}}'") from None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON object; such as '{{\"price\": 12}}'")
    return found


def _agent(store: Store, given: argparse.Namespace) -> Any:
    if not getattr(given, "agent", None):
        raise CannotDo("this needs the agent's steps: --agent MODULE:FUNCTION")
    return _function(given.agent)(store)


def _saga(store: Store, given: argparse.Namespace, run: str) -> Any:
    agent, progress = _agent(store, given), progress_of(run, Journal(store).entries(run, _sound(store)))
    return agent.saga(progress.saga.removeprefix("plan-")) if isinstance(agent, PlannedAgent) else agent


def _function(name: str) -> Any:
    module, _, function = name.partition(":")
    if not function:
        raise CannotDo(f"{name!r} is not MODULE:FUNCTION, such as myagent:saga")
    sys.path.insert(0, "")
    return getattr(importlib.import_module(module), function)


def _known(store: Store, run: str) -> str:
    """Return the only run whose id begins with a text."""
    runs = [progress.run for progress in all_runs(Journal(store), _sound(store))]
    found = [each for each in runs if each == run] or [each for each in runs if each.startswith(run)]
    if len(found) != 1:
        raise CannotDo(f"{'no' if not found else 'more than one'} run {run!r}; the last ones are {runs[-3:]}")
    return found[0]


def _sound(store: Store) -> int | None:
    """Return the number of the first event that cannot be believed; None where all can."""
    broken = Journal(store).verify()
    return broken.seq if broken else None


def _chain(store: Store, out: TextIO, *, say_right: bool = False) -> int:
    broken = Journal(store).verify()
    if broken is not None:
        print(
            f"the journal is broken: {broken.reason}\n"
            f"sound: events 1 to {broken.seq - 1}; nothing is recovered on the word of the others.\n"
            f"what can be done: restore {store.path} from a copy, or settle by hand what `show` tells of each run",
            file=out,
        )
        return 1
    if say_right:
        print(f"the journal is whole: {len(list(Journal(store).entries()))} events", file=out)
    return 0


def _why(path: Path) -> str:
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        return "; it lies on a disk or in a folder that cannot be written: looking works, acting does not"
    return ""


def _tried(message: Message) -> str:
    if not message.attempts or message.state is not State.SENDING:
        return ""
    next_s = max(0.0, message.due_at - time.time())
    return f", tried {message.attempts} times" + ("" if message.owner else f", next in {next_s:.0f} s")


def _at(progress: Progress) -> str:
    return f"  at {progress.entered[-1]}" if progress.entered and not progress.status.final else ""


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
