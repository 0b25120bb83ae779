"""Draw sets of faults beyond pairs, for as long as was asked: at random, and by Hypothesis, led by new crash states.

Only what was drawn at random, each set by itself, bounds what is left: Hypothesis goes where something new was seen,
and learns from one set for the next. It also makes a failing set small, and keeps it in its example database.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import combinations
from random import Random
from typing import Any

from ..values.drawn import DrawnSets
from ..values.points import Point
from ..values.rare import rare
from ..values.schedule import Injection, Schedule
from .causes import Key, key_of
from .crash_state_space import CrashStateSpace
from .findings import Findings
from .judge import Judgement
from .plan import crash, errors
from .process_runs import ProcessRun
from .replay import Judged
from .sites import Sites
from .trials import Trials

Choose = Callable[[int], int]
_BATCH = 200  # sets that Hypothesis tries before it begins with another seed
_MOST_KNOWN, _MOST_BATCHES = 1000, 3
"""So many draws in a row, and batches, bring nothing that was not carried out before: there is hardly anything left."""
Ends = frozenset[Key]


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
        """Draw a set of so many faults by `choose`, which picks a number below another; None where there are not so many.

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
        return Schedule(tuple(one for one in chosen if one is not None))


def _places(trials: Trials, processes: Sequence[ProcessRun], *, recovering: bool) -> list[_Place]:
    places: dict[Point, tuple[dict[Injection, None], dict[Injection, None]]] = {}
    for process in processes:
        for injection, _ in errors(process.points, process.effects, trials.config.faults):
            found = places.setdefault(injection.point, ({}, {}))
            found[0][replace(injection, recovering=recovering)] = None
        for state in process.crash_states if trials.config.kill is not None else ():
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


@dataclass
class Sets:
    """Draws sets of 2 to `most` faults, and carries each out from the start.

    Attributes:
        truly: carries a schedule out from the start.
        found: looks at what was found, as soon as it is.
        known: keys of the causes that need fewer faults, or were found by now.
        until: the value of `time.monotonic` at which the time is spent.
        key: of the example database, for this exploration.
    """

    trials: Trials
    findings: Findings
    sites: Sites
    pool: Pool
    truly: Callable[[Schedule], Judged]
    found: Callable[[], None]
    known: set[Key]
    most: int
    until: float
    key: str
    drawn: DrawnSets = field(init=False)
    _ends: dict[Schedule, Ends | None] = field(default_factory=dict)
    _new: dict[Schedule, Judged] = field(default_factory=dict)
    _states: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.drawn = DrawnSets(self.most)

    def draw(self) -> DrawnSets:
        """Draw until the time is spent, or nothing new comes; half of it at random. Returns the counts."""
        seed = f"{self.trials.config.seed}/{self.key}"
        half, dice = time.monotonic() + (self.until - time.monotonic()) / 2, Random(seed)
        self._repeat(half, _MOST_KNOWN, lambda _: self._one_at_random(dice))
        self._repeat(self.until, _MOST_BATCHES, lambda number: self._led(Random(f"{seed}/{number}")))
        return self.drawn

    def _repeat(self, until: float, most_known: int, work: Callable[[int], None]) -> None:
        """Do this until the time is spent, or nothing that was not known came of it so many times in a row."""
        number = known = 0
        while self.pool.size > 1 and time.monotonic() < until and known < most_known:
            before = len(self._ends)
            work(number)
            number, known = number + 1, 0 if len(self._ends) > before else known + 1

    def _one_at_random(self, dice: Random) -> None:
        schedule = self.pool.draw(dice.randint(2, self.most), dice.randrange)
        if schedule is None or len(schedule.injections) < 2:
            return
        ends = self._ends_of(schedule)
        if ends is None:
            return
        self.drawn = replace(self.drawn, at_random=self.drawn.at_random + 1)
        if ends - self.known:
            self.drawn = replace(self.drawn, failed=self.drawn.failed + 1)
            self._keep(schedule, ends - self.known)

    def _led(self, dice: Random) -> None:
        """Let Hypothesis look for a set that fails in a new way, and make it small."""
        import hypothesis  # not before: it is large, and few explorations draw
        from hypothesis import strategies as st
        from hypothesis.errors import Flaky, NoSuchExample

        @st.composite
        def sets(draw: Callable[[Any], Any]) -> Schedule | None:
            return self.pool.draw(draw(st.integers(2, self.most)), lambda below: draw(st.integers(0, below - 1)))

        def fails(schedule: Schedule | None) -> bool:
            if schedule is None or len(schedule.injections) < 2:
                return False
            before = len(self._states)
            if schedule not in self._ends:
                if time.monotonic() > self.until:
                    return False
                self.drawn = replace(self.drawn, led=self.drawn.led + 1)
            ends = self._ends_of(schedule)
            hypothesis.target(float(len(self._states) - before), label="new crash states")
            return bool(ends and ends - self.known)

        settings = hypothesis.settings(max_examples=_BATCH, deadline=None)
        with suppress(NoSuchExample, Flaky):
            schedule = hypothesis.find(sets(), fails, settings=settings, random=dice, database_key=self.key.encode())
            if schedule is not None and (ends := (self._ends_of(schedule) or frozenset()) - self.known):
                self._keep(schedule, ends)

    def _ends_of(self, schedule: Schedule) -> Ends | None:
        """Return the causes that a schedule shows, carried out once; None where not all of it was reached."""
        if schedule not in self._ends:
            came = self.truly(schedule)
            ends = [end for end in (came.judgement, came.again) if end is not None]
            shown = frozenset[Key]().union(*(self._keys(schedule, end) for end in ends))
            self._ends[schedule] = None if came.not_reached else shown
            if not came.not_reached:
                self._states.update(self.trials.view.fingerprint(p.end) for end in ends for p in end.executions)
                self._new[schedule] = came
                if not shown - self.known:
                    self._count()
        return self._ends[schedule]

    def _count(self, first: Schedule | None = None) -> None:
        """Count what was judged since the last time; of sets that fail alike the first is shown."""
        for schedule in sorted(self._new, key=lambda one: one != first):
            if len(schedule.injections) > 1:  # single ones were counted before
                self.findings.add(schedule, self._new[schedule].judgement, again=self._new[schedule].again)
        self._new.clear()

    def _keys(self, schedule: Schedule, judgement: Judgement) -> Ends:
        if not judgement.broken:
            return frozenset()
        return frozenset(key_of(one, self.sites) for one in self.findings.diagnose(schedule, judgement).own)

    def _keep(self, schedule: Schedule, ends: Ends) -> None:
        """Keep a failing set for the smallest of its parts that fails so, too."""
        rare("a drawn set of faults fails")
        small = next((part for part in _parts(schedule) if self._shows(part, ends)), schedule)
        for place in range(len(small.injections)):
            simpler = (_with(small, place, other) for other in self.pool.simpler(small.injections[place]))
            small = next((one for one in simpler if self._shows(one, ends)), small)
        self._count(first=small)
        self.known |= ends
        self.found()

    def _shows(self, schedule: Schedule, ends: Ends) -> bool:
        return bool((self._ends_of(schedule) or frozenset()) & ends)


def _with(schedule: Schedule, place: int, other: Injection) -> Schedule:
    injections = list(schedule.injections)
    injections[place] = other
    return Schedule(tuple(injections))


def _parts(schedule: Schedule) -> Iterator[Schedule]:
    """Yield the proper parts of a schedule that can come, the smallest first."""
    whole = schedule.injections
    for count in range(1, len(whole)):
        for part in combinations(whole, count):
            if not part[0].recovering:  # a recovery needs something to recover from
                yield Schedule(part)
