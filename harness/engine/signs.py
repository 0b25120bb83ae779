"""Signs of the kind of a bug in what the processes of a failure did: beside what differs outside, which `facts` has."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..values.causes import Cause
from ..values.media import medium_of
from ..values.points import Point
from ..values.world import Change, World
from ..world.storage.raw import Source
from .effects import REMOVING, Blamed
from .judge import Judgement
from .process_runs import OWN_PROCESSES, ProcessRun, RawState
from .session import Baseline
from .state_view import StateView

_LEASE_NAME = r"(?<!re)(?<!p)lease"  # none is "releases"
LEASE = re.compile(_LEASE_NAME, re.IGNORECASE)
LOCK = re.compile(rf"(?<!(?<![a-z])[bc])lock|lck|\.pid$|{_LEASE_NAME}", re.IGNORECASE)  # nor "blocks" or "clock"
_READING = ("read", "fsync")


@dataclass(frozen=True, slots=True)
class Signs:
    """Facts on what the processes of a failure did, from which the kind of its bug can be told.

    Attributes:
        unnoted: whether the run ended before it had kept anything of its own, which a complete run does.
        noted_later: whether a complete run keeps something of its own after the effect that is blamed.
        idle: whether the last recovery changed nothing.
        held: whether a lock or a lease of the agent's own is left; `leased` whether it is a lease.
        undoes: whether a recovery removes what a complete run leaves outside.
        passing: whether what is too much was neither there before, nor is after a complete run.
        not_usual: whether a recovery alone has the effect that is blamed: a complete run never has.
        rewritten: whether a recovery alone wrote what differs.
        acted_on_answer: whether the effect that is blamed came only after an answer of a model that a fault changed.
        kept_notes: whether a new try found something of the agent's own that the first try had not found.
        without_log: whether a recovery left a copy of a database's file, when a part of it was in its log only.
    """

    unnoted: bool = False
    noted_later: bool = False
    idle: bool = False
    held: bool = False
    leased: bool = False
    undoes: bool = False
    passing: bool = False
    not_usual: bool = False
    rewritten: bool = False
    acted_on_answer: bool = False
    kept_notes: bool = False
    without_log: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """The evidence in which signs are looked for.

    Attributes:
        sources: what is watched and what is the agent's own, in the order of the disk's keys.
        effect: the one that is blamed; `change` is what differs in the way that names the cause.
    """

    judgement: Judgement
    baseline: Baseline
    view: StateView
    sources: Sequence[Source]
    effect: str
    change: Change | None

    def signs(self) -> Signs:
        """Return the signs of this failure."""
        processes = [process for process in self.judgement.executions if process.role in OWN_PROCESSES]
        run, recoveries = processes[0], processes[1:]
        left = list(self._left())
        name = "" if self.change is None else self.change.name
        usual = [Blamed.at(point, ()).effect for point in self.baseline.first.points]
        return Signs(
            unnoted=run.outcome.kind != "returned" and self._keeps() and not self._has_noted(run),
            noted_later=self._noted_after(usual),
            idle=bool(recoveries) and recoveries[-1].start.same_state(recoveries[-1].end),
            held=bool(left),
            leased=any(map(LEASE.search, left)) or any(process.role == "recover early" for process in recoveries),
            undoes=any(self._undoes(point) for process in recoveries for point in process.points),
            passing=self._is_passing(name),
            not_usual=bool(self.effect) and self.effect not in usual,
            rewritten=_touches(recoveries, name) and not _touches([run], name),
            acted_on_answer=_is_after_answer(run, self.effect),
            kept_notes=any(self._has_notes(one.start) for one in self.judgement.executions if one.role == "retry"),
            without_log=any(map(self._copies_without_log, recoveries)),
        )

    def told(self, cause: Cause, side: str, signs: Signs) -> tuple[Change | None, str]:
        """Return the difference, and its right end: for a recovery that undoes, the difference from before the run."""
        half_done = cause.promise == "all_or_nothing" and cause.way in ("missing", "not the same")
        if half_done and signs.undoes and side == "done" and self.change is not None:
            for one in self.judgement.from_before:
                if one.name == self.change.name and one.sign == "+":
                    return one, "before"
        return self.change, side

    def _left(self) -> Iterator[str]:
        """Yield the names of the agent's own locks and leases that are there in the end, and in no right end."""
        end, right = self._own(self.judgement.end), (self._own(self.baseline.initial), self._own(self.baseline.done))
        for name in end.private_entries:
            if LOCK.search(posixpath.basename(name)) and not any(name in one.private_entries for one in right):
                yield name
        for name, rows in end.private_tables.items():
            usual = max(len(one.private_tables.get(name, ())) for one in right)
            if LOCK.search(name.rpartition(":")[2]) and len(rows) > usual:
                yield name

    def _own(self, state: RawState) -> World:
        """Return the private entries and tables of a state, which are the agent's own."""
        world = self.view.world(state)
        return World(private_entries=world.private_entries, private_tables=world.private_tables)

    def _has_notes(self, state: RawState) -> bool:
        return self._own(state) != self._own(self.baseline.initial)

    def _has_noted(self, run: ProcessRun) -> bool:
        return self._has_notes(run.end) or any(map(self._is_note, run.points[:-1]))

    def _keeps(self) -> bool:
        return any(map(self._is_note, self.baseline.first.points))

    def _is_note(self, point: Point) -> bool:
        return point.verb not in _READING and self._is_own(point)

    def _is_own(self, point: Point) -> bool:
        name = re.split("[/:]", point.target)[0]
        on_disk = medium_of(point.kind).changes != "services"
        return on_disk and any(source.private and source.name == name for source in self.sources)

    def _undoes(self, point: Point) -> bool:
        if point.verb not in REMOVING or self._is_own(point):
            return False
        medium = medium_of(point.kind)
        kept = medium.changes == "services" or medium.commits
        return kept or point.target in self.view.world(self.baseline.done).entries

    def _noted_after(self, usual: list[str]) -> bool:
        if self.effect not in usual:
            return False
        last = len(usual) - 1 - usual[::-1].index(self.effect)
        return any(map(self._is_note, self.baseline.first.points[last + 1 :]))

    def _is_passing(self, name: str) -> bool:
        differences = (self.judgement.from_before, self.judgement.from_done)
        return all(any(one.name == name and one.sign == "+" for one in diff) for diff in differences)

    def _copies_without_log(self, process: ProcessRun) -> bool:
        logs, before = self.view.world(process.start).logs, process.start.disk.files
        names = {key: f"{self.sources[key[0]].name}/{key[1]}".removesuffix("/") for key in before}
        databases = [before[key].held for key, name in names.items() if logs.get(name, "").startswith("needed")]
        needed = [held for held in databases if held]
        after = process.end.disk.files.items()
        return any(entry != before.get(key) and entry.held in needed for key, entry in after)


def _touches(processes: list[ProcessRun], name: str) -> bool:
    return any(point.target == name and point.verb not in _READING for one in processes for point in one.points)


def _is_after_answer(run: ProcessRun, effect: str) -> bool:
    """Return whether an effect came in a run only after an answer of a model that a fault changed."""
    place = next((place for place, point in enumerate(run.points) if point in run.reworded), None)
    if place is None:
        return False
    told = [Blamed.at(point, ()).effect for point in run.points]
    return effect in told[place:] and effect not in told[:place]
