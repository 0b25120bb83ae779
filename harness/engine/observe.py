"""Run the agent twice without a fault: where it touches the outside, what it makes of it, and what is volatile."""

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..boundary.resolved import Limits
from ..values.errors import ChaosError
from ..values.hosts import told_of
from ..values.media import medium_of
from ..values.points import canonical
from ..values.trees import differing
from ..values.world import Entry, World
from ..world.comparing.compare import Masks, learn
from .config import ExplorationConfig
from .execute import Executor, How
from .process_runs import BIRTH, FIRST_STREAM, ProcessRun, RawState
from .session import Baseline, Session
from .unseen import nothing_seen
from .worlds import Worlds

_NUMBER = re.compile(rb"(?<!\d)\d{1,9}(?!\d)")
# Another day, hour, minute, second and fraction, so that a time shows as volatile in whatever form it is written.
_SECOND_RUN_LATER_S = 400 * 86400 + 5 * 3600 + 43 * 60 + 21.734
_PRINTED_LINES = 50
_THIRD_RUN_LATER_S = 777 * 86400 + 11 * 3600 + 17 * 60 + 48.219


def observe(config: ExplorationConfig, executor: Executor, *, rereads: bool) -> Session:
    """Run the agent without a fault two or three times; returns the session: baseline, masks, limits.

    With `rereads` it is a point where the agent reads what it wrote. Raises ChaosError where a fault-free run fails or
    touches nothing: nothing can be explored then.
    """
    worlds, initial = executor.worlds, executor.outside.first(BIRTH, rereads=rereads)
    # What the test itself asked before is none of the run's requests.
    for twin in config.twins:
        twin.requests[:] = []
    first = executor.run_process("run", initial, FIRST_STREAM, how=How(trace=True, show=True))
    requests = tuple(tuple(twin.requests) for twin in config.twins)
    _must_work(first)
    executor.warm(first)
    if not any(medium_of(p.kind).touches_outside for p in first.points):
        raise nothing_seen(first, _unwatched_hint(first))
    if not config.sources and not config.services:
        raise ChaosError(
            "nothing-watched",
            "the run talks to a server, and nothing of what that keeps is watched: every end would look right",
            "watch it: chaos.watch(source) with a WorldSource of the server's state, or chaos.network(name, source)",
        )
    others = [_another(executor, initial, first, 1, _SECOND_RUN_LATER_S)]
    masks = _learn(worlds, [first, *others])
    # Two runs can agree by chance (a die that showed the same twice): a third one finds that out.
    if masks.lines():
        others.append(_another(executor, initial, first, 2, _THIRD_RUN_LATER_S))
        masks = _learn(worlds, [first, *others])
    # Pids that no process may get: wherever their number stands, it would be taken for the process.
    with worlds.spent.on("learn"):
        taken = _numbers(worlds.world(initial)) | _numbers(worlds.world(first.end))
        taken |= _numbers_between(worlds, initial, first)
    baseline = Baseline(initial, first, tuple(others), requests, _transient(worlds, initial, first))
    return Session(baseline, masks, _limits([first, *others]), taken, executor.learned)


def _limits(processes: Sequence[ProcessRun]) -> Limits:
    """Return the number of calls, polls and effects after which a process counts as endless."""
    return Limits(
        calls=max(60, 12 * max(process.calls for process in processes)),
        polls=max(60, 12 * max(process.polls for process in processes)),
        effects=max(2000, 12 * max(len(process.points) for process in processes)),
    )


def _learn(worlds: Worlds, processes: list[ProcessRun]) -> Masks:
    with worlds.spent.on("learn"):
        return learn([worlds.world(process.end) for process in processes])


def _another(executor: Executor, initial: RawState, first: ProcessRun, number: int, later_s: float) -> ProcessRun:
    if any(medium_of(point.kind).runs_programs for point in first.points):
        _let_the_second_pass()
    process = executor.run_process("run", replace(initial, clock=BIRTH + later_s), f"run/{number}", how=How(show=True))
    _must_work(process)
    return process


def _let_the_second_pass() -> None:
    """Wait for another second of the real clock: programs have no other one, and what they write of it is volatile."""
    now = int(time.time())
    while int(time.time()) == now:
        time.sleep(0.01)


def _numbers(world: World) -> frozenset[int]:
    """Return the numbers in a raw state that could be taken for pids."""
    rows = repr((world.tables, world.resources, world.private_tables)).encode()
    return frozenset(map(int, _NUMBER.findall(rows))).union(
        *(_numbers_of(*item) for entries in (world.entries, world.private_entries) for item in entries.items())
    )


def _numbers_between(worlds: Worlds, initial: RawState, run: ProcessRun) -> frozenset[int]:
    """Return the numbers in files that a run makes and does not leave, or changes once more."""
    before, known = worlds.world(initial), set[tuple[str, Entry]]()
    for crash_state in run.crash_states:
        world = worlds.world(crash_state.raw_state)
        for old, new in ((before.entries, world.entries), (before.private_entries, world.private_entries)):
            known.update((path, entry) for path in differing(old, new) if (entry := new.get(path)) is not None)
    return frozenset().union(*(_numbers_of(*item) for item in known))


def _numbers_of(path: str, entry: Entry) -> Iterator[int]:
    for text in (os.fsencode(path), entry.legible):
        yield from map(int, _NUMBER.findall(text))


def _must_work(process: ProcessRun) -> None:
    if process.outcome.kind != "returned":
        endless = process.outcome.kind == "unbounded"
        what = "without any fault the run did not end" if endless else "the run fails without any fault"
        text = process.outcome.traceback or process.outcome.error
        printed = "\nit printed last:\n" + "\n".join(_last_lines(process.printed)) if process.printed.strip() else ""
        refused = f"\nthe last request that a twin refused: {process.refused}" if process.refused else ""
        refused += "".join(f"\n{line}" for line in told_of(process.asked))
        raise ChaosError(
            "fails-without-a-fault",
            f"{what} ({process.outcome.error or process.outcome.kind}): nothing was explored",
            f"{text.rstrip()}{refused}{printed}\nmake the test pass without --chaos first",
        )


def _last_lines(text: str) -> list[str]:
    lines = text.rstrip().splitlines()
    left_out = [f"… {len(lines) - _PRINTED_LINES} lines before these"] if len(lines) > _PRINTED_LINES else []
    return [f"  {line}" for line in (*left_out, *lines[-_PRINTED_LINES:])]


def _unwatched_hint(process: ProcessRun) -> str:
    if process.unwatched:
        elsewhere = ", ".join(sorted(set(process.unwatched))[:5])
        return f"it wrote here instead: {elsewhere}\nwatch that: chaos.watch(path)"
    return (
        "declare what it touches: chaos.watch(path), chaos.private(path), chaos.api(url), chaos.llm(replies),\n"
        "chaos.mailbox(host), chaos.mcp(tools), chaos.network(name, upstream)"
    )


def _transient(worlds: Worlds, initial: RawState, run: ProcessRun) -> frozenset[str]:
    before = worlds.world(initial).entries
    found = {p for s in run.crash_states for p in differing(worlds.world(s.raw_state).entries, before)}
    ends = {canonical(p) for world in (initial, run.end) for p in worlds.world(world).entries}
    return frozenset({canonical(p) for p in found} - ends)
