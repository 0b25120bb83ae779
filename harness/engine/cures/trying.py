"""Carry the schedules of a case out with a change, and say what came of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ...values.exploration import counted
from ...values.points import Point
from ...values.schedule import Injection, Schedule
from ..causes import Key, key_of
from ..execute import Executor, How
from ..findings import Findings
from ..judge import Judgement
from ..plan import CRASH, crash, errors, resolve
from ..process_runs import FIRST_STREAM, ProcessRun, RawState
from ..recovery import Course
from ..replay import replay
from ..sites import Sites
from ..trials import Trials, trials
from ..worker import called_again
from .remedy import Case, Plain, Remedy, Where
from .treated import NoTime, Treated, Which

_MOST_KIN = 8
_MOST_FAULTS = 3
NOT_TO_ITS_END = "not tried to its end"
_PLAINLY = How()


class NotReached(Exception):
    """A fault of a schedule never fires where the change is made."""


@dataclass
class Known:
    """Facts of an exploration that trials are compared with.

    Attributes:
        causes: the keys of all causes that were found.
        judgement: returns what came of a crash state in the exploration; None where it is not known.
        recovery: returns the first recovery from a state, by its fingerprint; None where it is not known.
        truly: returns how a schedule ends without the change.
        seen: processes that no change reaches; grows.
    """

    executor: Executor
    trials: Trials
    findings: Findings
    sites: Sites
    causes: frozenset[Key]
    judgement: Callable[[RawState], Judgement | None]
    recovery: Callable[[str], ProcessRun | None]
    truly: Callable[[Schedule], Judgement]
    seen: dict[Which, ProcessRun] = field(default_factory=dict)

    def keys(self, schedule: Schedule, judgement: Judgement) -> frozenset[Key]:
        """Return the keys of the causes that a failing end shows."""
        if not judgement.broken:
            return frozenset()
        return frozenset(key_of(one, self.sites) for one in self.findings.diagnose(schedule, judgement).own)


@dataclass
class Trial:
    """One remedy tried on one case; `outcome` tells the result once it was tried."""

    known: Known
    case: Case
    remedy: Remedy
    may_go_on: Callable[[], bool]
    outcome: str = ""
    tried: int = 0
    _following: list[list[Schedule]] = field(default_factory=list)
    _seen: dict[str, Judgement] = field(default_factory=dict)

    def __post_init__(self) -> None:
        executor, old, change = self.known.executor, self.known.trials, self.remedy.change
        # With other requests no process is known.
        known, seen = (_unknown, {}) if self.remedy.sends else (self.known.recovery, self.known.seen)
        if not self.remedy.sends:
            seen[FIRST_STREAM, "traced"] = self.case.run
        self._treated = Treated(executor, change, known, seen, self._reaches, self.may_go_on)
        self._trials = trials(executor, old.view, old.baseline, runner=self._treated)
        if not self.remedy.sends:
            self._trials.recovery.knows(old.recovery)

    def _reaches(self, here: Where, point: Point) -> bool:
        """Return whether the change is made in this part of a process, where `point` is reached."""
        only, config = self.remedy.change.only, self.known.trials.config
        if only != "run":
            return here == only
        if here == "recovery":  # code of its own undoes in an order of its own
            return config.run is config.recover
        return here == "run" or point in self.case.run.points

    def cures(self) -> bool:
        """Try the schedules one after the other; returns whether the cause is gone and nothing else appears."""
        own = [failure.schedule for failure in self.case.group.failures][:_MOST_KIN]
        first = self.case.example
        kin, gone, kept_back = {first, *own}, 0, ""
        try:
            for schedule in dict.fromkeys([first, *own, *self._beside()]):
                try:
                    judgement = self.carried(schedule)
                except NotReached:
                    if schedule == first:
                        return self.fails("its fault is not reached then")
                    continue
                if (wrong := self._wrong(schedule, judgement)) is not None:
                    return self.fails(wrong)
                self.tried += 1
                gone += schedule in kin
        except NoTime:
            return self.fails(f"{NOT_TO_ITS_END}: {counted(self.tried, 'schedule')}, and no time for more")
        try:
            for schedule in self._crashes_in_recoveries():
                if (wrong := self._wrong(schedule, self.carried(schedule))) is not None:
                    return self.fails(wrong)
                self.tried += 1
        except NoTime:
            kept_back = "; not each crash in a recovery from there was tried"
        others = gone - 1
        kin_too = f", and so {'is 1' if others == 1 else f'are {others}'} of its kin" if others else ""
        told = f"the finding is gone{kin_too}; nothing else appears in {counted(self.tried, 'schedule')}"
        self.outcome = told + kept_back
        return True

    def fails(self, outcome: str) -> bool:
        """Keep why the change is no cure; returns False."""
        self.outcome = outcome
        return False

    def _beside(self) -> Iterator[Schedule]:
        """Yield every single fault at the points where something is changed, and at that of the fault."""
        config, run = self.known.trials.config, self.case.run
        points = self.remedy.points | set(self.case.struck[:1])
        for crash_state in config.killed_at(run.crash_states):
            if crash_state.point in points:
                yield Schedule((crash(crash_state, recovering=False),))
        before = self.case.example.injections[:-1]
        for process, recovering in ((self.case.recovery, True), (self.case.handler, False)):
            for crash_state in config.killed_at(process.crash_states if process is not None else ()):
                if crash_state.point in self.remedy.later:
                    yield Schedule((*before, crash(crash_state, recovering=recovering)))
        for injection, _ in errors(config.points.of(p for p in run.points if p in points), run.effects, config.faults):
            yield Schedule((injection,))

    def _crashes_in_recoveries(self) -> Iterator[Schedule]:
        """Yield each crash in the recovery from a state that only the change makes, and from those that these leave."""
        for schedules in self._following:  # which grows meanwhile
            yield from schedules

    def carried(self, schedule: Schedule) -> Judgement:
        """Return the judgement of a schedule with the change; raises NotReached."""
        if self.remedy.sends and (known := _as_known(self, schedule)) is not None:
            return known
        if _is_composed(schedule):
            return self._crashed(schedule)
        short = self._as_it_ended(schedule)
        if short is not None and not short.errors and (not short.broken or self._is_there(schedule, short)):
            return short
        processes, not_reached = replay(self._trials, schedule, worker=self.case.judgement.goes_on)
        if not_reached:
            raise NotReached
        first = processes[0]
        if self.case.judgement.goes_on and (first.called_again or first.apart):
            processes = called_again(self._trials, first, first.plan, trace=False)
            if not processes:  # that of a new process says nothing of this one
                raise NotReached
        return self._judged(schedule, processes)

    def _as_it_ended(self, schedule: Schedule) -> Judgement | None:
        """Return the judgement of an error whose run is known; None if it is not, or differs with the change."""
        process = self.known.findings.ended.get(schedule)
        if process is None or self.remedy.sends or self.case.judgement.goes_on:
            return None
        if process.outcome.kind != "returned":
            process = replace(process, end=self._treated.left(self._run(), process.end, schedule.injections[0]))
        resolved = resolve(schedule, self._trials.config.known, self._trials.baseline.first.effects)
        recovery, processes = self._trials.recovery, [process]
        processes += recovery.outlasted(process, resolved)
        if recovery.is_needed(processes[-1]):
            processes += recovery.recover(processes[-1].end, trace=False)
        return self._judged(schedule, processes)

    def _crashed(self, schedule: Schedule) -> Judgement:
        """Recover from the captured state of each crash, one crash after the other.

        States that no recovery can tell apart are tried once.
        """
        errors, crashes = _apart(schedule)
        processes, earlier = [self._run(errors)], list[ProcessRun]()
        earlier += processes if errors else []
        for place, injection in enumerate(crashes):
            whole, state = _died(processes, injection)
            state = self._treated.left(whole, state, injection)
            if place + 1 < len(crashes):
                processes = self._trials.recovery.recover(state, trace=True)
                earlier += processes
        key = self._trials.view.fingerprint(state)
        if key not in self._seen:
            plain = not self.remedy.sends and not self.remedy.once_more
            known = self.known.judgement(state) if plain else None
            if known is None:
                processes = self._trials.recovery.recover(state, trace=True)
                known = self._judged(schedule, processes, earlier)
                self._goes_on_from(schedule, processes)
            self._seen[key] = known
        return self._seen[key]

    def _goes_on_from(self, schedule: Schedule, processes: Sequence[ProcessRun]) -> None:
        """Keep the crashes that are to be tried in the recovery from a state that the exploration does not know."""
        ends = len(schedule.injections) >= _MOST_FAULTS or self.known.trials.config.kill is None
        if not ends and not self.remedy.once_more:
            seen = (crash_state for process in processes for crash_state in process.crash_states)
            tried = self.known.trials.config.points.at(seen)
            self._following.append([schedule.then(crash(one, recovering=True)) for one in tried])

    def _run(self, errors: Sequence[Injection] = ()) -> ProcessRun:
        """Return the fault-free run, or that in which these fire; with the change, where that changes requests."""
        trials, how = self._trials, How(trace="once fired") if errors else _PLAINLY
        plan = resolve(Schedule(tuple(errors)), trials.config.known, trials.baseline.first.effects) if errors else ()
        return self._treated.run_process("run", trials.baseline.initial, FIRST_STREAM, plan, how)

    def _judged(self, schedule: Schedule, processes: list[ProcessRun], earlier: Sequence[ProcessRun] = ()) -> Judgement:
        judge, recovery = self._trials.judge.judge, self._trials.recovery
        if self.remedy.once_more and processes[-1].role == "recover":
            processes = [*processes, *recovery.recover(processes[-1].end, trace=False)]
        # Where it is there already, nobody asks what would come next.
        short = judge(Course(tuple(processes)), earlier)
        return short if self._is_there(schedule, short) else judge(recovery.followed(processes), earlier)

    def _is_there(self, schedule: Schedule, judgement: Judgement) -> bool:
        return self.case.group.key in self.known.keys(schedule, judgement)

    def _wrong(self, schedule: Schedule, judgement: Judgement) -> str | None:
        """Return the violation in an end in words; None for none, and for another cause's that no change removes."""
        if self._is_there(schedule, judgement):
            return "it stays"
        if not judgement.broken and not judgement.errors:
            return None
        keys = self.known.keys(schedule, judgement)
        if keys and keys <= self.known.causes and keys <= self._before(schedule):
            return None
        return f"another appears: {', '.join(judgement.invariants)} at {schedule}"

    def _before(self, schedule: Schedule) -> frozenset[Key]:
        if not self.may_go_on():
            raise NoTime
        return self.known.keys(schedule, self.known.truly(schedule))


def _as_known(trial: Trial, schedule: Schedule) -> Judgement | None:
    """Return the judgement without the change if that is known, right, and the same with it; None otherwise."""
    plain = replace(trial.remedy, change=Plain(), sends=False)
    try:
        judgement = Trial(trial.known, trial.case, plain, lambda: False).carried(schedule)
    except (NoTime, NotReached):
        return None
    first, run = schedule.injections[0], trial.case.run
    handled = [(process, one) for process in (*judgement.earlier, *judgement.executions) for one in process.sent]
    if first.fault == CRASH:
        order = {point: place for place, point in enumerate(run.points)}
        handled += [(run, one) for one in run.sent if order.get(one.point, 0) <= order.get(first.point, len(order))]
    right = not judgement.broken and not judgement.errors and len(schedule.injections) == 1
    return judgement if right and trial.remedy.change.spares(handled) else None


def _apart(schedule: Schedule) -> tuple[Sequence[Injection], Sequence[Injection]]:
    """Return the leading errors of a schedule, and the rest of it."""
    injections = schedule.injections
    first = next((i for i, one in enumerate(injections) if one.fault == CRASH), len(injections))
    return injections[:first], injections[first:]


def _is_composed(schedule: Schedule) -> bool:
    """Return whether captured states show all that it leads to: crashes, in a run and then in recoveries.

    An error may fire in that run first: what follows it is captured, too.
    """
    errors, crashes = _apart(schedule)
    first, *later = crashes or (None,)
    alone = len(errors) < 2 and not any(one.recovering or one.lasting for one in errors)
    return (
        alone
        and first is not None
        and not first.recovering
        and all(one.fault == CRASH and one.recovering for one in later)
    )


def _died(processes: Sequence[ProcessRun], at: Injection) -> tuple[ProcessRun, RawState]:
    """Return the process that a crash ends, and what it leaves as it was captured; raises NotReached."""
    for process in processes:
        for crash_state in process.crash_states:
            if (crash_state.point, crash_state.when) == (at.point, at.when):
                return process, crash_state.raw_state
    raise NotReached


def _unknown(fingerprint: str) -> None:
    """Return nothing: with other requests, no recovery is known."""
