"""Carry the schedules of a case out with a change, and say what came of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ...boundary.resolved import ResolvedInjection
from ...values.exploration import counted
from ...values.history import Role
from ...values.schedule import Injection, Schedule
from ..causes import Key, key_of
from ..execute import Executor, How, Runner
from ..findings import Findings
from ..judge import Judgement
from ..plan import CRASH, crash, errors, resolve
from ..process_runs import FIRST_STREAM, ProcessRun, RawState
from ..replay import replay
from ..sites import Sites
from ..trials import Trials, trials
from ..worker import called_again
from .remedy import Case, Change, Plain, Remedy
from .spans import Span, spans

_MOST_KIN = 8
_PLAINLY = How()


class Treated:
    """Runs processes with a change: of what they send, and of what those leave that a fault has ended.

    Equal states are recovered from once: the random stream of a process names the state that it starts from.

    Args:
        known: returns the first recovery from a state, by its fingerprint, where the exploration knows it.
        run: the fault-free run, where the exploration's own stands for it.
    """

    def __init__(
        self,
        executor: Runner,
        change: Change,
        known: Callable[[str], ProcessRun | None],
        run: ProcessRun | None,
    ) -> None:
        self._executor, self._change, self._known = executor, change, known
        self._seen: dict[str, ProcessRun] = {} if run is None else {FIRST_STREAM: run}
        self._spans: dict[str, list[Span]] = {}

    def run_process(
        self, role: Role, start: RawState, stream: str, plan: Sequence[ResolvedInjection] = (), how: How = _PLAINLY
    ) -> ProcessRun:
        """Run one process from the state `start`, and return its record."""
        how = replace(how, treatment=self._change)
        if plan or how.earlier:
            process = self._executor.run_process(role, start, stream, plan, how)
            if plan and process.outcome.kind != "returned":
                injection = plan[-1].injection
                process.leaves(self.left(role, start, stream, process.end, injection))
            return process
        if stream not in self._seen:
            known = self._known(stream.partition("/")[2]) if role == "recover" else None
            traced = replace(how, trace=True)
            self._seen[stream] = known or self._executor.run_process(role, start, stream, (), traced)
        return self._seen[stream]

    def left(self, role: Role, start: RawState, stream: str, end: RawState, at: Injection) -> RawState:
        """Return what a process leaves that a fault ended: what it would have done is seen in one without a fault."""
        if isinstance(self._change, Plain) and type(self._change).left is Plain.left:
            return end
        if stream not in self._spans:
            self._spans[stream] = spans(self.run_process(role, start, stream))
        return self._change.left(end, at, self._spans[stream])


class NotReached(Exception):
    """A fault of a schedule never fires where the change is made."""


@dataclass
class Known:
    """What an exploration knows that a trial is compared with.

    Attributes:
        causes: the keys of all causes that were found.
        judgement: returns what came of a crash state in the exploration; None where it is not known.
        recovery: returns the first recovery from a state, by its fingerprint; None where it is not known.
        truly: returns how a schedule ends without the change.
    """

    executor: Executor
    trials: Trials
    findings: Findings
    sites: Sites
    causes: frozenset[Key]
    judgement: Callable[[RawState], Judgement | None]
    recovery: Callable[[str], ProcessRun | None]
    truly: Callable[[Schedule], Judgement]

    def keys(self, schedule: Schedule, judgement: Judgement) -> frozenset[Key]:
        """Return the keys of the causes that a failing end shows."""
        if not judgement.broken:
            return frozenset()
        return frozenset(key_of(one, self.sites) for one in self.findings.diagnose(schedule, judgement).own)


@dataclass
class Trial:
    """One remedy, tried on one case; `outcome` says what came of it once it was tried."""

    known: Known
    case: Case
    remedy: Remedy
    may_go_on: Callable[[], bool]
    outcome: str = ""
    tried: int = 0
    gone: int = 0
    _seen: dict[str, Judgement] = field(default_factory=dict)

    def __post_init__(self) -> None:
        executor, old = self.known.executor, self.known.trials
        # With other requests no process is known.
        known, run = (_unknown, None) if self.remedy.sends else (self.known.recovery, self.case.run)
        self._treated = Treated(executor, self.remedy.change, known, run)
        self._trials = trials(executor, old.view, old.baseline, runner=self._treated)

    def cures(self) -> bool:
        """Try the schedules one after the other; returns whether the cause is gone and nothing else appears."""
        own = [failure.schedule for failure in self.case.group.failures][:_MOST_KIN]
        first = self.case.example
        kin = {first, *own}
        for schedule in dict.fromkeys([first, *own, *self._beside()]):
            if not self.may_go_on():
                return self.fails(f"not tried to its end: {counted(self.tried, 'schedule')}, and no time for more")
            try:
                judgement = self._carried(schedule)
            except NotReached:
                if schedule == first:
                    return self.fails("its fault is not reached then")
                continue
            self.tried += 1
            if (wrong := self._wrong(schedule, judgement)) is not None:
                return self.fails(wrong)
            self.gone += schedule in kin
        others = self.gone - 1
        kept = f", and so {'is 1' if others == 1 else f'are {others}'} of its kin" if others else ""
        self.outcome = f"the finding is gone{kept}; nothing else appears in {counted(self.tried, 'schedule')}"
        return True

    def fails(self, outcome: str) -> bool:
        """Keep why it is no cure; returns False."""
        self.outcome = outcome
        return False

    def _beside(self) -> Iterator[Schedule]:
        """Yield every single fault at the points where something is changed, and at that of the fault."""
        config, run = self.known.trials.config, self.case.run
        points = self.remedy.points | set(self.case.struck[:1])
        if config.kill is not None:
            for crash_state in run.crash_states:
                if crash_state.point in points:
                    yield Schedule((crash(crash_state, recovering=False),))
        if config.kill is not None and self.case.recovery is not None:
            for crash_state in self.case.recovery.crash_states:
                if crash_state.point in self.remedy.later:
                    before = self.case.example.injections[:-1]
                    yield Schedule((*before, crash(crash_state, recovering=True)))
        for injection, _ in errors([p for p in run.points if p in points], run.effects, config.faults):
            yield Schedule((injection,))

    def _carried(self, schedule: Schedule) -> Judgement:
        """Return how a schedule ends with the change; raises NotReached."""
        first = schedule.injections[0]
        if len(schedule.injections) == 1 and first.fault == CRASH and not first.recovering:
            return self._crashed(schedule)
        short = self._as_it_ended(schedule)
        if short is not None and not short.broken and not short.errors:
            return short
        processes, not_reached = replay(self._trials, schedule, worker=self.case.judgement.goes_on)
        if not_reached:
            raise NotReached
        if self.case.judgement.goes_on and processes[0].called_again:
            processes = called_again(self._trials, processes[0], (), trace=False)
        return self._judged(processes)

    def _as_it_ended(self, schedule: Schedule) -> Judgement | None:
        """Return how an error ends whose run is known; None where it is not, or is another one with the change."""
        process = self.known.findings.ended.get(schedule)
        if process is None or self.remedy.sends or self.case.judgement.goes_on:
            return None
        if process.outcome.kind != "returned":
            process = replace(process, end=self._left(process.end, schedule.injections[0]))
        resolved = resolve(schedule, self._trials.config.known, self._trials.baseline.first.effects)
        recovery, processes = self._trials.recovery, [process]
        processes += recovery.outlasted(process, resolved)
        if recovery.is_needed(processes[-1]):
            processes += recovery.recover(processes[-1].end, trace=False)
        return self._judged(processes)

    def _crashed(self, schedule: Schedule) -> Judgement:
        """Recover from what a crash leaves; states that no recovery can tell apart are tried once."""
        injection = schedule.injections[0]
        phases = [s for s in self._run().crash_states if (s.point, s.when) == (injection.point, injection.when)]
        if not phases:
            raise NotReached
        state = self._left(phases[0].raw_state, injection)
        key = self._trials.view.fingerprint(state)
        if key not in self._seen:
            plain = not self.remedy.sends and not self.remedy.once_more
            known = self.known.judgement(state) if plain else None
            self._seen[key] = known or self._judged(self._trials.recovery.recover(state, trace=True))
        return self._seen[key]

    def _run(self) -> ProcessRun:
        """Return the fault-free run: with the change, where that changes requests."""
        return self._treated.run_process("run", self.known.trials.baseline.initial, FIRST_STREAM)

    def _left(self, state: RawState, at: Injection) -> RawState:
        return self._treated.left("run", self.known.trials.baseline.initial, FIRST_STREAM, state, at)

    def _judged(self, processes: list[ProcessRun]) -> Judgement:
        if self.remedy.once_more and processes[-1].role == "recover":
            processes = [*processes, *self._trials.recovery.recover(processes[-1].end, trace=False)]
        return self._trials.judge.judge(self._trials.recovery.followed(processes))

    def _wrong(self, schedule: Schedule, judgement: Judgement) -> str | None:
        """Return what is wrong in an end; None where nothing is but what is so without the change, of another cause."""
        keys = self.known.keys(schedule, judgement)
        if self.case.group.key in keys:
            return "it stays"
        if not judgement.broken and not judgement.errors:
            return None
        if keys and keys <= self.known.causes and keys <= self._before(schedule):
            return None
        return f"another appears: {', '.join(judgement.invariants)} at {schedule}"

    def _before(self, schedule: Schedule) -> frozenset[Key]:
        return self.known.keys(schedule, self.known.truly(schedule))


def _unknown(fingerprint: str) -> None:
    """Return nothing: with other requests, no recovery is known."""
