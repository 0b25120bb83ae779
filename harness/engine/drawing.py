"""Draw sets of faults beyond pairs, for as long as was asked: at random, and by Hypothesis, led by new crash states.

Only what was drawn at random, each set by itself, bounds what is left: Hypothesis goes where something new was seen,
and learns from one set for the next. It also makes a failing set small, and keeps it in its example database.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import takewhile
from random import Random
from typing import Any

from ..values.drawn import DrawnSets
from ..values.rare import rare
from ..values.real_time import SHRINKING_S
from ..values.schedule import Schedule
from .causes import Key, key_of
from .findings import Findings
from .judge import Judgement
from .plan import fits
from .replay import Judged
from .sets import Pool, parts, with_other
from .sites import Sites
from .trials import Trials

_BATCH = 200  # sets that Hypothesis tries before it begins with another seed
_MOST_KNOWN = 1000  # draws in a row that bring nothing that was not carried out before: hardly anything is left
_MOST_BATCHES = 3  # batches of which the same is true


@dataclass
class CarriedOut:
    """Sets that were carried out from the start, each once, and the causes that they show.

    Attributes:
        truly: carries a schedule out from the start.
        by_few: keys of the causes that one error at most shows, with crashes or without.
        told: keys of the causes that take more, and were told by now.
        ends: the causes of each set; None where not all of it was reached, or it could not be judged.
        cut: of a broken set that was not reached as a whole the part that was.
        states: fingerprints of the states that its processes left.
    """

    trials: Trials
    findings: Findings
    sites: Sites
    truly: Callable[[Schedule], Judged]
    by_few: set[Key]
    told: set[Key]
    ends: dict[Schedule, frozenset[Key] | None] = field(default_factory=dict)
    cut: dict[Schedule, Schedule] = field(default_factory=dict)
    states: set[str] = field(default_factory=set)
    _failing: dict[Schedule, Judged] = field(default_factory=dict)

    def beyond(self, schedule: Schedule) -> frozenset[Key] | None:
        """Return the causes of a set that one error does not show; None where nothing can be said of it."""
        config, first = self.trials.config, self.trials.baseline.first
        if schedule not in self.ends and not fits(schedule, config.known, first.effects):
            self.ends[schedule] = None  # of a recovery that was asked for something else than the run
        if schedule not in self.ends:
            came = self.truly(schedule)
            ends = [end for end in (came.judgement, came.again) if end is not None]
            is_judged = not came.not_reached and not any(end.errors for end in ends)
            shown = self.ends[schedule] = self._shown(schedule, ends) if is_judged else None
            if came.not_reached and came.judgement.broken:
                self.cut[schedule] = Schedule(
                    tuple(one for one in schedule.injections if str(one) not in came.not_reached)
                )
            if shown is not None:
                self._failing[schedule] = came
            if shown is not None and shown <= self.by_few | self.told:
                self._count(schedule)
        found = self.ends[schedule]
        return None if found is None else found - self.by_few

    def failing(self, schedule: Schedule) -> tuple[Schedule, frozenset[Key]] | None:
        """Return a set, or the part of it that was reached, with the causes that are new in it; None if none is."""
        if self.beyond(schedule) is None and schedule in self.cut:
            schedule = self.cut[schedule]
            if schedule.is_enumerated or schedule.injections[0].recovering:
                return None
        new = (self.beyond(schedule) or frozenset()) - self.told
        return (schedule, new) if new else None

    def shows(self, schedule: Schedule, causes: frozenset[Key]) -> bool:
        """Return whether a set shows one of these causes."""
        return bool((self.beyond(schedule) or frozenset()) & causes)

    def tell(self, schedule: Schedule, causes: frozenset[Key]) -> None:
        """Count the failing sets, this one first: it is the one that is shown for the causes, which are known now."""
        (self.by_few if schedule.is_enumerated else self.told).update(causes)
        self.count_all(first=schedule)

    def count_all(self, first: Schedule | None = None) -> None:
        """Count the failing sets that were not counted yet."""
        for one in sorted(self._failing, key=lambda one: one != first):
            self._count(one)

    def _count(self, schedule: Schedule) -> None:
        came = self._failing.pop(schedule)
        if len(schedule.injections) > 1 or schedule not in self.findings.ended:  # others were counted before
            self.findings.add(schedule, came.judgement, again=came.again)

    def _shown(self, schedule: Schedule, ends: Sequence[Judgement]) -> frozenset[Key]:
        self.states.update(self.trials.view.fingerprint(process.end) for end in ends for process in end.executions)
        broken = [end for end in ends if end.broken]
        return frozenset(key_of(one, self.sites) for end in broken for one in self.findings.diagnose(schedule, end).own)


class Drawing:
    """Draws sets of 2 to `most` faults of a pool, and single ones with edits, which are not enumerated.

    Args:
        found: looks at what was found, as soon as it is.
        until: the value of `time.monotonic` at which the time is spent.
        key: of the example database, for this exploration.

    Attributes:
        drawn: the counts so far.
    """

    def __init__(
        self, carried_out: CarriedOut, pool: Pool, most: int, found: Callable[[], None], until: float, key: str
    ) -> None:
        self._carried_out, self._pool, self._found, self._until, self._key = carried_out, pool, found, until, key
        self.drawn = DrawnSets(most, least=1 if pool.has_edits else 2)

    def draw(self) -> None:
        """Draw until the time is spent, or nothing new comes; half of it at random."""
        config = self._carried_out.trials.config
        seed = f"{config.seed}/{config.shard[0]}/{self._key}"  # shards draw each their own, so that they add up
        half, dice = time.monotonic() + (self._until - time.monotonic()) / 2, Random(seed)
        self._repeat(half, _MOST_KNOWN, lambda _: self._one_at_random(dice))
        self._repeat(self._until, _MOST_BATCHES, lambda number: self._led(Random(f"{seed}/{number}")))
        self._carried_out.count_all()
        self._found()

    def _repeat(self, until: float, most_known: int, work: Callable[[int], None]) -> None:
        """Do this until the time is spent, or nothing that was not known came of it so many times in a row."""
        number = known = 0
        while self._pool.size >= self.drawn.least and time.monotonic() < until and known < most_known:
            before = len(self._carried_out.ends)
            work(number)
            number, known = number + 1, 0 if len(self._carried_out.ends) > before else known + 1

    def _one_at_random(self, dice: Random) -> None:
        count, carried_out = dice.randint(self.drawn.least, self.drawn.most), self._carried_out
        schedule = self._pool.draw(count, dice.randrange)
        if schedule is None:
            return
        if (failing := carried_out.failing(schedule)) is not None:
            self._keep(*failing)
        beyond = carried_out.beyond(schedule)  # after that: by then it is known whether one of its faults does it alone
        if beyond is not None:
            drawn = self.drawn
            edited = drawn.edited + schedule.has_edits
            failed = drawn.failed + bool(beyond)
            self.drawn = replace(drawn, at_random=drawn.at_random + 1, edited=edited, failed=failed)

    def _led(self, dice: Random) -> None:
        """Search for a set that fails in a new way by Hypothesis, which also makes it small."""
        import hypothesis
        from hypothesis import Phase
        from hypothesis import strategies as st
        from hypothesis.errors import Flaky, NoSuchExample

        @st.composite
        def sets(draw: Callable[[Any], Any]) -> Schedule | None:
            count = draw(st.integers(self.drawn.least, self.drawn.most))
            return self._pool.draw(count, lambda below: draw(st.integers(0, below - 1)))

        def fails(schedule: Schedule | None) -> bool:
            carried_out = self._carried_out
            if schedule is None:
                return False
            before = len(carried_out.states)
            if schedule not in carried_out.ends:
                if time.monotonic() > self._until:
                    return False
                self.drawn = replace(self.drawn, led=self.drawn.led + 1)
            failing = carried_out.failing(schedule)
            hypothesis.target(float(len(carried_out.states) - before), label="new crash states")
            return failing is not None

        # Without the phase that explains: it draws more sets, under a tracer.
        phases = (Phase.reuse, Phase.generate, Phase.target, Phase.shrink)
        settings = hypothesis.settings(max_examples=_BATCH, deadline=None, phases=phases)
        with suppress(NoSuchExample, Flaky):
            schedule = hypothesis.find(sets(), fails, settings=settings, random=dice, database_key=self._key.encode())
            failing = None if schedule is None else self._carried_out.failing(schedule)
            if failing is not None:
                self._keep(*failing)

    def _keep(self, schedule: Schedule, causes: frozenset[Key]) -> None:
        """Keep a failing set for the smallest of its parts that fails so, too, in its plainest form.

        When the time is over by a while, for the smallest that is known by then.
        """
        rare("a drawn set of faults fails")
        small, before = self._smallest(schedule, causes), None
        while small != before:
            before = small
            for place, one in enumerate(small.injections):
                others = self._pool.simpler(one, alone=len(small.injections) == 1)
                small = self._first((with_other(small, place, other) for other in others), causes) or small
            small = self._smallest(small, causes)
        self._carried_out.tell(small, causes)
        self._found()

    def _smallest(self, schedule: Schedule, causes: frozenset[Key]) -> Schedule:
        return self._first(parts(schedule), causes) or schedule

    def _first(self, schedules: Iterable[Schedule], causes: frozenset[Key]) -> Schedule | None:
        """Return the first that shows one of these causes, as far as there is time to look."""
        lasts = takewhile(lambda _: time.monotonic() < self._until + SHRINKING_S, schedules)
        return next((one for one in lasts if self._carried_out.shows(one, causes)), None)
