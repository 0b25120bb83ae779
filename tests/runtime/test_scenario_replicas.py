"""The agents of the built-in scenarios with several processes alive: they start at once, die, are paused and wake up.

Each of them leaves outside what as many runs leave that come one after the other, and keeps the promises of its
scenario. With ROLLPROOF_REPEATS all transitions of all of them are struck, so often; else a few of each.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from inspect import signature
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import rollproof.scenarios
from mutation import mutated
from scenario_replicas import DONE, Replica, Stage, Story, Strike, leases_in, left_in, loaded, scenario_test

REPEATS = int(os.environ.get("ROLLPROOF_REPEATS", "0"))
GONE = ("LeaseLost", "SIGKILL")
"""How a replica ends whose run is in the hands of others; it may be done or undone."""
MOST = 3
"""How many replicas there are at one time."""
LEFT_OUT = {
    "double_charge": "no runtime in it",
    "invoice_and_its_file": "no saga: one transaction, and what follows from it",
    "keep_a_connection": "no runtime in it",
    "lagging_search": "no runtime in it",
    "lost_webhook": "no saga: of the runtime only the look at a signature",
    "mail_and_lost_connection": "no runtime in it",
    "poison_message": "no saga: nothing but the worker of an outbox",
    "refresh_token_used_twice": "no runtime in it",
    "rehearse_on_a_copy": "no saga: a rehearsal, of which there is one at a time",
    "tool_server_restarts": "no runtime in it",
    "upload_a_report": "no runtime in it",
}
"""Scenarios without a run that one process could take from another, and why."""
SHARED = {
    "approve_a_payment": "one plan has one approval: who proposes it again takes it from who has it, or leaves it used",
    "carry_out_a_plan": "the same",
    "two_agents_one_folder": "two sagas, one after the other: either may be all that a replica did, or be done again",
}
"""Scenarios of which replicas may do a part of what they do one after the other, and why."""
ALL = sorted(path.stem.removeprefix("test_") for path in Path(rollproof.scenarios.__path__[0]).glob("test_*.py"))
NAMES = [name for name in ALL if name not in LEFT_OUT]


@dataclass(frozen=True)
class Reference:
    """What runs leave that come one after the other: how each ended, and what there is before them and after each."""

    transitions: int
    endings: tuple[str, ...]
    left: tuple[Counter[str], ...]
    broken: frozenset[str]
    is_shared: bool

    @property
    def allowed(self) -> set[str]:
        """How a replica may end."""
        return {*self.endings, *GONE, *(["NotApproved"] if self.is_shared else [])}


@cache
def reference(name: str) -> Reference:
    """Run as many replicas of a scenario as there are ever at one time, one after the other."""
    with TemporaryDirectory() as folder:
        story = Story.of(name, Path(folder) / "world")
        stage, left = Stage(story), [left_in(story.world())]
        replicas, settler = [stage.replica() for _ in range(MOST)], stage.settler()
        with stage.open():
            for replica in replicas:
                replica.begin()
                replica.end()
                left.append(left_in(story.world()))
            settler.begin()
            assert settler.end() == DONE, settler.text
        world = story.world()
        assert left_in(world) == left[-1]
        assert leases_in(world) == []
        endings = tuple(replica.ending for replica in replicas)
        assert endings[0] == DONE, replicas[0].text
        return Reference(replicas[0].transitions, endings, tuple(left), frozenset(story.broken(world)), name in SHARED)


def judged(stage: Stage, settler: Replica, ended: list[Replica], usual: Reference) -> Iterator[str]:
    """Settle what is left, and yield what is wrong then."""
    settler.begin()
    if settler.end() != DONE:
        yield f"recovery raises {settler.ending}: {settler.text}"
    world = stage.story.world()
    for check, text in stage.story.broken(world).items():
        if check not in usual.broken:
            yield f"{check}: {text}"
    if leases_in(world):
        yield f"still held: {leases_in(world)}"
    for replica in ended:
        if replica.ending not in usual.allowed:
            yield f"{replica.ending}: {replica.text}"
    yield from outside(left_in(world), [replica.ending for replica in ended], usual)


def outside(left: Counter[str], endings: list[str], usual: Reference) -> Iterator[str]:
    """Yield what is too much and what is missing: each that is done left its part, and one that is gone perhaps."""
    first, last = endings.count(DONE), len(endings) - sum(ending not in (DONE, *GONE) for ending in endings)
    if usual.is_shared:
        first, last = 0, MOST
    between = usual.is_shared and usual.left[first] <= left <= usual.left[last]
    right = between or left in usual.left[first : last + 1]
    if not right:
        wanted = usual.left[first]
        yield f"too much after {endings}: {dict(left - wanted)}, missing: {dict(wanted - left)}"


def start_at_once(name: str, folder: Path, number: int) -> list[str]:
    """Replicas that begin at one moment: each run is whole, and they end as if one had come after the other."""
    usual, stage = reference(name), Stage(Story.of(name, folder))
    replicas, settler = [stage.replica() for _ in range(number)], stage.settler()
    with stage.open():
        for replica in replicas:
            replica.begin()
        endings = sorted(replica.end() for replica in replicas)
        same = usual.is_shared or endings == sorted(usual.endings[:number])
        wrong = [] if same else [f"they end with {endings}"]
        return [*wrong, *judged(stage, settler, replicas, usual)]


def one_is_killed(name: str, folder: Path, strike: Strike) -> list[str]:
    """One of two replicas is killed; the other settles what it left, and does its own work."""
    usual, stage = reference(name), Stage(Story.of(name, folder))
    struck, other, settler = stage.replica(strike), stage.replica(), stage.settler()
    with stage.open():
        struck.begin()
        other.begin()
        struck.end()
        other.end()
        return [*missed(struck, strike), *judged(stage, settler, [struck, other], usual)]


def one_is_paused(name: str, folder: Path, strike: Strike) -> list[str]:
    """One of two replicas is paused for longer than its lease, and wakes up when the other is done."""
    usual, stage = reference(name), Stage(Story.of(name, folder))
    struck, other, settler = stage.replica(strike, short=True), stage.replica(short=True), stage.settler()
    with stage.open():
        struck.begin()
        stopped = struck.wait_until_stopped()
        other.begin()
        other.end()
        if stopped:
            struck.go_on()
        struck.end()
        return [*([] if stopped else missed(struck, strike)), *judged(stage, settler, [struck, other], usual)]


def missed(struck: Replica, strike: Strike) -> list[str]:
    """Say where a strike did not come; a process may have less to do than one that is alone, and end before it."""
    return [] if struck.transitions < strike.at else ["the strike did not come"]


def strikes(name: str, half: int) -> Iterator[tuple[int, bool]]:
    """Yield where the replica of a scenario is struck: everywhere, or in one place of a half, another for each."""
    everywhere = [(at, after) for at in range(1, reference(name).transitions + 1) for after in (False, True)]
    if REPEATS:
        yield from everywhere
        return
    place = 2 * NAMES.index(name) + half * (len(everywhere) // 2 + 1)
    yield everywhere[place % len(everywhere)]


def folders(root: Path) -> Iterator[Path]:
    """Yield folders for as many worlds."""
    return (root / str(number) for number in count())


def test_every_scenario_is_in_it_or_has_a_reason_not_to() -> None:
    """What is left out uses no saga; everything else takes part."""
    for name in ALL:
        module = loaded(name)
        has_runs = {"Saga", "AsyncSaga", "PlannedAgent"} & vars(module).keys()
        takes_part = bool(has_runs) and [*signature(scenario_test(module)).parameters] == ["chaos", "tmp_path"]
        assert takes_part == (name not in LEFT_OUT), name


@pytest.mark.parametrize("repeat", range(max(REPEATS, 1)))
@pytest.mark.parametrize("name", NAMES)
def test_replicas_that_start_at_once_end_as_if_one_came_after_the_other(name: str, repeat: int, tmp_path: Path) -> None:
    """Three; with ROLLPROOF_REPEATS two as well."""
    for number in range(2 if REPEATS else MOST, MOST + 1):
        assert start_at_once(name, tmp_path / str(number), number) == []


@pytest.mark.parametrize("repeat", range(max(REPEATS, 1)))
@pytest.mark.parametrize("name", NAMES)
def test_a_replica_that_is_killed_leaves_nothing_half_done(name: str, repeat: int, tmp_path: Path) -> None:
    """Before and after its transitions, while another one works or waits."""
    for (at, after), folder in zip(strikes(name, 0), folders(tmp_path), strict=False):
        assert one_is_killed(name, folder, Strike(at, after, signal.SIGKILL)) == [], f"{at} {after}"


@pytest.mark.parametrize("repeat", range(max(REPEATS, 1)))
@pytest.mark.parametrize("name", NAMES)
def test_a_replica_that_wakes_up_late_does_no_harm(name: str, repeat: int, tmp_path: Path) -> None:
    """Before and after its transitions: another one settled its run, and did its own work."""
    for (at, after), folder in zip(strikes(name, 1), folders(tmp_path), strict=False):
        assert one_is_paused(name, folder, Strike(at, after, signal.SIGSTOP)) == [], f"{at} {after}"


# what the runtime did wrong, or would, and where it shows: module, what stands there, what the mutant has
MUTANTS = [
    ("carried_run", "        Leases(self._store).check(self.lease)\n", "        pass\n", "book_a_trip", (2, True)),
    ("releases", "        self.discard()\n", "", "replace_a_site", (1, False)),
]  # fmt: skip


@pytest.mark.parametrize(("module", "old", "new", "name", "at"), MUTANTS, ids=[mutant[0] for mutant in MUTANTS])
def test_a_mutant_is_noticed(module: str, old: str, new: str, name: str, at: tuple[int, bool], tmp_path: Path) -> None:
    """One replica is paused at one of its transitions, and the outside says what the runtime lacks."""
    reference(name)
    with mutated(module, old, new):
        assert one_is_paused(name, tmp_path / "world", Strike(*at, signal.SIGSTOP))
