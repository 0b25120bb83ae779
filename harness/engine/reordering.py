"""Try other interleavings than the usual one: how each ends, crashes in it, and faults at its two points."""

from functools import partial

from ..values.schedule import Injection, Schedule
from . import worker
from .firing import Firing
from .interleavings import from_there_on, pair
from .nodes import Stage
from .pace import Pace
from .plan import crash, errors, reorder
from .process_runs import ProcessRun

_RACES_FIRST = 10
"""So many other orders of the fault-free run are carried out before any fault; the others follow after single ones."""


class Reordering:
    """Carries out the other interleavings of the fault-free run, and then those of recoveries."""

    def __init__(self, pace: Pace, firing: Firing) -> None:
        self._pace, self._trials, self._closure, self._tally = pace, pace.trials, pace.space, pace.tally
        self._firing = firing
        self._planned: list[Injection] = []
        self._interleaved: list[tuple[Injection, ProcessRun]] = []

    def races(self, planned: list[Injection]) -> None:
        """Try the first of the orders that are planned: all else is compared with what they end like."""
        self._planned = planned
        for injection in planned[:_RACES_FIRST]:
            self._pace.attempt(partial(self._interleave, injection))

    def others(self) -> None:
        """Try each other interleaving: how it ends, every crash in it, and faults at its two points."""
        for injection in self._planned[_RACES_FIRST:]:
            self._pace.attempt(partial(self._interleave, injection))
        for injection, process in self._interleaved:
            self._pace.attempt(partial(self._within_interleaving, injection, process))
        for node in [n for n in self._closure.nodes.values() if n.processes]:
            self._pace.attempt(partial(self._pace.reorder, node))
        self._pace.close(Stage.INTERLEAVING)

    def _interleave(self, injection: Injection) -> None:
        """Carry out the run in another interleaving, without any fault."""
        plan, schedule = (reorder(injection),), Schedule((injection,))
        process = self._firing.run(plan, True)
        if not self._closure.interleaving_budget.came([process]):
            return
        processes = [process]
        if self._trials.recovery.is_needed(process):
            processes += self._closure.settle(
                self._closure.add(process.end, schedule, Stage.INTERLEAVING, left_by=process)
            ).recovery
        judgement = self._trials.judged(schedule, processes)
        again = worker.judged(self._trials, process, plan, judgement)
        self._tally.count(schedule, judgement, again=again)
        self._interleaved.append((injection, process))

    def _within_interleaving(self, injection: Injection, process: ProcessRun) -> None:
        """Try every crash in an interleaving, and faults at the two points that changed places."""
        usual, plan, schedule = self._trials.baseline.first, (reorder(injection),), Schedule((injection,))
        config = self._trials.config
        for crash_state in config.killed_at(from_there_on(process, usual, injection)):
            crashed = schedule.then(crash(crash_state, recovering=False))
            key = self._closure.add(crash_state.raw_state, crashed, Stage.INTERLEAVING, left_by=process)
            self._tally.reached(key, crashed)
        # Only where just two effects changed places: they are the ones whose order the fault may meet.
        if injection.when == "before" and not injection.variant:
            points = config.points.of(pair(process, usual, injection))
            for _, resolved in errors(points, process.effects, config.faults):
                self._firing.error(plan, resolved)
