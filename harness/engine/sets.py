"""Sets of faults, put together of what was seen to be possible at the points of the run and of its recoveries."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from ..values.points import Point
from ..values.schedule import Injection, Schedule
from .crash_state_space import CrashStateSpace
from .plan import crash, errors
from .process_runs import ProcessRun
from .trials import Trials

Choose = Callable[[int], int]
"""Returns a number from 0, below the one that it gets; 0 is the simplest choice."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A point of the run, or of a recovery, and all that can be injected there; a crash ends its process."""

    point: Point
    errors: tuple[Injection, ...]
    crashes: tuple[Injection, ...]


class Pool:
    """All injections that were seen to be possible, by point: `run` in the order of the run, then `recovery`."""

    def __init__(self, trials: Trials, space: CrashStateSpace) -> None:
        self.run = _places(trials, [trials.baseline.first], recovering=False)
        processes = [process for node in space.nodes.values() for process in node.processes]
        self.recovery = _places(trials, processes, recovering=True)

    @property
    def size(self) -> int:
        """How many injections there are."""
        return sum(len(place.errors) + len(place.crashes) for place in (*self.run, *self.recovery))

    def simpler(self, injection: Injection) -> Iterator[Injection]:
        """Yield other errors at the same point, of the same fault first once and then in its first variants."""
        for place in self.recovery if injection.recovering else self.run:
            if place.point == injection.point:
                same = [one for one in place.errors if one.fault == injection.fault]
                before = same[: same.index(injection)] if injection in same else []
                yield from sorted(before, key=lambda one: one.lasting)

    def draw(self, count: int, choose: Choose) -> Schedule | None:
        """Draw a set of so many faults by `choose`; None where there are not two of them at different points.

        At most one is drawn at each point, and a crash only as the last one of its process. All are drawn in the run,
        or all but some of its recoveries.
        """
        recovered = choose(count) if self.recovery and choose(2) else 0
        run = _some(len(self.run), count - recovered, choose)
        recovery = _some(len(self.recovery), recovered, choose)
        if not run or len(run) + len(recovery) < 2:
            return None
        chosen = [_one(self.run[number], number == run[-1], choose) for number in run]
        chosen += [_one(self.recovery[number], number == recovery[-1], choose) for number in recovery]
        injections = tuple(one for one in chosen if one is not None)
        return Schedule(injections) if len(injections) > 1 and not injections[0].recovering else None


def _places(trials: Trials, processes: Sequence[ProcessRun], *, recovering: bool) -> list[_Place]:
    places: dict[Point, tuple[dict[Injection, None], dict[Injection, None]]] = {}
    config = trials.config
    for process in processes:
        for injection, _ in errors(config.points.of(process.points), process.effects, config.faults):
            found = places.setdefault(injection.point, ({}, {}))
            found[0][replace(injection, recovering=recovering)] = None
        for state in config.killed_at(process.crash_states):
            places.setdefault(state.point, ({}, {}))[1][crash(state, recovering=recovering)] = None
    order = {point: number for number, point in enumerate(point for process in processes for point in process.points)}
    return [
        _Place(point, *map(tuple, places[point])) for point in sorted(places, key=lambda point: order.get(point, 0))
    ]


def _some(of: int, count: int, choose: Choose) -> list[int]:
    """Return so many different numbers below `of`, or all of these, in their order."""
    left = list(range(of))
    for _ in range(max(0, of - count)):
        del left[len(left) - 1 - choose(len(left))]  # the simplest choice keeps the first ones
    return left


def _one(place: _Place, last: bool, choose: Choose) -> Injection | None:
    possible = place.errors + (place.crashes if last else ())
    return possible[choose(len(possible))] if possible else None


def with_other(schedule: Schedule, place: int, other: Injection) -> Schedule:
    """Return a schedule with another injection at this place."""
    injections = list(schedule.injections)
    injections[place] = other
    return Schedule(tuple(injections))


def parts(schedule: Schedule) -> Iterator[Schedule]:
    """Yield the proper parts of a schedule that can come, the smallest first."""
    whole = schedule.injections
    for count in range(1, len(whole)):
        for part in combinations(whole, count):
            if not part[0].recovering:  # a recovery needs something to recover from
                yield Schedule(part)
