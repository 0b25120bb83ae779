"""Try every second fault after a first: in the same run, and in the recovery from what a first one left."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from ..boundary.resolved import ResolvedInjection
from ..values.faults import Fault
from ..values.points import Point
from ..values.schedule import Injection, Schedule
from .firing import Fired, Firing
from .judge import Judgement
from .nodes import Node, Stage
from .pace import Pace
from .plan import CRASH, errors
from .process_runs import ProcessRun
from .singles import after, same_as_once


class SecondFaults:
    """Carries out second faults; at depth 1 only those that damage what the recovery from a crash reads."""

    def __init__(self, pace: Pace, firing: Firing) -> None:
        self._pace, self._trials, self._closure, self._tally = pace, pace.trials, pace.space, pace.tally
        self._firing = firing

    def all(self, fired: Sequence[Fired]) -> None:
        """Try every second fault: in the runs in which one fired, and in the recovery from what one can leave."""
        if self._trials.config.depth < 2:
            self._read_again()
            return
        for one in fired:
            # Not merged by state: the process remembers the first fault, and its memory is part of what it does next.
            points = self._trials.config.points.of(after(one.process, one.resolved.injection))
            for _, resolved in errors(points, one.process.effects, self._trials.config.faults):
                self._pace.attempt(partial(self._firing.error, (one.resolved,), resolved))
        done: set[str] = set()
        while nodes := [node for node in self._after_one_fault() if node.key not in done]:
            done.update(node.key for node in nodes)
            for node in nodes:
                self._in_recovery(node, self._trials.config.faults)
            self._pace.close_all(Stage.SECOND_FAULT)  # what is taken apart now has second faults of its own

    def _after_one_fault(self) -> list[Node]:
        """Return the nodes that were recovered from and that one fault can leave, or one that joined them."""
        found = {}
        for node in self._closure.nodes.values():
            recovered = node.joined or node
            if node.schedule.faults == 1 and recovered.processes:
                found[recovered.key] = recovered
        return list(found.values())

    def _read_again(self) -> None:
        """Damage what a recovery from a crash reads: what was kept for a crash is read after one, and seldom before."""
        faults = [fault for fault in self._trials.config.faults if fault.rereads]
        for node in self._after_one_fault() if faults else ():
            if node.schedule.injections[0].fault == CRASH:
                self._in_recovery(node, faults)
        self._pace.close_all(Stage.SECOND_FAULT)

    def _in_recovery(self, node: Node, faults: Sequence[Fault]) -> None:
        last: tuple[ResolvedInjection, ProcessRun, Judgement] | None = None
        for injection, resolved in self._errors_in_recovery(node, faults):
            schedule = node.schedule.then(injection)
            if last is not None and same_as_once(resolved, last[0], last[1]):
                self._tally.count(schedule, last[2], merged=True)
                continue
            came: list[tuple[ResolvedInjection, ProcessRun, Judgement]] = []
            self._pace.attempt(partial(self._fault_in_recovery, node, schedule, resolved, came))
            last = came[0] if came else None

    def _errors_in_recovery(self, node: Node, faults: Sequence[Fault]) -> Iterator[tuple[Injection, ResolvedInjection]]:
        points: Sequence[Point] = [point for process in node.processes for point in process.points]
        effects = {point: effect for process in node.processes for point, effect in process.effects.items()}
        for injection, resolved in errors(self._trials.config.points.of(points), effects, faults):
            recovering = replace(injection, recovering=True)
            yield recovering, replace(resolved, injection=recovering)

    def _fault_in_recovery(
        self,
        node: Node,
        schedule: Schedule,
        resolved: ResolvedInjection,
        came: list[tuple[ResolvedInjection, ProcessRun, Judgement]],
    ) -> None:
        processes = self._trials.recovery.recover(node.raw_state, trace=False, plan=(resolved,))
        if not processes[-1].fired:
            self._pace.missed(schedule, processes)
            return
        fired = processes[-1]
        processes += self._trials.recovery.outlasted(fired, (resolved,))
        healthy = None
        if not self._trials.recovery.is_over(processes[-1]):
            healthy = self._closure.settle(
                self._closure.add(processes[-1].end, schedule, Stage.SECOND_FAULT, follow=False)
            )
        judgement = self._trials.judged(schedule, [*processes, *(healthy.recovery if healthy is not None else ())])
        self._closure.also_read(node, judgement.executions, then=healthy)
        self._tally.count(schedule, judgement)
        came.append((resolved, fired, judgement))
