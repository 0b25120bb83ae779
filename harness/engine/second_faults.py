"""Try every second fault after a first: in the same run, and in the recovery from what a first one left."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from ..boundary.armed import Armed
from ..values.faults import Fault
from ..values.points import Point
from ..values.schedule import Injection, Schedule
from .judge import Judgement
from .lives import Lived
from .nodes import Node, Stage
from .pace import Pace
from .plan import CRASH, errors
from .singles import after, same_as_once
from .striking import Striking, Struck


class SecondFaults:
    """Carries out second faults; at depth 1 only those that damage what the recovery from a crash reads."""

    def __init__(self, pace: Pace, striking: Striking) -> None:
        self._pace, self._trials, self._closure, self._tally = pace, pace.trials, pace.closure, pace.tally
        self._striking = striking

    def all(self, struck: Sequence[Struck]) -> None:
        """Try every second fault: in the runs in which one struck, and in the recovery from what one can leave."""
        if self._trials.setting.depth < 2:
            self._read_again()
            return
        for one in struck:
            points = after(one.life, one.armed.injection)
            for _, armed in errors(points, one.life.effects, self._trials.setting.faults):
                self._pace.attempt(partial(self._striking.error, (one.armed,), armed))
        done: set[str] = set()
        while nodes := [node for node in self._after_one_fault() if node.key not in done]:
            done.update(node.key for node in nodes)
            for node in nodes:
                self._in_recovery(node, self._trials.setting.faults)
            self._pace.close_all(Stage.SECOND_FAULT)  # what is taken apart now has second faults of its own

    def _after_one_fault(self) -> list[Node]:
        """Return the nodes that were recovered from and that one fault can leave, or one that joined them."""
        found = {}
        for node in self._closure.nodes.values():
            recovered = node.joined or node
            if node.schedule.faults == 1 and recovered.lives:
                found[recovered.key] = recovered
        return list(found.values())

    def _read_again(self) -> None:
        """Damage what a recovery from a crash reads: what was kept for a crash is read after one, and seldom before."""
        faults = [fault for fault in self._trials.setting.faults if fault.rereads]
        for node in self._after_one_fault() if faults else ():
            if node.schedule.injections[0].fault == CRASH:
                self._in_recovery(node, faults)
        self._pace.close_all(Stage.SECOND_FAULT)

    def _in_recovery(self, node: Node, faults: Sequence[Fault]) -> None:
        last: tuple[Armed, Lived, Judgement] | None = None
        for injection, armed in self._errors_in_recovery(node, faults):
            schedule = node.schedule.then(injection)
            if last is not None and same_as_once(armed, last[0], last[1]):
                self._tally.count(schedule, last[2])
                continue
            came: list[tuple[Armed, Lived, Judgement]] = []
            self._pace.attempt(partial(self._fault_in_recovery, node, schedule, armed, came))
            last = came[0] if came else None

    def _errors_in_recovery(self, node: Node, faults: Sequence[Fault]) -> Iterator[tuple[Injection, Armed]]:
        points: Sequence[Point] = [point for life in node.lives for point in life.points]
        effects = {point: effect for life in node.lives for point, effect in life.effects.items()}
        for injection, armed in errors(points, effects, faults):
            recovering = replace(injection, recovering=True)
            yield recovering, replace(armed, injection=recovering)

    def _fault_in_recovery(
        self, node: Node, schedule: Schedule, armed: Armed, came: list[tuple[Armed, Lived, Judgement]]
    ) -> None:
        lives = self._trials.recovery.recover(node.world, trace=False, plan=(armed,))
        if not lives[-1].struck:
            self._tally.drifted.append(str(schedule))
            return
        struck = lives[-1]
        lives += self._trials.recovery.outlasted(struck, (armed,))
        healthy = None
        if not self._trials.recovery.is_over(lives[-1]):
            healthy = self._closure.settle(self._closure.add(lives[-1].end, schedule, Stage.SECOND_FAULT, follow=False))
        judgement = self._trials.judged(schedule, [*lives, *(healthy.recovery if healthy is not None else ())])
        self._closure.also_read(node, judgement.executions, then=healthy)
        self._tally.count(schedule, judgement)
        came.append((armed, struck, judgement))
