"""Sets of faults, put together of what was seen to be possible at the points of the run and of its recoveries."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from ..values.points import Point
from ..values.schedule import Injection, Schedule
from .crash_state_space import CrashStateSpace
from .drawable import Choose, Drawable, drawables
from .plan import crash, errors
from .process_runs import ProcessRun
from .trials import Trials


@dataclass(frozen=True, slots=True)
class _Place:
    """A point of the run, or of a recovery, and all that can be injected there; a crash ends its process."""

    point: Point
    errors: tuple[Injection, ...]
    crashes: tuple[Injection, ...]
    drawable: tuple[Drawable, ...]


class Pool:
    """All injections that were seen to be possible, by point: `run` in the order of the run, then `recovery`."""

    def __init__(self, trials: Trials, space: CrashStateSpace) -> None:
        self.run = _places(trials, [trials.baseline.first], recovering=False)
        processes = [process for node in space.nodes.values() for process in node.processes]
        self.recovery = _places(trials, processes, recovering=True)

    @property
    def size(self) -> int:
        """Return the number of injections; those with edits count as one for each point."""
        return sum(len(one.errors) + len(one.crashes) + len(one.drawable) for one in (*self.run, *self.recovery))

    @property
    def has_edits(self) -> bool:
        """Return whether a fault of the run has edits that can be drawn."""
        return any(place.drawable for place in self.run)

    def simpler(self, injection: Injection, *, alone: bool = False) -> Iterator[Injection]:
        """Yield other errors at the same point, of the same fault first once and then in its first variants.

        In place of edits, those that are enumerated come first, but of one that is alone: they were tried so. Then come
        fewer and simpler edits.
        """
        for place in self.recovery if injection.recovering else self.run:
            if place.point != injection.point:
                continue
            if injection.edits:
                yield from () if alone else (one for one in place.errors if one.when == injection.when)
                for drawable in place.drawable:
                    yield from drawable.simpler(injection)
            else:
                same = [one for one in place.errors if one.fault == injection.fault]
                before = same[: same.index(injection)] if injection in same else []
                yield from sorted(before, key=lambda one: one.lasting)

    def draw(self, count: int, choose: Choose) -> Schedule | None:
        """Draw a set of so many faults by `choose`; None where there are not two of them at different points.

        At most one is drawn at each point, and a crash only as the last one of its process. All are drawn in the run,
        or all but some of its recoveries. One alone has edits: others are enumerated.
        """
        if count == 1:
            return self._edited(choose)
        recovered = choose(count) if self.recovery and choose(2) else 0
        run = _some(len(self.run), count - recovered, choose)
        recovery = _some(len(self.recovery), recovered, choose)
        if not run or len(run) + len(recovery) < 2:
            return None
        chosen = [_one(self.run[number], number == run[-1], choose) for number in run]
        chosen += [_one(self.recovery[number], number == recovery[-1], choose) for number in recovery]
        injections = tuple(one for one in chosen if one is not None)
        return Schedule(injections) if len(injections) > 1 and not injections[0].recovering else None

    def _edited(self, choose: Choose) -> Schedule | None:
        drawable = [one for place in self.run for one in place.drawable]
        injection = drawable[choose(len(drawable))].draw(choose) if drawable else None
        return None if injection is None else Schedule((injection,))


def _places(trials: Trials, processes: Sequence[ProcessRun], *, recovering: bool) -> list[_Place]:
    config, places = trials.config, dict[Point, tuple[dict[Injection, None], dict[Injection, None]]]()
    drawable: dict[Point, tuple[Drawable, ...]] = {}
    for process in processes:
        points = config.points.of(process.points)
        for injection, _ in errors(points, process.effects, config.faults):
            found = places.setdefault(injection.point, ({}, {}))
            found[0][replace(injection, recovering=recovering)] = None
        for state in config.killed_at(process.crash_states):
            places.setdefault(state.point, ({}, {}))[1][crash(state, recovering=recovering)] = None
        for point in points:
            if not drawable.get(point) and point in process.effects:
                drawable[point] = tuple(drawables(process.effects[point], config.faults, recovering=recovering))
            if drawable.get(point):
                places.setdefault(point, ({}, {}))
    order = {point: number for number, point in enumerate(point for process in processes for point in process.points)}
    found_at = sorted(places, key=lambda point: order.get(point, 0))
    return [_Place(one, tuple(places[one][0]), tuple(places[one][1]), drawable.get(one, ())) for one in found_at]


def _some(of: int, count: int, choose: Choose) -> list[int]:
    """Return so many different numbers below `of`, or all of these, in their order."""
    left = list(range(of))
    for _ in range(max(0, of - count)):
        del left[len(left) - 1 - choose(len(left))]  # the simplest choice keeps the first ones
    return left


def _one(place: _Place, last: bool, choose: Choose) -> Injection | None:
    """Draw one injection: where edits can be drawn, every second time with some."""
    if place.drawable and choose(2):
        return place.drawable[choose(len(place.drawable))].draw(choose)
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
