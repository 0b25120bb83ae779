"""One exploration from its fault-free run to its statement."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..boundary import interrupts
from ..guard.claims import claimed
from ..values.errors import ChaosError, nearest
from ..values.exploration import Exploration, Finding, counted
from ..values.points import Point, When
from ..values.real_time import FIRST_RUNS, PROCESS_S
from ..values.schedule import Schedule
from ..values.world import Diff
from . import brute
from .auditing import Audit
from .budget import OutOfTime
from .causes import Causes, Group
from .closure import Closure
from .confirming import Confirming
from .execute import Executor
from .families import CRASHES, Tried
from .findings import Failure, Findings, finding
from .judge import Judge, Judgement
from .lens import Lens
from .lives import OWN_PROCESSES, Snapshot
from .naming import Naming
from .observe import Baseline, observe
from .plan import fits
from .replay import Judged, judged
from .schedules import Schedules
from .setting import Setting
from .sites import Sites
from .statement import drift, interruption, statement
from .symptoms import Diagnosis
from .tallying import Tallying

_SHARE_OF_FIRST_RUN, _SHARE_OF_PROCESS = 1 / 3, 1 / 10
"""Of a budget: as long as the outside is looked at during the first run, and during any other process."""


class NothingSelected(Exception):
    """The selection of faults leaves nothing to do here."""


class Explorer:
    """Explores one setting. When it is done, the outside is as a fault-free run leaves it, or as before.

    Attributes:
        partial: what was found until something interrupted it; None before, and where that is not known.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.executor = Executor(setting)
        self.lens = Lens(setting, self.executor)
        self.findings = Findings(lambda schedule, judgement: self.diagnosis.of(schedule, judgement))
        self.sites = Sites(self.executor.call)
        self.drifted: list[str] = []
        self.causes = Causes(self.sites, self.findings.size)
        self.confirming = Confirming(self.findings, self.causes, self._truly, self._tell, first=setting.first)
        self.skipped: dict[str, int] = {}
        self.audit = Audit(setting, self.executor, self.lens, partial(self._truly, worker=False))
        self.partial: Exploration | None = None

    def explore(self, *, reduce: bool = True) -> Exploration:
        """Explore everything that was selected; raises ChaosError where another session explores the same paths."""
        with closing(self.executor), claimed(source.path for source in self.setting.sources):
            return self._within(lambda: self._explore(reduce))

    def replay(self, schedule: Schedule) -> Exploration:
        """Carry out just this schedule, truly; raises ChaosError as `explore` does."""
        self.executor.rereads |= any(injection.point.verb == "read" for injection in schedule.injections)
        with closing(self.executor), claimed(source.path for source in self.setting.sources):
            return self._within(lambda: self._replay(schedule))

    def _within(self, work: Callable[[], Exploration]) -> Exploration:
        self.began = time.monotonic()
        with interrupts.as_exceptions():
            initial = self.executor.capture(0.0)
            put_back = self.executor.prepare()
            try:
                self.executor.hold(initial)
                result = work()
            except BaseException as problem:
                with interrupts.shielded():
                    self.executor.processes.abort()
                    self._end(put_back, initial)
                    self.partial = self._partial_result(problem)
                raise
            self.partial = result = self._timed(result)
            back = _failed(result) and not result.elsewhere  # a test goes on to the exploration that a replay is of
            with interrupts.shielded():
                self._end(put_back, self.baseline.initial if back else self.baseline.done)
                self._restore_logs()
        return result

    def _timed(self, result: Exploration) -> Exploration:
        return replace(result, seconds=time.monotonic() - self.began, notes=self.executor.notes)

    def _end(self, put_back: Callable[[], None], world: Snapshot) -> None:
        """Leave the outside like `world`, and this process as it was."""
        put_back()
        self.executor.restore(world)
        self.executor.release()

    def _partial_result(self, problem: BaseException) -> Exploration | None:
        """Return what was found until `problem` ended it; None where that is an error, which is told as one.

        A failure that was not confirmed yet is told as not judged.
        """
        if isinstance(problem, (ChaosError, NothingSelected)):
            return None
        known = hasattr(self, "judge")
        count, why = self.executor.executions, interruption(problem)
        seen = [f"{text}: interrupted" for text in self.confirming.unconfirmed()]
        result = Exploration(
            points=_count(self.baseline.first.points) if known else 0,
            schedules=self.findings.schedules,
            executions=count,
            skipped=self.skipped,
            drifted=tuple(self.drifted),
            unintercepted=tuple(self.executor.unintercepted),
            unwatched=_still_there(self.executor.unwatched),
            not_explored=self.executor.not_explored,
            masked=self.lens.masks.lines() if known else (),
            seconds=time.monotonic() - self.began,
            violations=self._violations(),
            flaky=tuple(self.confirming.flaky()),
            errors=(*self.findings.errors, *seen),
            cells=self.findings.table(),
            verdicts=dict(sorted(self.judge.verdicts.items())) if known else {},
            interrupted=why,
        )
        judged = f"{result.points} points, {result.schedules} schedules judged"
        found = f"{counted(len(result.violations), 'violation')}, {len(seen)} more seen once"
        return replace(result, statement=f"interrupted by {why} after {count} executions: {judged}, {found}")

    def _observe(self, *, merge: bool = True) -> None:
        began = time.monotonic()
        budget_s = self.setting.budget_s
        self.executor.look_s = None if budget_s is None else budget_s * _SHARE_OF_FIRST_RUN
        self.baseline: Baseline = observe(self.setting, self.executor, self.lens)
        self.executor.look_s = None if budget_s is None else budget_s * _SHARE_OF_PROCESS
        self.executor.patience_s = max(PROCESS_S, FIRST_RUNS * (time.monotonic() - began))
        self.judge = Judge(self.setting, self.executor, self.lens, self.baseline, merge=merge)
        self.diagnosis = Diagnosis(self.lens, self.baseline)
        for life in (self.baseline.first, *self.baseline.others):
            self.sites.see(life)
        moments = {(s.point, s.when): place for place, s in enumerate(self.baseline.first.sightings)}
        self.findings.place = lambda schedule: _place(moments, schedule)

    def _restore_logs(self) -> None:
        for twin, requests in zip(self.setting.twins, self.baseline.requests, strict=True):
            twin.requests = list(requests)

    def _explore(self, reduce: bool) -> Exploration:
        self._observe(merge=reduce)
        closure = Closure(self.setting, self.judge, self.lens, self.executor.deadline.check)
        tried = Tried()
        if reduce:
            self._schedules(closure, tried)
            self._within_budget(self.confirming.end, more=True)
            if "first_finding" not in self.skipped:
                self._within_budget(lambda: self._audit(closure))
        else:
            if not self._within_budget(self._brute_force):
                self.skipped = {"budget": 1}  # nobody knows how much is left
            self._within_budget(self.confirming.end, more=True)
        self.executor.deadline.set(None)
        if not self.findings.schedules and not self.drifted and not self.skipped:
            raise NothingSelected
        self._note_what_was_not_tried(tried)
        result = self._result(closure, tried, reduce)
        text = statement(
            result,
            self.setting,
            cut_at=closure.cut_at_crashes,
            reduced=reduce,
            audit=self.audit,
            reused=self.executor.reused,
            sampled=len(self.executor.samples),
        )
        return replace(result, statement=text)

    def _within_budget(self, work: Callable[[], None], *, more: bool = False) -> bool:
        """Do a piece of work as far as the budget lasts, with `more` a little longer; returns whether it ended."""
        budget_s = self.setting.budget_s
        if budget_s is not None:
            end = self.began + budget_s
            self.executor.deadline.set(max(end, time.monotonic()) + _confirming_s(budget_s) if more else end)
        with suppress(OutOfTime):
            work()
            return True
        return False

    def _schedules(self, closure: Closure, tried: Tried) -> None:
        executor = self.executor
        tally = Tallying(self.lens, self.findings, self.drifted)
        arguments = (self.setting, executor, self.lens, self.judge, self.baseline, closure, tally, self._look)
        schedules = Schedules(*arguments, begin=self._begin_with_what_failed, tried=tried)
        executor.reuse = self.setting.reuse and not self.setting.reach
        self._within_budget(schedules.carry_out)
        executor.reuse = False
        executor.processes.retire()
        self.skipped = schedules.skipped

    def _begin_with_what_failed(self) -> None:
        """Carry out what failed in the last session; what still fails is confirmed, and told at once.

        All else is dropped: what holds by now, what is not reached any more. It counts as nothing but executions.
        """
        with self.executor.afresh(), suppress(OutOfTime):  # what follows asks for the time itself
            for schedule in self.setting.failed_before:
                if not fits(schedule, self.setting.known, self.baseline.first.effects):
                    continue
                judgement, drifted, again = self._truly(schedule, trace=True)
                for end in (judgement, again) if not drifted else ():
                    if end is not None and end.broken and not end.errors:
                        self.findings.begin(schedule, end)
                        self.confirming.look()

    def _look(self) -> None:
        """Confirm what was found since the last look, each in processes of its own."""
        if self.confirming.has_new:
            with self.executor.afresh():
                self.confirming.look()

    def _note_what_was_not_tried(self, tried: Tried) -> None:
        """Say that a family of which nothing was tried was not explored: that is no pass."""
        if self.skipped.get("budget"):
            for name, (judged, planned) in tried.left_out().items():
                if not judged:
                    self.findings.errors[_not_explored(name, planned)] = None
        for text in self.confirming.unconfirmed():
            self.findings.errors[text] = None

    def _audit(self, closure: Closure) -> None:
        try:
            self.audit.equal_worlds(closure, self.baseline)
            self.audit.joined(closure)
            self.audit.used_processes()
        finally:
            self.findings.errors.update(dict.fromkeys(self.audit.errors))

    def _brute_force(self) -> None:
        arguments = (self.setting, self.executor, self.judge, self.baseline)
        for schedule, judgement, again in brute.everything(*arguments, self.drifted):
            self.findings.add(schedule, judgement, again=again)

    def _truly(self, schedule: Schedule, *, trace: bool = False, worker: bool = True) -> Judged:
        """Carry a schedule out from the start and judge it, nothing remembered from before."""
        judge = Judge(self.setting, self.executor, self.lens, self.baseline, merge=False)
        first, initial = self.baseline.first, self.baseline.initial
        return judged(self.setting, self.executor, judge, schedule, initial, first, trace=trace, worker=worker)

    def _finding(self, group: Group, failure: Failure, judgement: Judgement) -> Finding:
        setting = self.setting
        naming = Naming(self.sites, setting.root, self.executor.call, self.baseline.first)
        cause = naming.cause(group, failure)
        return finding(
            failure,
            cause,
            judgement,
            reach=naming.reach(group, cause),
            orders=self._both_ways(judgement.end) if cause.way == "by order" else None,
            count=sum(one.count for one in group.failures),
            expected=self.lens.world(self.baseline.done),
            actual=self.lens.world(judgement.end),
            secrets={**self.executor.credentials, **setting.secrets},
            run_again=setting.run is setting.recover,
        )

    def _both_ways(self, end: Snapshot) -> tuple[Diff, Diff]:
        """Return how the end of the fault-free run differs from another one, and the reverse."""
        done = self.baseline.done
        return self.lens.difference(end, done), self.lens.difference(done, end)

    def _violations(self) -> tuple[Finding, ...]:
        """Return what is confirmed so far, one for each cause."""
        return tuple(self._finding(*one) for one in self.confirming.confirmed())

    def _tell(self) -> None:
        """Tell what is confirmed so far, as soon as it is."""
        first, violations = self.baseline.first, self._violations()
        count = counted(len(violations), "violation")
        self.setting.found(
            Exploration(
                points=_count(first.points),
                schedules=self.findings.schedules,
                executions=self.executor.executions,
                violations=violations,
                seconds=time.monotonic() - self.began,
                statement=f"{count} after {self.executor.executions} executions; exploring on",
            )
        )

    def _result(self, closure: Closure, tried: Tried, reduce: bool) -> Exploration:
        skipped = {**self.skipped, **closure.tally.skipped, **closure.left_out}
        first = self.baseline.first
        return Exploration(
            points=_count(first.points),
            schedules=self.findings.schedules,
            executions=self.executor.executions - self.audit.executions,
            worlds=len(closure.nodes) - len(closure.joined),
            closed=self._is_closed(closure, tried, reduce),
            skipped=skipped,
            drifted=tuple(self.drifted),
            unintercepted=tuple(self.executor.unintercepted),
            unwatched=(*_still_there(self.executor.unwatched), *self.executor.linked),
            concurrent=tuple(sorted({*self.executor.concurrent, *closure.tally.fixed})),
            orders=closure.tally.tried,
            inside=tuple(sorted(self.executor.inside)),
            asked=tuple(self.executor.asked),
            unheld=tuple(sorted(self.executor.unheld)),
            unordered=tuple(sorted(self.executor.unordered)),
            not_explored=self.executor.not_explored,
            masked=self.lens.masks.lines(),
            audited=self.audit.audited,
            growing=tuple(closure.growing),
            not_tried=tried.left_out(),
            violations=self._violations(),
            flaky=tuple(self.confirming.flaky()),
            errors=tuple(self.findings.errors),
            cells=self.findings.table(),
            verdicts=dict(sorted(self.judge.verdicts.items())),
            result=first.outcome.value,
        )

    def _is_closed(self, closure: Closure, tried: Tried, reduce: bool) -> bool:
        whole = closure.closed and CRASHES not in tried.left_out() and not self.executor.unseen
        whole = whole and not {"budget", "first_finding"} & self.skipped.keys()
        return reduce and whole and self.setting.kill is not None and not self.drifted

    def _replay(self, schedule: Schedule) -> Exploration:
        self._observe()
        elsewhere = schedule.injections[0].point not in self.baseline.first.points
        self.executor.shown = frozenset() if elsewhere else OWN_PROCESSES
        judgement, drifted, again = self._truly(schedule, trace=True)
        self.drifted = drifted
        if not drifted:
            self.findings.add(schedule, judgement, again=again)
        groups = self.causes.groups(self.findings.failures.values())
        found = [self._finding(group, group.failures[0], group.failures[0].judgement) for group in groups]
        result = Exploration(
            points=_count(self.baseline.first.points),
            schedules=1,
            executions=self.executor.executions,
            drifted=tuple(drifted),
            masked=self.lens.masks.lines(),
            violations=tuple(found),
            errors=tuple(self.findings.errors),
            cells=self.findings.table(),
            verdicts=dict(sorted(self.judge.verdicts.items())),
            result=self.baseline.first.outcome.value,
            elsewhere=elsewhere,
        )
        outcome = drift(schedule, judgement.executions, drifted) if drifted else counted(len(found), "violation")
        if drifted and result.elsewhere:
            like = nearest(str(schedule.injections[0].point), map(str, self.baseline.first.points))
            outcome += f"; nearest: {', '.join(like)}"
        return replace(result, statement=f"replayed {schedule}: {outcome}")


def _count(points: Iterable[Point]) -> int:
    """Count the points that touch the outside: a sleep does not."""
    return sum(point.kind != "clock" for point in points)


def _place(moments: Mapping[tuple[Point, When], int], schedule: Schedule) -> int:
    """Return where in the fault-free run a schedule begins; one that begins elsewhere is behind all that do."""
    first = schedule.injections[0]
    return moments.get((first.point, first.when), len(moments))


def _confirming_s(budget_s: float) -> float:
    """Return for how long what was found may be carried out again when the budget is spent."""
    return 1.0 + budget_s / 6


def _not_explored(family: str, planned: int) -> str:
    return (
        f"not explored: 0 of {planned} {family} were tried, --chaos-budget ran out\n"
        "give it more time (--chaos-budget=SECONDS) or less to try (--chaos-faults=GLOB,…; --chaos-shard=K/N)"
    )


def _failed(result: Exploration) -> bool:
    return bool(result.violations or result.drifted or result.errors or result.flaky)


def _still_there(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({path for path in paths if Path(path).exists()}))
