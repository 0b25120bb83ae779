"""The facts behind the words of a finding: its cause, the difference outside, the faults, how each process ended."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..values.causes import Cause
from ..values.faults import Fault
from ..values.history import Role
from ..values.media import medium_of
from ..values.schedule import SWAP, Injection, Schedule
from ..values.world import Change, World
from .effects import Blamed
from .judge import Judgement
from .process_runs import OWN_PROCESSES, ProcessRun
from .signs import Signs
from .things import label

OutcomeKind = Literal["returned", "raised", "killed", "unbounded", "hung"]
ENDLESS = ("unbounded", "hung")
ThingKind = Literal["", "resource", "row", "lease", "file", "dir", "link"]
_WHICH = re.compile(r"(\w+) ('[^']*'): ")
_PAIR = re.compile(r"'(\w+)': ('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|-?\d+(?:\.\d+)?)")
_CUT = re.compile(r"'(\w+)': ['\"]([^'\"\\]+…)$")


@dataclass(frozen=True, slots=True)
class End:
    """The end of one process of a schedule.

    Attributes:
        said: what it returned, as one writes it; "" for None.
        error: type and text of what it raised.
        goes_on: whether it was called again in the process that an error had left.
    """

    role: Role
    kind: OutcomeKind
    said: str = ""
    error: str = ""
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of a finding, from which it is put into words.

    Attributes:
        change: what differs in the way that names the cause; None where nothing outside does.
        side: the right end that this was compared with: "done", "before" or "".
        thing: what kind of thing differs.
        row: the values of a row or resource that differs, as far as they are told.
        copies: how often it is there by now, where it is there too often.
        part: of what is missing of a collection of which some is there, how many are there, and of how many.
        changed: names of what is not as before the run; `undone` of what is not as after a complete one.
        messages: of each broken promise, by its name.
        clauses: what was done to the agent, one clause for each fault.
        sent: role and idempotency key of each request that can have created what differs, in order.
        run_again: whether recovery is the run started again.
        blocks: whether a process of recovery or a new try fails in this end.
        lost: whether it was there before the run, and is gone or torn now.
        watched: the first parts of the names of what is watched.
        signs: what the processes did, as far as it tells the kind.
    """

    cause: Cause
    schedule: Schedule
    ends: tuple[End, ...]
    change: Change | None = None
    side: str = ""
    thing: ThingKind = ""
    row: Mapping[str, Any] = field(default_factory=dict)
    copies: int = 1
    part: tuple[int, int] = (0, 0)
    changed: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()
    messages: Mapping[str, str] = field(default_factory=dict)
    clauses: tuple[str, ...] = ()
    sent: tuple[tuple[Role, str], ...] = ()
    run_again: bool = False
    blocks: bool = False
    lost: bool = False
    watched: frozenset[str] = frozenset()
    signs: Signs = field(default_factory=Signs)

    @property
    def broken(self) -> tuple[str, ...]:
        """The names of the broken promises."""
        return tuple(self.messages)

    @property
    def last(self) -> Injection:
        """Return the last injection."""
        return self.schedule.injections[-1]

    @property
    def own(self) -> tuple[End, ...]:
        """The ends of the processes that the schedule consists of."""
        return tuple(end for end in self.ends if end.role in OWN_PROCESSES)

    @property
    def half_done(self) -> bool:
        """Return whether some things are as after a complete run and all others as before."""
        return bool(self.changed and self.undone) and not set(self.changed) & set(self.undone)

    @property
    def asked_about(self) -> End | None:
        """The end of the process that a cause is about, where that was run only to see what it does."""
        role = {"recovery_idempotent": "recover again", "clean_retry": "retry"}.get(self.cause.promise)
        return next((end for end in self.ends if end.role == role), None)

    @property
    def claims_it_is_done(self) -> bool:
        """Return whether the agent says that it is done, and it is not."""
        return "honest_outcome" in self.broken

    def keeps_of_its_own(self, injection: Injection) -> bool:
        """Return whether a point is in a file or database that the agent keeps for itself."""
        point = injection.point
        on_disk = medium_of(point.kind).changes != "services"
        return on_disk and _source_of(point.target) not in self.watched

    @property
    def crashes(self) -> bool:
        """Return whether every fault ends a process by SIGKILL."""
        return all(injection.fault in ("process.kill", "process.pid_reused") for injection in self.schedule.injections)


@dataclass(frozen=True, slots=True)
class Setting:
    """Settings for the facts of a finding.

    Attributes:
        known: all faults, by name.
        run_again: whether recovery is the run started again.
        hidden: takes secrets out of a text.
    """

    known: Mapping[str, Fault]
    run_again: bool
    hidden: Callable[[str], str] = str


def facts(
    cause: Cause,
    named: tuple[Change | None, str],
    schedule: Schedule,
    judgement: Judgement,
    worlds: tuple[World, World],
    setting: Setting,
) -> Facts:
    """Return the facts of a confirmed failure; no secret stands in them.

    Args:
        cause: its secrets are hidden already.
        named: what differs in the way that names the cause, and the side that it was compared with.
        worlds: the right outside, and the one that was found.
    """
    (change, side), hidden = named, setting.hidden
    thing = _thing(change, worlds)
    messages: dict[str, str] = {}
    for name, violation in judgement.broken:
        messages.setdefault(name, hidden(violation.message))
    # Hidden before anything is cut: of a secret that was cut, nobody would know the rest.
    shown = None if change is None else replace(change, name=hidden(change.name), detail=hidden(change.detail))
    return Facts(
        cause=cause,
        schedule=schedule,
        ends=tuple(_end(process, hidden) for process in judgement.executions),
        change=shown,
        side=side,
        thing=thing,
        row=row_of(shown.detail) if shown is not None and thing in ("resource", "row") else {},
        copies=_copies(change, judgement),
        part=_part(change, judgement),
        changed=tuple(dict.fromkeys(hidden(one.name) for one in judgement.from_before)),
        undone=tuple(dict.fromkeys(hidden(one.name) for one in judgement.from_done)),
        messages=messages,
        clauses=tuple(hidden(_clause(i, judgement, cause, setting)) for i in schedule.injections),
        sent=tuple(_sent((*judgement.earlier, *judgement.executions), change)),
        run_again=setting.run_again,
        blocks=any(process.outcome.kind == "raised" for process in judgement.executions[1:]),
        lost=change is not None and any(_is_lost(one) for one in judgement.from_before if one.name == change.name),
        watched=frozenset(_source_of(name) for world in worlds for name in (*world.entries, *world.tables)),
    )


def _end(process: ProcessRun, hidden: Callable[[str], str]) -> End:
    outcome = process.outcome
    said = "" if outcome.value is None else hidden(repr(outcome.value))
    return End(process.role, outcome.kind, said, hidden(outcome.error), process.goes_on)


def _clause(injection: Injection, judgement: Judgement, cause: Cause, setting: Setting) -> str:
    """Return the clause of a fault, with what a service refused with where that is its own status and words."""
    told = clause(injection, setting.known, short=_is_again(injection, cause))
    processes = (*judgement.earlier, *judgement.executions)
    said = next((one.refusals[injection.point] for one in processes if injection.point in one.refusals), "")
    return re.sub(r"with \d{3}\b", lambda match: f"with {said}", told, count=1) if said else told


def clause(injection: Injection, known: Mapping[str, Fault], *, short: bool = False) -> str:
    """Return an injection as a clause for people: ``the process was killed after replacing shared/a.md``."""
    fault = known.get(injection.fault)
    if fault is None:
        return _other_order(injection) if injection.fault == SWAP else injection.describe()
    return fault.says(injection, short=short) + (", and again each time" if injection.lasting and fault.once else "")


def _other_order(injection: Injection) -> str:
    point = injection.point
    doing = medium_of(point.kind).says_doing(point.verb, point.target)
    return f"other effects came before {'the answer to ' * (injection.when == 'after')}{doing}"


def row_of(detail: str) -> dict[str, Any]:
    """Return the values of a row from its description, of one that is cut those that are left.

    Of one that is there with other values, it is the text that tells which row it is: ``name 'cable': ``.
    """
    if which := _WHICH.match(detail):
        return {which[1]: ast.literal_eval(which[2])}
    try:
        row = ast.literal_eval(detail)
    except (ValueError, SyntaxError):
        return {key: ast.literal_eval(value) for key, value in _PAIR.findall(detail)} | dict(_CUT.findall(detail))
    return row if isinstance(row, dict) else {}


def _is_again(injection: Injection, cause: Cause) -> bool:
    """Return whether the injection is at the request that came twice, whose name a reader knows already."""
    return (
        cause.way == "twice"
        and cause.promise != "credential_hygiene"
        and Blamed.at(injection.point, ()).effect == cause.effect
    )


def _source_of(name: str) -> str:
    """Return the source that a path or table is in, by its readable name."""
    return re.split("[/:]", name)[0]


def _thing(change: Change | None, worlds: tuple[World, World]) -> ThingKind:
    if change is None:
        return ""
    for world in worlds:
        if change.name in world.resources.keys():  # noqa: SIM118  # no short names
            return "resource"
        if change.name in world.tables.keys():  # noqa: SIM118
            return "row"
        if change.name in world.private_tables.keys():  # noqa: SIM118
            return "lease"
        entry = world.entries.get(change.name) or world.private_entries.get(change.name)
        if entry is not None:
            return entry.kind
    return ""


def _is_lost(change: Change) -> bool:
    return change.sign == "-" or change.detail.startswith(("first ", "empty "))


def _copies(change: Change | None, judgement: Judgement) -> int:
    """Return how many copies of a superfluous thing there are; others of its collection may be superfluous, too."""
    if change is None or change.sign != "+":
        return 1
    which = label(row_of(change.detail))
    others = [one for one in judgement.from_done if one.sign == "+" and one.name == change.name]
    return 1 + sum(label(row_of(one.detail)) == which for one in others)


def _part(change: Change | None, judgement: Judgement) -> tuple[int, int]:
    """Return how many rows or resources like a missing one are new, and how many a complete run makes."""
    if change is None or change.sign != "-":
        return 0, 0
    new = sum(one.sign == "+" and one.name == change.name for one in judgement.from_before)
    missing = sum(one.sign == "-" and one.name == change.name for one in judgement.from_done)
    return (new, new + missing) if new and missing else (0, 0)


def _sent(processes: Sequence[ProcessRun], change: Change | None) -> Iterator[tuple[Role, str]]:
    for process in processes:
        for each in process.sent:
            if change is not None and each.point.target == change.name:
                yield process.role, each.key
