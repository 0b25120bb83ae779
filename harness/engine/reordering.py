"""Try effects in flight together in another order than the usual one: how it ends, crashes, and faults of the two."""

from functools import partial

from ..values.schedule import Injection, Schedule
from . import worker
from .lives import Lived
from .nodes import Stage
from .orders import from_there_on, pair
from .pace import Pace
from .plan import crash, errors, order
from .striking import Striking

_RACES_FIRST = 10
"""So many other orders of the fault-free run are carried out before any fault; the others follow after single ones."""


class Reordering:
    """Carries out the other orders of the fault-free run, and then those of recoveries."""

    def __init__(self, pace: Pace, striking: Striking) -> None:
        self._pace, self._trials, self._closure, self._tally = pace, pace.trials, pace.closure, pace.tally
        self._striking = striking
        self._planned: list[Injection] = []
        self._ordered: list[tuple[Injection, Lived]] = []

    def races(self, planned: list[Injection]) -> None:
        """Try the first of the orders that are planned: all else is compared with what they end like."""
        self._planned = planned
        for injection in planned[:_RACES_FIRST]:
            self._pace.attempt(partial(self._order, injection))

    def others(self) -> None:
        """Try what was in flight together in the other order: how it ends, every crash, and faults of the two."""
        for injection in self._planned[_RACES_FIRST:]:
            self._pace.attempt(partial(self._order, injection))
        for injection, life in self._ordered:
            self._pace.attempt(partial(self._within_order, injection, life))
        for node in [n for n in self._closure.nodes.values() if n.lives]:
            self._pace.attempt(partial(self._pace.reorder, node))
        self._pace.close(Stage.ORDER)

    def _order(self, injection: Injection) -> None:
        """Let the run come in another order, without any fault."""
        plan, schedule = (order(injection),), Schedule((injection,))
        life = self._striking.run(plan, True)
        if not self._closure.tally.came([life]):
            return
        lives = [life]
        if self._trials.recovery.is_needed(life):
            lives += self._closure.settle(self._closure.add(life.end, schedule, Stage.ORDER, left_by=life)).recovery
        judgement = self._trials.judged(schedule, lives)
        again = worker.judged(self._trials, life, plan, judgement)
        self._tally.count(schedule, judgement, again=again)
        self._ordered.append((injection, life))

    def _within_order(self, injection: Injection, life: Lived) -> None:
        """Try every crash in a run that came in another order, and faults of the two that changed places."""
        usual, plan, schedule = self._trials.baseline.first, (order(injection),), Schedule((injection,))
        if self._trials.setting.kill is not None:
            for sighting in from_there_on(life, usual, injection):
                crashed = schedule.then(crash(sighting, recovering=False))
                key = self._closure.add(sighting.world, crashed, Stage.ORDER, left_by=life)
                self._tally.reached(key, crashed)
        if injection.when == "before" and not injection.variant:
            for _, armed in errors(pair(life, usual, injection), life.effects, self._trials.setting.faults):
                self._striking.error(plan, armed)
