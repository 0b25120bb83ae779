"""One exploration from its fault-free run to its statement."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from ..boundary.gate import Armed
from ..values.exploration import Exploration, Finding
from ..values.schedule import Schedule
from . import brute
from .closure import Closure, Node
from .execute import FIRST_STREAM, Executor, Lived
from .findings import Failure, Findings, finding, signature
from .judge import Judge, Judgement
from .lens import Lens
from .observe import Baseline, observe
from .plan import crash, errors
from .replay import judged, needs_recovery
from .setting import Setting
from .statement import statement

_PATIENCE_FACTOR = 50


class NothingSelected(Exception):
    """The selection of faults leaves nothing to do here."""


class Explorer:
    """Explores one setting. When it is done, the outside is as a fault-free run leaves it, or as before."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.executor = Executor(setting)
        self.lens = Lens(setting, self.executor)
        self.findings = Findings()
        self.drifted: list[str] = []
        self.flaky: list[str] = []
        self.audited = self.mismatches = 0

    def explore(self, *, reduce: bool = True) -> Exploration:
        """Explore everything that was selected."""
        return self._within(lambda: self._explore(reduce))

    def replay(self, schedule: Schedule) -> Exploration:
        """Carry out just this schedule, truly."""
        return self._within(lambda: self._replay(schedule))

    def _within(self, work: Callable[[], Exploration]) -> Exploration:
        began = time.monotonic()
        initial = self.executor.capture(0.0)
        put_back = self.executor.prepare()
        try:
            result = work()
        except BaseException:
            self.executor.restore(initial)
            raise
        finally:
            put_back()
        self.executor.restore(self.baseline.initial if _failed(result) else self.baseline.done)
        self._restore_logs()
        return replace(result, seconds=time.monotonic() - began)

    def _observe(self, *, merge: bool = True) -> None:
        began = time.monotonic()
        self.baseline: Baseline = observe(self.setting, self.executor, self.lens)
        self.executor.patience_s = max(10.0, _PATIENCE_FACTOR * (time.monotonic() - began))
        self.judge = Judge(self.setting, self.executor, self.lens, self.baseline, merge=merge)

    def _restore_logs(self) -> None:
        for twin, requests in zip(self.setting.twins, self.baseline.requests, strict=True):
            twin.requests = list(requests)

    def _explore(self, reduce: bool) -> Exploration:
        self._observe(merge=reduce)
        closure = Closure(self.setting, self.judge, self.lens)
        if reduce:
            self._crashes(closure)
            self._errors(closure)
            self._audit(closure)
        else:
            self._brute_force()
        if not self.findings.schedules:
            raise NothingSelected
        result = self._result(closure, reduce)
        text = statement(
            result,
            crashes=self.setting.kill is not None,
            cut_at=closure.cut_at_crashes,
            reduced=reduce,
            mismatches=self.mismatches,
        )
        return replace(result, statement=text)

    def _crashes(self, closure: Closure) -> None:
        """Close over every crash of the fault-free run."""
        if self.setting.kill is None:
            return
        first = self.baseline.first
        reached = []
        for sighting in first.sightings:
            schedule = Schedule((crash(sighting, recovering=False),))
            reached.append((schedule, closure.add(sighting.world, schedule, 1)))
        self._close(closure)
        for schedule, key in reached:
            self._count(schedule, closure.nodes[key])

    def _close(self, closure: Closure) -> None:
        """Let the closure grow to its end; crashes in recovery count where their recovery started."""
        for node in closure.run():
            if node.schedule.injections[-1].recovering and node.judgement is not None:
                self.findings.add(node.schedule, node.judgement)

    def _count(self, schedule: Schedule, node: Node) -> None:
        assert node.judgement is not None
        self.findings.add(schedule, node.judgement)
        self.findings.schedules += len(node.lives[0].sightings)

    def _errors(self, closure: Closure) -> None:
        """Try every fault that leaves the process alive; what leaves `run` joins the closure."""
        once: tuple[Armed, Lived, Judgement, int] | None = None
        for injection, armed in errors(self.baseline.first, self.setting.faults):
            schedule = Schedule((injection,))
            if once is not None and _same_as_once(armed, once[0], once[1]):
                self.findings.add(schedule, once[2])
                self.findings.schedules += once[3]
                continue
            life = self.executor.live("run", self.baseline.initial, FIRST_STREAM, [armed])
            if not life.struck:
                self.drifted.append(str(schedule))
                continue
            lives, inner = [life], 0
            if needs_recovery(self.setting, life):
                node = closure.nodes[closure.add(life.end, schedule, 0)]
                self._close(closure)
                lives, inner = [life, *node.lives], len(node.lives[0].sightings)
            judgement = self.judge.judge(lives)
            self.findings.add(schedule, judgement)
            self.findings.schedules += inner
            once = (armed, life, judgement, inner)

    def _brute_force(self) -> None:
        arguments = (self.setting, self.executor, self.judge, self.baseline)
        if self.setting.kill is not None:
            for schedule, judgement in brute.crashes(*arguments):
                self.findings.add(schedule, judgement)
        for injection, armed in errors(self.baseline.first, self.setting.faults):
            schedule = Schedule((injection,))
            lives = [self.executor.live("run", self.baseline.initial, FIRST_STREAM, [armed])]
            if not lives[0].struck:
                self.drifted.append(str(schedule))
                continue
            if needs_recovery(self.setting, lives[0]):
                lives += self.judge.recover(lives[0].end, trace=self.setting.kill is not None)
            self.findings.add(schedule, self.judge.judge(lives))
            for double, judgement in brute.second_crashes(*arguments, schedule, lives):
                self.findings.add(double, judgement)

    def _audit(self, closure: Closure) -> None:
        """Run a sample of merged schedules unmerged: they must break what their merged twin broke, and nothing else."""
        if self.setting.kill is None:
            return
        merged = []
        for sighting in self.baseline.first.sightings:
            node = closure.nodes[self.lens.identity(sighting.world)]
            first = Schedule((crash(sighting, recovering=False),))
            inner = [s for s in node.lives[0].sightings if self.lens.identity(s.world) in closure.nodes]
            merged += [(first, node)] if node.schedule != first else []
            merged += [
                (first.then(crash(s, recovering=True)), closure.nodes[self.lens.identity(s.world)]) for s in inner
            ]
        dice = random.Random(self.setting.seed)
        for schedule, node in dice.sample(merged, min(self.setting.audit, len(merged))):
            self.audited += 1
            truly, drifted = self._truly(schedule)
            assert node.judgement is not None
            if drifted or truly.invariants != node.judgement.invariants:
                self.mismatches += 1
                self.findings.errors[
                    f"audit: {schedule} truly breaks {list(truly.invariants)}, its merged twin "
                    f"{list(node.judgement.invariants)}"
                ] = None

    def _truly(self, schedule: Schedule) -> tuple[Judgement, list[str]]:
        return judged(self.setting, self.executor, self.judge, schedule, self.baseline.initial, self.baseline.first)

    def _confirmed(self) -> Iterator[tuple[Failure, Judgement]]:
        """Carry every failure out once more, truly; what does not repeat is flaky, not a violation."""
        for failure in sorted(self.findings.failures.values(), key=lambda f: len(f.schedule.injections)):
            truly, drifted = self._truly(failure.schedule)
            if drifted or truly.invariants != failure.judgement.invariants:
                self.flaky.append(
                    f"{failure.schedule}: first {list(failure.judgement.invariants)}, "
                    f"then {list(truly.invariants) or 'nothing'}"
                )
            else:
                yield failure, truly

    def _finding(self, failure: Failure, judgement: Judgement) -> Finding:
        expected, actual = self.lens.world(self.baseline.done), self.lens.world(judgement.end)
        return finding(failure, judgement, expected, actual, self.setting.secrets)

    def _result(self, closure: Closure, reduce: bool) -> Exploration:
        seen: set[object] = set()
        violations = []
        for failure, truly in self._confirmed():
            if signature(truly) not in seen:
                seen.add(signature(truly))
                violations.append(self._finding(failure, truly))
        skipped = {"max_worlds": closure.left_out} if closure.left_out else {}
        first = self.baseline.first
        return Exploration(
            points=len(first.points),
            schedules=self.findings.schedules,
            executions=self.executor.executions,
            worlds=len(closure.nodes),
            closed=reduce and closure.closed and self.setting.kill is not None,
            skipped=skipped,
            drifted=tuple(self.drifted),
            unintercepted=tuple(first.unintercepted),
            unwatched=_still_there(first.unwatched),
            masked=self.lens.masks.lines(),
            audited=self.audited,
            violations=tuple(violations),
            flaky=tuple(self.flaky),
            errors=tuple(self.findings.errors),
            cells=self.findings.table(),
            verdicts=dict(sorted(self.judge.verdicts.items())),
            result=first.outcome.value,
        )

    def _replay(self, schedule: Schedule) -> Exploration:
        self._observe()
        judgement, drifted = self._truly(schedule)
        self.drifted = drifted
        if not drifted:
            self.findings.add(schedule, judgement)
        failures = list(self.findings.failures.values())
        found = [self._finding(failure, judgement) for failure in failures]
        result = Exploration(
            points=len(self.baseline.first.points),
            schedules=1,
            executions=self.executor.executions,
            drifted=tuple(drifted),
            masked=self.lens.masks.lines(),
            violations=tuple(found),
            errors=judgement.errors,
            cells=self.findings.table(),
            verdicts=self.judge.verdicts,
            result=self.baseline.first.outcome.value,
        )
        outcome = "drifted: the point was not reached" if drifted else f"{len(found)} violations"
        return replace(result, statement=f"replayed {schedule}: {outcome}")


def _same_as_once(armed: Armed, other: Armed, life: Lived) -> bool:
    """Say whether a lasting fault can do nothing that it did not do once: its process reached no later point of it."""
    one, lasting = other.injection, armed.injection
    if one.lasting or not lasting.lasting or replace(one, lasting=True) != lasting or one.point not in life.points:
        return False
    later = life.points[life.points.index(one.point) + 1 :]
    return not any(armed.reaches(point) for point in later)


def _failed(result: Exploration) -> bool:
    return bool(result.violations or result.drifted or result.errors or result.flaky)


def _still_there(paths: list[str]) -> tuple[str, ...]:
    return tuple(sorted({path for path in paths if Path(path).exists()}))
