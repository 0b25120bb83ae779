"""Carry out every schedule that was asked for: single faults, any number of crashes, at depth 2 every second fault."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ..boundary.armed import Armed
from ..values.points import Point
from ..values.schedule import Injection, Schedule
from .closure import Closure, Node
from .execute import Executor
from .findings import Findings
from .judge import Judge, Judgement
from .lens import Lens
from .lives import FIRST_STREAM, Lived, Sighting
from .observe import Baseline
from .orders import from_there_on, pair
from .plan import crash, errors, order
from .replay import needs_recovery, outlasted
from .setting import Setting


@dataclass(slots=True)
class _Struck:
    """What came of a fault that left its process alive."""

    armed: Armed
    life: Lived
    judgement: Judgement
    node: Node | None


@dataclass(slots=True)
class Schedules:
    """Carries schedules out, merging what no recovery can tell apart, and counts them.

    Attributes:
        skipped: how many were left out, by the name of the rule.
        deadline: `time.monotonic` after which schedules are left out; None for no limit.
    """

    setting: Setting
    executor: Executor
    lens: Lens
    judge: Judge
    baseline: Baseline
    closure: Closure
    findings: Findings
    drifted: list[str]
    deadline: float | None = None
    skipped: Counter[str] = field(default_factory=Counter)
    _number: int = 0

    def carry_out(self) -> None:
        """Carry all of them out, those of one fault first."""
        if self.setting.kill is not None:
            self._crashes((), self.baseline.first.sightings, Schedule(()))
        self._orders()
        struck = list(self._errors(()))
        if self.setting.depth > 1:
            for one in struck:
                self._after_an_error(one)
            self._in_recovery()

    def _mine(self) -> bool:
        """Say whether the next schedule belongs to this shard."""
        part, parts = self.setting.shard
        self._number += 1
        return self._number % parts == part % parts

    def _is_over(self, count: int = 1) -> bool:
        """Say whether the budget is spent; then `count` schedules are left out."""
        if self.deadline is None or time.monotonic() < self.deadline:
            return False
        self.skipped["budget"] += count
        return True

    def _crashes(self, plan: Sequence[Armed], sightings: Sequence[Sighting], before: Schedule) -> None:
        """Close over the crash at each sighting of a run in which `before` struck."""
        reached = []
        for sighting in sightings:
            if plan or self._mine():
                schedule = before.then(crash(sighting, recovering=False))
                reached.append((schedule, self.closure.add(sighting.world, schedule)))
        self._close()
        for schedule, key in reached:
            node = self.closure.nodes[key]
            self._count(schedule, node, node.judgement)

    def _close(self, *, follow: bool = True) -> None:
        """Let the closure grow to its end, or to the end of the budget."""
        for node in self.closure.run(follow=follow):
            if node.schedule.faults > 2 and node.judgement is not None:
                self.findings.add(node.schedule, node.judgement)
            for ordered in node.orders:
                self.findings.add(node.schedule.then(ordered.injection), ordered.judgement)
            if self._is_over(0):
                self.skipped["budget"] += self.closure.abandon()

    def _count(self, schedule: Schedule, node: Node | None, judgement: Judgement | None) -> None:
        """Count a judged schedule and, with it, each crash during its recovery."""
        if judgement is None:
            return
        self.findings.add(schedule, judgement)
        for between, sighting in node.seen if node is not None else ():
            inner = self.closure.nodes.get(self.lens.identity(sighting.world))
            if inner is not None and inner.judgement is not None:
                last = (*between, crash(sighting, recovering=True))
                self.findings.add(Schedule((*schedule.injections, *last)), inner.judgement)

    def _orders(self) -> None:
        """Try what was in flight together in the other order: how it ends, every crash, and faults of the two."""
        usual, tally = self.baseline.first, self.closure.tally
        self.closure.concurrent = any(flight.others for flight in usual.flights)
        for injection in tally.plan(usual):
            if not self._mine() or self._is_over():
                continue
            plan = (order(injection),)
            life = self.executor.live("run", self.baseline.initial, FIRST_STREAM, plan, trace=True)
            if not tally.came([life]):
                continue
            schedule = Schedule((injection,))
            self._judge_run(schedule, life)
            if self.setting.kill is not None:
                self._crashes(plan, from_there_on(life, usual, injection), schedule)
            if injection.when == "before" and not injection.variant:
                for _ in self._errors(plan, life, pair(life, usual, injection)):
                    pass

    def _judge_run(self, schedule: Schedule, life: Lived) -> None:
        """Judge a run that no fault struck."""
        lives, node = [life], None
        if needs_recovery(self.setting, life):
            node = self.closure.nodes[self.closure.add(life.end, schedule)]
            self._close()
            if node.judgement is None:
                return
            lives += node.lives
        self._count(schedule, node, self.judge.judge(lives))

    def _errors(
        self, first: tuple[Armed, ...], life: Lived | None = None, points: Sequence[Point] | None = None
    ) -> Iterator[_Struck]:
        """Try every fault that leaves the process alive, in a run in which `first` struck already, at these points.

        What leaves `run` joins the closure.
        """
        last: _Struck | None = None
        run = life or self.baseline.first
        if points is None:
            points = _after(run, first[-1].injection) if first else run.points
        for injection, armed in errors(points, run.effects, self.setting.faults):
            if (not first and not self._mine()) or self._is_over():
                continue
            schedule = Schedule((*(a.injection for a in first), injection))
            if last is not None and _same_as_once(armed, last.armed, last.life):
                self._count(schedule, last.node, last.judgement)
                continue
            last = self._error(schedule, (*first, replace(armed, position=len(first))))
            if last is not None:
                yield last

    def _error(self, schedule: Schedule, plan: tuple[Armed, ...]) -> _Struck | None:
        traced = self.setting.depth > schedule.faults
        life = self.executor.live("run", self.baseline.initial, FIRST_STREAM, plan, trace=traced)
        if len(life.struck) < len(plan):
            if schedule.faults < len(plan):
                self.closure.tally.skipped["held_in_vain"] += 1
            else:
                self.drifted.append(str(schedule))
            return None
        lives, node = [life, *outlasted(self.setting, self.judge, life, plan)], None
        if needs_recovery(self.setting, lives[-1]):
            node = self.closure.nodes[self.closure.add(lives[-1].end, schedule)]
            self._close(follow=schedule.faults == 1)
            if node.judgement is None:
                return None
            lives += node.lives
        judgement = self.judge.judge(lives)
        self._count(schedule, node if schedule.faults == 1 else None, judgement)
        return _Struck(plan[-1], life, judgement, node)

    def _after_an_error(self, one: _Struck) -> None:
        """Try every second fault in the same run: in the handler of the first, or in what went on after it."""
        first = one.armed.injection
        if self.setting.kill is not None:
            moments = [(s.point, s.when) for s in one.life.sightings]
            place = moments.index((first.point, first.when)) + 1 if (first.point, first.when) in moments else 0
            if one.armed.outlives:
                self._crashes_while_it_lasts(one.armed, one.life.sightings[place:])
            else:
                self._crashes((one.armed,), one.life.sightings[place:], Schedule((first,)))
        for _ in self._errors((one.armed,), one.life):
            pass

    def _crashes_while_it_lasts(self, armed: Armed, sightings: Sequence[Sighting]) -> None:
        """Crash at each sighting of a run in which something struck that the first recovery meets too."""
        judged: dict[str, Judgement | None] = {}
        begun = (replace(armed, position=0, begun=True),)
        for sighting in sightings:
            schedule = Schedule((armed.injection, crash(sighting, recovering=False)))
            key = self.lens.identity(sighting.world)
            if key not in judged:
                if self._is_over():
                    continue
                lives = self.judge.recover(sighting.world, trace=False, plan=begun)
                node = self.closure.nodes[self.closure.add(lives[-1].end, schedule)]
                self._close(follow=False)
                judged[key] = None if node.judgement is None else self.judge.judge([*lives, *node.lives])
            self._count(schedule, None, judged[key])

    def _in_recovery(self) -> None:
        """Try every fault in the recovery from each world that one fault can leave."""
        for node in [n for n in self.closure.nodes.values() if n.schedule.faults == 1]:
            last: tuple[Armed, Lived, Judgement] | None = None
            points = [point for life in node.lives for point in life.points]
            effects = {point: effect for life in node.lives for point, effect in life.effects.items()}
            for injection, armed in errors(points, effects, self.setting.faults):
                if self._is_over():
                    continue
                injection = replace(injection, recovering=True)
                armed = replace(armed, injection=injection)
                schedule = node.schedule.then(injection)
                if last is not None and _same_as_once(armed, last[0], last[1]):
                    self.findings.add(schedule, last[2])
                    continue
                last = self._fault_in_recovery(node, schedule, armed)

    def _fault_in_recovery(self, node: Node, schedule: Schedule, armed: Armed) -> tuple[Armed, Lived, Judgement] | None:
        lives = self.judge.recover(node.world, trace=False, plan=(armed,))
        if not lives[-1].struck:
            self.drifted.append(str(schedule))
            return None
        struck = lives[-1]
        lives += outlasted(self.setting, self.judge, struck, (armed,))
        healthy = self.closure.nodes[self.closure.add(lives[-1].end, schedule)]
        self._close(follow=False)
        if healthy.judgement is None:
            return None
        judgement = self.judge.judge([*lives, *healthy.lives])
        self.findings.add(schedule, judgement)
        return armed, struck, judgement


def _after(run: Lived, injection: Injection) -> Sequence[Point]:
    place = run.points.index(injection.point) + 1 if injection.point in run.points else len(run.points)
    return run.points[place:]


def _same_as_once(armed: Armed, other: Armed, life: Lived) -> bool:
    """Say whether a lasting fault can do nothing that it did not do once: its process reached no later point of it."""
    one, lasting = other.injection, armed.injection
    if one.lasting or not lasting.lasting or replace(one, lasting=True) != lasting or one.point not in life.points:
        return False
    return not any(armed.reaches(point) for point in _after(life, one))
