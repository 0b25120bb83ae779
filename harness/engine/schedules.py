"""Carry every schedule out that was asked for, breadth first: what is likeliest is tried before what is deep."""

from collections.abc import Callable
from functools import partial

from ..values.rare import rare
from .families import Tried, breadth_first
from .findings import FirstFound
from .nodes import Stage
from .pace import Pace
from .plan import errors
from .reordering import Reordering
from .second_faults import SecondFaults
from .singles import CrashState, Share, SingleError, single_crashes
from .striking import Striking, Struck


class Schedules:
    """Carries schedules out, merging what no recovery can tell apart, and counts them.

    Args:
        tried: is told how many of each family's single faults were tried.
        begin: is called when it is known how many single faults there are; may end it all as `Pace.between` does.
    """

    def __init__(self, pace: Pace, tried: Tried, begin: Callable[[], None]) -> None:
        self._pace, self._tried, self._begin = pace, tried, begin
        self._trials, self._closure, self._tally = pace.trials, pace.closure, pace.tally
        self._striking = Striking(pace)
        self._reordering = Reordering(pace, self._striking)
        self._struck: list[Struck] = []
        self._stage = Stage.SINGLE

    def carry_out(self) -> None:
        """Carry all of them out, stage by stage; what is left when the budget is spent is counted."""
        stages: dict[Stage, Callable[[], None]] = {
            Stage.SINGLE: self._singles,
            Stage.CRASH_IN_RECOVERY: lambda: self._pace.close(Stage.CRASH_IN_RECOVERY),
            Stage.CRASH_AFTER_AN_ERROR: self._striking.crashes_after_errors,
            Stage.ORDER: self._reordering.others,
            Stage.REST: lambda: self._pace.close_all(Stage.REST),
            Stage.SECOND_FAULT: lambda: SecondFaults(self._pace, self._striking).all(self._struck),
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
        if unseen and self._trials.setting.kill is not None:
            self._pace.skipped["budget"] += unseen
        self._tally.count_recoveries(self._closure)

    def _left(self) -> int:
        """Return how many schedules are known to be left."""
        singles = sum(planned - judged for judged, planned in self._tried.left_out().values())
        return singles + self._closure.waiting

    def _working_on(self, role: str) -> str:
        """Return what is going on, for people: what is tried, what runs, what is left, what keeps it going."""
        growing = self._closure.rules.growing
        grows = f", grows with each restart: {', '.join(growing)}" if growing else ""
        return f"{self._stage.text}: {role}, {self._left()} left{grows}"

    def _singles(self) -> None:
        """Try every fault once, at depth 2 with all that it leaves for a second one."""
        first, mine = self._trials.baseline.first, Share(self._trials.setting.shard)
        singles: list[CrashState | SingleError] = []
        if self._trials.setting.kill is not None:
            singles += single_crashes([sighting for sighting in first.sightings if mine.has_next("crash")])
        found = errors(first.points, first.effects, self._trials.setting.faults)
        singles += [SingleError(armed) for _, armed in found if mine.has_next("error")]
        self._tried.plan(singles, first.unseen if self._trials.setting.kill is not None else 0)
        self._begin()
        self._reordering.races([i for i in self._closure.tally.plan(first) if mine.has_next("order")])
        for single in breadth_first(singles):
            self._pace.attempt(partial(self._single, single), single.count)

    def _single(self, single: CrashState | SingleError) -> None:
        if isinstance(single, SingleError):
            struck = self._striking.error((), single.armed)
            if struck is not None and self._trials.setting.depth > 1:
                self._struck.append(struck)
            self._tried.judge(single)
            return
        node = self._closure.settle(self._closure.add(single.world, single.schedules[0]))
        for schedule in single.schedules:
            self._tally.count(schedule, node.judgement, node)
        self._tried.judge(single)
