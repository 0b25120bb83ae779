"""Schedules of one fault, as values: each crash state that the run can leave, and each error at each of its points."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..boundary.resolved import ResolvedInjection
from ..values.points import Point
from ..values.schedule import Injection, Schedule
from .config import ExplorationConfig
from .plan import CRASH, crash, errors
from .process_runs import CrashState, ProcessRun, RawState


@dataclass(slots=True)
class SingleCrash:
    """A crash state of the run, and each single crash that leaves it, in the order of the run."""

    raw_state: RawState
    schedules: list[Schedule] = field(default_factory=list)
    fault: str = CRASH

    @property
    def count(self) -> int:
        """Return how many crashes leave it."""
        return len(self.schedules)


@dataclass(frozen=True, slots=True)
class SingleError:
    """One fault, at one point, that leaves the process alive."""

    resolved: ResolvedInjection
    count: int = 1

    @property
    def fault(self) -> str:
        """The name of the fault."""
        return self.resolved.injection.fault


class Share:
    """The part of all schedules that is tried here: the K-th of N, each kind of schedules numbered by itself."""

    def __init__(self, shard: tuple[int, int]) -> None:
        self._part, self._parts = shard
        self._numbers: Counter[str] = Counter()

    def has_next(self, kind: str) -> bool:
        """Return whether the next schedule of a kind belongs to it."""
        # Each kind by itself: every shard gets its part of the few of a kind, too.
        self._numbers[kind] += 1
        return self._numbers[kind] % self._parts == self._part % self._parts


def single_crashes(crash_states: Sequence[CrashState]) -> list[SingleCrash]:
    """Return the crash states of a traced run, the ones in its middle first, then those between, and so on.

    A bug shows in a stretch of the run: halving finds long ones soon. States that are not the same object may still be
    one to a recovery: to find that out for thousands would take a budget before anything is tried.
    """
    found: list[SingleCrash] = []
    for crash_state in crash_states:
        if not found or not _is_same(found[-1].raw_state, crash_state.raw_state):
            found.append(SingleCrash(crash_state.raw_state))
        found[-1].schedules.append(Schedule((crash(crash_state, recovering=False),)))
    return [found[index] for index in _halving(len(found))]


def planned(
    first: ProcessRun, config: ExplorationConfig, mine: Share
) -> tuple[list[SingleCrash | SingleError], list[tuple[str, Point]]]:
    """Return the schedules of one fault that are tried in this part, and where each fault can fire in any part."""
    crash_states = config.killed_at(first.crash_states)
    found = list(errors(config.points.of(first.points), first.effects, config.faults))
    places = [(CRASH, state.point) for state in crash_states] + [(one.fault, one.point) for one, _ in found]
    singles: list[SingleCrash | SingleError] = []
    singles += single_crashes([crash_state for crash_state in crash_states if mine.has_next("crash")])
    singles += [SingleError(resolved) for _, resolved in found if mine.has_next("error")]
    return singles, places


def _is_same(one: RawState, other: RawState) -> bool:
    return one.disk is other.disk and one.services == other.services and one.clock == other.clock


def _halving(count: int) -> list[int]:
    """Return the numbers below `count`: the middle one, the middles of both halves, and so on."""
    found: list[int] = []
    ranges = [(0, count)]
    while ranges:
        begin, end = ranges.pop(0)
        if begin < end:
            middle = (begin + end) // 2
            found.append(middle)
            ranges += [(begin, middle), (middle + 1, end)]
    return found


def after(run: ProcessRun, injection: Injection) -> Sequence[Point]:
    """Return the points of a run that come after an injection."""
    place = run.points.index(injection.point) + 1 if injection.point in run.points else len(run.points)
    return run.points[place:]


def same_as_once(resolved: ResolvedInjection, other: ResolvedInjection, process: ProcessRun) -> bool:
    """Return whether a lasting fault equals its single one, since the process reached no later point of it."""
    one, lasting = other.injection, resolved.injection
    if one.lasting or not lasting.lasting or replace(one, lasting=True) != lasting or one.point not in process.points:
        return False
    return not any(resolved.reaches(point) for point in after(process, one))
