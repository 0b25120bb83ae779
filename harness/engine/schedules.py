"""Carry every schedule out that was asked for, breadth first: what is likeliest is tried before what is deep."""

from collections.abc import Callable
from functools import partial

from ..values.rare import rare
from .families import Tried, breadth_first
from .findings import FirstFound
from .firing import Fired, Firing
from .nodes import Stage
from .pace import Pace
from .reordering import Reordering
from .second_faults import SecondFaults
from .singles import Share, SingleCrash, SingleError, planned


class Schedules:
    """Runs all schedules, stage by stage; merges states that no recovery can tell apart, and counts.

    Args:
        tried: is told how many of each family's single faults were tried.
        begin: is called when it is known how many single faults there are; may end it all as `Pace.between` does.
    """

    def __init__(self, pace: Pace, tried: Tried, begin: Callable[[], None]) -> None:
        self._pace, self._tried, self._begin = pace, tried, begin
        self._trials, self._closure, self._tally = pace.trials, pace.space, pace.tally
        self._firing = Firing(pace)
        self._reordering = Reordering(pace, self._firing)
        self._fired: list[Fired] = []
        self._stage = Stage.SINGLE

    def carry_out(self) -> None:
        """Carry all of them out, stage by stage; what is left when the budget is spent is counted."""
        stages: dict[Stage, Callable[[], None]] = {
            Stage.SINGLE: self._singles,
            Stage.CRASH_IN_RECOVERY: lambda: self._pace.close(Stage.CRASH_IN_RECOVERY),
            Stage.CRASH_AFTER_AN_ERROR: self._firing.crashes_after_errors,
            Stage.INTERLEAVING: self._reordering.others,
            Stage.REST: lambda: self._pace.close_all(Stage.REST),
            Stage.SECOND_FAULT: lambda: SecondFaults(self._pace, self._firing).all(self._fired),
        }
        telling = self._trials.executor.telling
        telling.work_on(self._working_on)
        try:
            for stage, work in stages.items():
                self._stage = stage
                work()
        except FirstFound:
            rare("an exploration ends at its first finding")
            self._pace.skipped["first_finding"] += self._left()
            self._closure.abandon()
        telling.work_on()
        unseen = self._trials.executor.learned.noticed.unseen
        if unseen and self._trials.config.kill is not None:
            self._pace.skipped["budget"] += unseen
        self._tally.count_recoveries(self._closure)

    def _left(self) -> int:
        """Return the number of schedules that are known to be left."""
        singles = sum(planned - judged for judged, planned in self._tried.left_out().values())
        return singles + self._closure.waiting

    def _working_on(self, role: str) -> str:
        """Return the progress line: the stage, the running role, how many are left, and the names that grow."""
        growing = self._closure.rules.growing
        grows = f", grows with each restart: {', '.join(growing)}" if growing else ""
        return f"{self._stage.text}: {role}, {self._left()} left{grows}"

    def _singles(self) -> None:
        """Try every fault once, at depth 2 with all that it leaves for a second one."""
        first, mine = self._trials.baseline.first, Share(self._trials.config.shard)
        singles, places = planned(first, self._trials.config, mine)
        self._tried.find_places(places)
        self._tried.plan(singles, first.unseen if self._trials.config.kill is not None else 0)
        self._begin()
        # Before all faults: what they do is compared with the fault-free run, and that is one throw of several if two
        # interleavings end differently.
        self._reordering.races([i for i in self._closure.interleaving_budget.plan(first) if mine.has_next("order")])
        for single in breadth_first(singles):
            self._pace.attempt(partial(self._single, single), single.count)

    def _single(self, single: SingleCrash | SingleError) -> None:
        if isinstance(single, SingleError):
            fired = self._firing.error((), single.resolved)
            if fired is not None and self._trials.config.depth > 1:
                self._fired.append(fired)
            self._tried.judge(single)
            return
        node = self._closure.settle(self._closure.add(single.raw_state, single.schedules[0]))
        for schedule in single.schedules:
            self._tally.count(schedule, node.judgement, node, merged=not node.was_carried_out(schedule))
        self._tried.judge(single)
