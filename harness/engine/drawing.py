"""Draw sets of faults beyond pairs, for as long as was asked: at random, and by Hypothesis, led by new crash states.

Only what was drawn at random, each set by itself, bounds what is left: Hypothesis goes where something new was seen,
and learns from one set for the next. It also makes a failing set small, and keeps it in its example database.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from ..values.drawn import DrawnSets
from ..values.rare import rare
from ..values.schedule import Schedule
from .causes import Key, key_of
from .findings import Findings
from .replay import Judged
from .sets import Pool, parts, with_other
from .sites import Sites
from .trials import Trials

_BATCH = 200  # sets that Hypothesis tries before it begins with another seed
_MOST_KNOWN, _MOST_BATCHES = 1000, 3
"""So many draws in a row, and batches, bring nothing that was not carried out before: there is hardly anything left."""


@dataclass
class CarriedOut:
    """Sets that were carried out from the start, each once, and the causes that they show.

    Attributes:
        truly: carries a schedule out from the start.
        known: keys of the causes that need fewer faults, or were told by now.
        ends: the causes of each set; None where not all of it was reached.
        states: fingerprints of the states that its processes left.
    """

    trials: Trials
    findings: Findings
    sites: Sites
    truly: Callable[[Schedule], Judged]
    known: set[Key]
    ends: dict[Schedule, frozenset[Key] | None] = field(default_factory=dict)
    states: set[str] = field(default_factory=set)
    _failing: dict[Schedule, Judged] = field(default_factory=dict)

    def new(self, schedule: Schedule) -> frozenset[Key] | None:
        """Return the causes of a set that are not known yet; None where not all of it was reached."""
        if schedule not in self.ends:
            came = self.truly(schedule)
            shown = self.ends[schedule] = None if came.not_reached else self._shown(schedule, came)
            if shown is not None:
                self._failing[schedule] = came
            if shown is not None and shown <= self.known:
                self._count(schedule)
        found = self.ends[schedule]
        return None if found is None else found - self.known

    def shows(self, schedule: Schedule, causes: frozenset[Key]) -> bool:
        """Return whether a set shows one of these causes."""
        return bool((self.new(schedule) or frozenset()) & causes)

    def tell(self, schedule: Schedule, causes: frozenset[Key]) -> None:
        """Count the failing sets, this one first: it is the one that is shown for the causes, which are known now."""
        for one in sorted(self._failing, key=lambda one: one != schedule):
            self._count(one)
        self.known |= causes

    def _count(self, schedule: Schedule) -> None:
        came = self._failing.pop(schedule)
        if len(schedule.injections) > 1:  # single ones were counted before
            self.findings.add(schedule, came.judgement, again=came.again)

    def _shown(self, schedule: Schedule, came: Judged) -> frozenset[Key]:
        ends = [end for end in (came.judgement, came.again) if end is not None]
        self.states.update(self.trials.view.fingerprint(process.end) for end in ends for process in end.executions)
        broken = [end for end in ends if end.broken]
        return frozenset(key_of(one, self.sites) for end in broken for one in self.findings.diagnose(schedule, end).own)


class Drawing:
    """Draws sets of 2 to `most` faults of a pool.

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
        self.drawn = DrawnSets(most)

    def draw(self) -> None:
        """Draw until the time is spent, or nothing new comes; half of it at random."""
        seed = f"{self._carried_out.trials.config.seed}/{self._key}"
        half, dice = time.monotonic() + (self._until - time.monotonic()) / 2, Random(seed)
        self._repeat(half, _MOST_KNOWN, lambda _: self._one_at_random(dice))
        self._repeat(self._until, _MOST_BATCHES, lambda number: self._led(Random(f"{seed}/{number}")))

    def _repeat(self, until: float, most_known: int, work: Callable[[int], None]) -> None:
        """Do this until the time is spent, or nothing that was not known came of it so many times in a row."""
        number = known = 0
        while self._pool.size > 1 and time.monotonic() < until and known < most_known:
            before = len(self._carried_out.ends)
            work(number)
            number, known = number + 1, 0 if len(self._carried_out.ends) > before else known + 1

    def _one_at_random(self, dice: Random) -> None:
        schedule = self._pool.draw(dice.randint(2, self.drawn.most), dice.randrange)
        new = None if schedule is None else self._carried_out.new(schedule)
        if schedule is None or new is None:
            return
        self.drawn = replace(self.drawn, at_random=self.drawn.at_random + 1)
        if new:
            self.drawn = replace(self.drawn, failed=self.drawn.failed + 1)
            self._keep(schedule, new)

    def _led(self, dice: Random) -> None:
        """Let Hypothesis look for a set that fails in a new way, and make it small."""
        import hypothesis
        from hypothesis import strategies as st
        from hypothesis.errors import Flaky, NoSuchExample

        @st.composite
        def sets(draw: Callable[[Any], Any]) -> Schedule | None:
            return self._pool.draw(draw(st.integers(2, self.drawn.most)), lambda below: draw(st.integers(0, below - 1)))

        def fails(schedule: Schedule | None) -> bool:
            carried_out = self._carried_out
            if schedule is None:
                return False
            before = len(carried_out.states)
            if schedule not in carried_out.ends:
                if time.monotonic() > self._until:
                    return False
                self.drawn = replace(self.drawn, led=self.drawn.led + 1)
            new = carried_out.new(schedule)
            hypothesis.target(float(len(carried_out.states) - before), label="new crash states")
            return bool(new)

        settings = hypothesis.settings(max_examples=_BATCH, deadline=None)
        with suppress(NoSuchExample, Flaky):
            schedule = hypothesis.find(sets(), fails, settings=settings, random=dice, database_key=self._key.encode())
            if schedule is not None and (new := self._carried_out.new(schedule)):
                self._keep(schedule, new)

    def _keep(self, schedule: Schedule, causes: frozenset[Key]) -> None:
        """Keep a failing set for the smallest of its parts that fails so, too, in its plainest form."""
        rare("a drawn set of faults fails")
        carried_out = self._carried_out
        small = next((part for part in parts(schedule) if carried_out.shows(part, causes)), schedule)
        for place in range(len(small.injections)):
            plainer = (with_other(small, place, other) for other in self._pool.simpler(small.injections[place]))
            small = next((one for one in plainer if carried_out.shows(one, causes)), small)
        carried_out.tell(small, causes)
        self._found()
