"""Carry every schedule out that was asked for, breadth first: what is likeliest is tried before what is deep."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ..boundary.armed import Armed
from ..values.faults import Fault
from ..values.media import medium_of
from ..values.points import Point
from ..values.schedule import Injection, Schedule
from . import worker
from .budget import OutOfTime
from .closure import Closure, Node, Stage
from .execute import How
from .families import Tried, breadth_first
from .findings import FirstFound
from .judge import Judgement
from .lives import FIRST_STREAM, Lived, Sighting, Tracing
from .orders import from_there_on, pair
from .plan import CRASH, crash, errors, order
from .singles import CrashState, SingleError, after, same_as_once, single_crashes
from .tallying import Tallying
from .trials import Trials

_RACES_FIRST = 10
"""So many other orders of the fault-free run are carried out before any fault; the others follow after single ones."""


@dataclass(slots=True)
class _Struck:
    """What came of a fault that left its process alive."""

    armed: Armed
    life: Lived
    judgement: Judgement
    node: Node | None
    again: Judgement | None = None


@dataclass(slots=True)
class Schedules:
    """Carries schedules out, merging what no recovery can tell apart, and counts them.

    Attributes:
        begin: is called when it is known how many single faults there are; may end it all as `between` does.
        between: is called after each schedule, to look at what was found; ends it all by raising FirstFound.
        skipped: how many were left out, by the name of the rule.
        tried: how many of each family's single faults were tried.
    """

    trials: Trials
    closure: Closure
    tally: Tallying
    tried: Tried
    between: Callable[[], None]
    begin: Callable[[], None]
    skipped: Counter[str] = field(default_factory=Counter)
    _stage: Stage = Stage.SINGLE
    _numbers: Counter[str] = field(default_factory=Counter)
    _once: dict[Injection, _Struck] = field(default_factory=dict)
    _struck: list[_Struck] = field(default_factory=list)
    _orders_of_run: list[Injection] = field(default_factory=list)
    _ordered: list[tuple[Injection, Lived]] = field(default_factory=list)
    _outliving: dict[tuple[str, ...], tuple[Armed, list[Sighting]]] = field(default_factory=dict)

    def carry_out(self) -> None:
        """Carry all of them out, stage by stage; what is left when the budget is spent is counted."""
        stages: dict[Stage, Callable[[], None]] = {
            Stage.SINGLE: self._singles,
            Stage.CRASH_IN_RECOVERY: lambda: self._close(Stage.CRASH_IN_RECOVERY),
            Stage.CRASH_AFTER_AN_ERROR: self._crashes_after_errors,
            Stage.ORDER: self._orders,
            Stage.REST: lambda: self._close_all(Stage.REST),
            Stage.SECOND_FAULT: self._second_faults,
        }
        telling = self.trials.executor.telling
        telling.work_on(self._working_on)
        try:
            for stage, work in stages.items():
                self._stage = stage
                work()
        except FirstFound:
            self.skipped["first_finding"] += self._left()
            self.closure.abandon()
        telling.work_on()
        unseen = self.trials.executor.noticed.unseen
        if unseen and self.trials.setting.kill is not None:
            self.skipped["budget"] += unseen
        self.tally.count_recoveries(self.closure)

    def _left(self) -> int:
        """Return how many schedules are known to be left."""
        singles = sum(planned - judged for judged, planned in self.tried.left_out().values())
        return singles + self.closure.waiting

    def _working_on(self, role: str) -> str:
        """Return what is going on, for people: what is tried, what runs, what is left, what keeps it going."""
        grows = f", grows with each restart: {', '.join(self.closure.growing)}" if self.closure.growing else ""
        return f"{self._stage.text}: {role}, {self._left()} left{grows}"

    def _mine(self, kind: str) -> bool:
        """Say whether the next schedule of a kind belongs to this shard; each kind is numbered by itself."""
        part, parts = self.trials.setting.shard
        self._numbers[kind] += 1
        return self._numbers[kind] % parts == part % parts

    def _attempt(self, work: Callable[[], object], count: int = 1) -> None:
        """Do a piece of work, or count it as left out where the budget does not last."""
        try:
            self.trials.executor.deadline.check()
            work()
        except OutOfTime:
            self.skipped["budget"] += count
        else:
            self.between()

    def _close(self, until: Stage) -> None:
        """Recover from all worlds that wait for this stage, or leave all out where the budget does not last."""
        try:
            for node in self.closure.run(until):
                self.tally.found(node)
                self.between()
                if until >= Stage.ORDER:
                    self._reorder(node)
        except OutOfTime:
            self.skipped["budget"] += self.closure.abandon()

    def _close_all(self, until: Stage) -> None:
        """Recover from all that waits, and from what turns out to be told apart by a later read."""
        self._close(until)
        while self.closure.take_apart():
            self._close(until)

    def _singles(self) -> None:
        """Try every fault once, at depth 2 with all that it leaves for a second one."""
        first = self.trials.baseline.first
        singles: list[CrashState | SingleError] = []
        if self.trials.setting.kill is not None:
            mine = [sighting for sighting in first.sightings if self._mine("crash")]
            singles += single_crashes(mine)
        found = errors(first.points, first.effects, self.trials.setting.faults)
        singles += [SingleError(armed) for _, armed in found if self._mine("error")]
        self.tried.plan(singles, first.unseen if self.trials.setting.kill is not None else 0)
        self.begin()
        self._orders_of_run = [i for i in self.closure.tally.plan(first) if self._mine("order")]
        for injection in self._orders_of_run[:_RACES_FIRST]:  # all else is compared with what they end like
            self._attempt(partial(self._order, injection))
        for single in breadth_first(singles):
            self._attempt(partial(self._single, single), single.count)

    def _single(self, single: CrashState | SingleError) -> None:
        if isinstance(single, SingleError):
            struck = self._error((), single.armed)
            if struck is not None and self.trials.setting.depth > 1:
                self._struck.append(struck)
            self.tried.judge(single)
            return
        node = self.closure.settle(self.closure.add(single.world, single.schedules[0]))
        for schedule in single.schedules:
            self.tally.count(schedule, node.judgement, node)
        self.tried.judge(single)

    def _error(self, first: tuple[Armed, ...], armed: Armed) -> _Struck | None:
        """Let a fault strike that leaves the process alive, in a run in which `first` strikes, and judge what comes.

        What leaves `run` joins the closure, and so does what a crash later in this run leaves.
        """
        schedule = Schedule((*(one.injection for one in first), armed.injection))
        once = self._once.pop(replace(armed.injection, lasting=False), None) if armed.injection.lasting else None
        if once is not None and not first and same_as_once(armed, once.armed, once.life):
            self.tally.count(schedule, once.judgement, once.node, once.again)
            return None
        struck = self._strike(schedule, (*first, replace(armed, position=len(first))))
        lasts = self.trials.setting.known[armed.injection.fault].lasting and not armed.injection.lasting
        if struck is not None and not first and lasts:
            self._once[armed.injection] = struck  # the lasting one comes next, and may do no more
        return struck

    def _strike(self, schedule: Schedule, plan: tuple[Armed, ...]) -> _Struck | None:
        follows = schedule.faults == 1
        traced = follows and (self.trials.setting.kill is not None or self.trials.setting.depth > 1)
        relayed = not all(medium_of(armed.injection.point.kind).in_process for armed in plan)
        trace: Tracing = "once struck" if traced and not relayed else traced
        life = self._run(plan, trace)
        if len(life.struck) < len(plan):
            if schedule.faults < len(plan):
                self.closure.tally.skipped["held_in_vain"] += 1
            else:
                self.tally.drifted.append(str(schedule))
            return None
        lives, node = [life, *self.trials.recovery.outlasted(life, plan)], None
        if self.trials.recovery.is_needed(lives[-1]):
            stage = Stage.SINGLE if follows else Stage.SECOND_FAULT
            key = self.closure.add(lives[-1].end, schedule, stage, follow=follows, left_by=life)
            node = self.closure.settle(key)
            lives += node.recovery
        judgement = self.trials.judged(schedule, lives)
        again = worker.judged(self.trials, life, plan, judgement)
        self.tally.count(schedule, judgement, node if follows else None, again)
        if traced and self.trials.setting.kill is not None:
            self._crashes_after(schedule, plan[-1], life)
        return _Struck(plan[-1], life, judgement, node, again)

    def _run(self, plan: tuple[Armed, ...], trace: Tracing) -> Lived:
        """Let the run meet a plan; where an error leaves it, its process is called again."""
        how = How(trace=trace, again=worker.again(self.trials, plan))
        return self.trials.executor.live("run", self.trials.baseline.initial, FIRST_STREAM, plan, how)

    def _crashes_after(self, schedule: Schedule, armed: Armed, life: Lived) -> None:
        """Let the worlds join the closure that a crash after an error leaves, in its handlers or later."""
        moments = [(s.point, s.when) for s in life.sightings]
        struck = (armed.injection.point, armed.injection.when)
        for sighting in life.sightings[moments.index(struck) + 1 if struck in moments else 0 :]:
            if armed.outlives:
                self._outliving.setdefault(self._outlived_by(armed, sighting), (armed, []))[1].append(sighting)
                continue
            crashed = schedule.then(crash(sighting, recovering=False))
            key = self.closure.add(sighting.world, crashed, Stage.CRASH_AFTER_AN_ERROR, left_by=life)
            self.tally.reached(key, crashed)

    def _outlived_by(self, armed: Armed, sighting: Sighting) -> tuple[str, ...]:
        """Return the same for crashes after which the first recovery meets the same fault, host and world."""
        injection = armed.injection
        host = injection.point.target.partition("/")[0]
        name = f"{injection.fault}.{injection.variant}"
        return name, injection.when, injection.point.kind, host, self.trials.lens.identity(sighting.world)

    def _crashes_after_errors(self) -> None:
        self._close(Stage.CRASH_AFTER_AN_ERROR)
        for armed, sightings in self._outliving.values():
            self._attempt(partial(self._crash_while_it_lasts, armed, sightings), len(sightings))

    def _crash_while_it_lasts(self, armed: Armed, sightings: Sequence[Sighting]) -> None:
        """Crash where one world is left, in a run in which something struck that the first recovery meets too."""
        sighting = sightings[0]
        schedule = Schedule((armed.injection, crash(sighting, recovering=False)))
        begun = (replace(armed, position=0, begun=True),)
        lives = self.trials.recovery.recover(sighting.world, trace=False, plan=begun)
        node = self.closure.settle(self.closure.add(lives[-1].end, schedule, Stage.REST, follow=False))
        judgement = self.trials.judged(schedule, [*lives, *node.recovery])
        for one in sightings:
            self.tally.count(Schedule((armed.injection, crash(one, recovering=False))), judgement)

    def _orders(self) -> None:
        """Try what was in flight together in the other order: how it ends, every crash, and faults of the two."""
        for injection in self._orders_of_run[_RACES_FIRST:]:
            self._attempt(partial(self._order, injection))
        for injection, life in self._ordered:
            self._attempt(partial(self._within_order, injection, life))
        for node in [n for n in self.closure.nodes.values() if n.lives]:
            self._attempt(partial(self._reorder, node))
        self._close(Stage.ORDER)

    def _reorder(self, node: Node) -> None:
        for ordered in self.closure.reorder(node):
            self.tally.count(node.schedule.then(ordered.injection), ordered.judgement)

    def _order(self, injection: Injection) -> None:
        """Let the run come in another order, without any fault."""
        plan, schedule = (order(injection),), Schedule((injection,))
        life = self._run(plan, True)
        if not self.closure.tally.came([life]):
            return
        lives = [life]
        if self.trials.recovery.is_needed(life):
            lives += self.closure.settle(self.closure.add(life.end, schedule, Stage.ORDER, left_by=life)).recovery
        judgement = self.trials.judged(schedule, lives)
        again = worker.judged(self.trials, life, plan, judgement)
        self.tally.count(schedule, judgement, again=again)
        self._ordered.append((injection, life))

    def _within_order(self, injection: Injection, life: Lived) -> None:
        """Try every crash in a run that came in another order, and faults of the two that changed places."""
        usual, plan, schedule = self.trials.baseline.first, (order(injection),), Schedule((injection,))
        if self.trials.setting.kill is not None:
            for sighting in from_there_on(life, usual, injection):
                crashed = schedule.then(crash(sighting, recovering=False))
                key = self.closure.add(sighting.world, crashed, Stage.ORDER, left_by=life)
                self.tally.reached(key, crashed)
        if injection.when == "before" and not injection.variant:
            for _, armed in errors(pair(life, usual, injection), life.effects, self.trials.setting.faults):
                self._error(plan, armed)

    def _second_faults(self) -> None:
        """Try every second fault: in the same run, and in the recovery from each world that one fault can leave."""
        if self.trials.setting.depth < 2:
            self._read_again()
            return
        for one in self._struck:
            points = after(one.life, one.armed.injection)
            for _, armed in errors(points, one.life.effects, self.trials.setting.faults):
                self._attempt(partial(self._error, (one.armed,), armed))
        done: set[str] = set()
        while nodes := [node for node in self.closure.after_one_fault() if node.key not in done]:
            done.update(node.key for node in nodes)
            for node in nodes:
                self._in_recovery(node, self.trials.setting.faults)
            self._close_all(Stage.SECOND_FAULT)  # what is taken apart now has second faults of its own

    def _read_again(self) -> None:
        """Damage what a recovery from a crash reads: what was kept for a crash is read after one, and seldom before."""
        faults = [fault for fault in self.trials.setting.faults if fault.rereads]
        for node in self.closure.after_one_fault() if faults else ():
            if node.schedule.injections[0].fault == CRASH:
                self._in_recovery(node, faults)
        self._close_all(Stage.SECOND_FAULT)

    def _in_recovery(self, node: Node, faults: Sequence[Fault]) -> None:
        last: tuple[Armed, Lived, Judgement] | None = None
        for injection, armed in self._errors_in_recovery(node, faults):
            schedule = node.schedule.then(injection)
            if last is not None and same_as_once(armed, last[0], last[1]):
                self.tally.count(schedule, last[2])
                continue
            came: list[tuple[Armed, Lived, Judgement]] = []
            self._attempt(partial(self._fault_in_recovery, node, schedule, armed, came))
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
        lives = self.trials.recovery.recover(node.world, trace=False, plan=(armed,))
        if not lives[-1].struck:
            self.tally.drifted.append(str(schedule))
            return
        struck = lives[-1]
        lives += self.trials.recovery.outlasted(struck, (armed,))
        healthy = None
        if not self.trials.recovery.is_over(lives[-1]):
            healthy = self.closure.settle(self.closure.add(lives[-1].end, schedule, Stage.SECOND_FAULT, follow=False))
        judgement = self.trials.judged(schedule, [*lives, *(healthy.recovery if healthy is not None else ())])
        self.closure.also_read(node, judgement.executions, then=healthy)
        self.tally.count(schedule, judgement)
        came.append((armed, struck, judgement))
