"""Put every invariant to what came of a schedule."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..values.history import Execution, History, Violation
from ..values.points import Point
from ..values.rare import rare
from ..values.schedule import Injection
from ..values.world import Diff, World
from ..world.comparing.compare import matches_value
from .config import ExplorationConfig
from .joining import Noticing
from .process_runs import OWN_PROCESSES, ProcessRun, RawState
from .recovery import Course
from .session import Baseline
from .state_view import StateView

_OURS = "rollproof.invariants.outside", "rollproof.invariants.recovery"  # of private files they judge the names
_VERDICTS = ("vacuous", "holds", "unknown", "violated")


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one schedule: the broken invariants with their violations, and the errors of checks.

    `told` is what the invariants saw of `executions`, one by one; `earlier` are processes that ran before these, as far
    as they are known. `from_before` and `from_done` are what differs from the two right ends. `symptoms` keeps what is
    wrong by the first injection of a schedule that ends so, and by whether it is the only one; `story` how it is told,
    once somebody asked. `claims_done` says whether the run returned what a fault-free run returns; None where there is
    nothing to compare.
    """

    broken: tuple[tuple[str, Violation], ...]
    errors: tuple[str, ...]
    end: RawState
    executions: tuple[ProcessRun, ...]
    from_before: Diff = ()
    from_done: Diff = ()
    told: tuple[Execution, ...] = ()
    earlier: tuple[ProcessRun, ...] = ()
    claims_done: bool | None = None
    symptoms: dict[tuple[Injection, bool], Any] = field(default_factory=dict, compare=False)
    story: list[Any] = field(default_factory=list, compare=False)

    @property
    def goes_on(self) -> bool:
        """Return whether this judges a second call in the process that an error had left."""
        return any(process.goes_on for process in self.executions)

    @property
    def invariants(self) -> tuple[str, ...]:
        """Return the names of the broken invariants."""
        return tuple(dict.fromkeys(name for name, _ in self.broken))

    def process(self, violation: Violation) -> ProcessRun | None:
        """Return the process that a violation is about; None where it is no certain one."""
        told = zip(self.told, self.executions, strict=True)
        return next((process for execution, process in told if execution is violation.by), None)

    def processes(self, violation: Violation) -> list[ProcessRun]:
        """Return the processes behind a violation: the schedule's own, and the retry or the like that it is about."""
        about = self.process(violation)
        return [process for process in self.executions if process.role in OWN_PROCESSES or process is about]

    @property
    def diff(self) -> Diff:
        """The differences of all violations, each once."""
        return tuple(dict.fromkeys(change for _, violation in self.broken for change in violation.diff))


class Judge:
    """Judges the states and results of processes; starts none."""

    def __init__(self, config: ExplorationConfig, view: StateView, baseline: Baseline) -> None:
        self._config, self._view, self._baseline = config, view, baseline
        self._run_again = config.run is config.recover
        self._initial = view.fingerprint(baseline.initial)
        self._first_change = _first_change(baseline)
        self.private_is_judged = False
        self.verdicts: dict[str, str] = {}

    def judge(self, course: Course, earlier: Sequence[ProcessRun] = ()) -> Judgement:
        """Put every invariant to the outside as these processes leave it; `earlier` ones ran before them."""
        processes, end, again = course.processes, course.end, course.again
        before, done = self._baseline.initial, self._baseline.done
        from_before, from_done = self._view.difference(before, end), self._view.difference(done, end)
        errors: list[str] = []
        history = History(
            tuple(process.execution() for process in course.asked),
            self._view.world(before),
            self._view.world(done),
            from_before,
            from_done,
            self._accepts(end, errors),
            self._claims_done(processes[0]) if processes[0].role == "run" else None,
            None if again is None else self._view.difference(again.start, again.end),
            self._retry_differs(course, earlier),
            self._baseline.transient,
            self._view.credentials,
            self._config.leftover_names,
            self._claims_done(processes[-1]) if processes[-1].role == "recover" and self._run_again else None,
        )
        judgement = self._ask_all(history, end, course.asked, errors)
        return replace(judgement, earlier=tuple(earlier), claims_done=history.claims_done)

    def _ask_all(self, history: History, end: RawState, asked: tuple[ProcessRun, ...], errors: list[str]) -> Judgement:
        ours, theirs = self._view.world(end), self._noticed(end)
        broken: list[tuple[str, Violation]] = []
        for invariant in self._config.invariants:
            # A check of the user's may judge what private files say. Its world notices that; nothing private is unread
            # then.
            world = ours if invariant.check.__module__.startswith(_OURS) else theirs
            try:
                found = list(invariant.check(world, history)) if invariant.applies(world, history) else None
            except AssertionError as problem:
                # An `assert` is how users say that a promise is broken. Any other exception says nothing about the
                # agent.
                found = [Violation(str(problem).partition("\n")[0] or f"{invariant.name} does not hold")]
            except Exception as problem:
                rare("an invariant fails and is unknown")
                errors.append(f"invariant {invariant.name} failed: {type(problem).__name__}: {problem}")
                self._verdict(invariant.name, "unknown")
                continue
            self._verdict(invariant.name, "vacuous" if found is None else "violated" if found else "holds")
            broken += [(invariant.name, violation) for violation in found or ()]
        return Judgement(
            tuple(broken), tuple(errors), end, asked, history.from_before, history.from_done, history.executions
        )

    def _noticed(self, end: RawState) -> World:
        """Return the world for a user's check, and notice if the check reads private files."""
        world = self._view.world(end)
        return replace(world, private_entries=Noticing(world.private_entries, self._private_is_judged))

    def _private_is_judged(self) -> None:
        self.private_is_judged = True

    def _verdict(self, name: str, verdict: str) -> None:
        worst = max(self.verdicts.get(name, "vacuous"), verdict, key=_VERDICTS.index)
        self.verdicts[name] = worst

    def _retry_differs(self, course: Course, earlier: Sequence[ProcessRun]) -> Diff | None:
        """Return the differences of a retry's end from that of a fault-free run; None if nothing was rolled back.

        What was undone to the last bit is the world before: a retry from there is the fault-free run itself.
        """
        if course.retried is not None:
            return self._view.difference(self._baseline.done, course.retried.end)
        undone = course.undone and self._did_anything((*earlier, *course.processes))
        return () if undone and self._config.retry else None

    def _did_anything(self, processes: Sequence[ProcessRun]) -> bool:
        """Return whether these processes changed the outside before they undid it, as far as is known."""
        starts = (process.start for process in processes)
        seen = (crash_state.raw_state for process in processes for crash_state in process.crash_states)
        if any(self._view.fingerprint(world) != self._initial for world in (*starts, *seen)):
            return True
        # Where nobody looked: past the first changing point something was changed; at its last point a process may have
        # died.
        return any(not process.crash_states and self._first_change in process.points[:-1] for process in processes)

    def _accepts(self, end: RawState, errors: list[str]) -> bool:
        if self._config.allow is None:
            return False
        try:
            return bool(self._config.allow(self._noticed(end)))
        except AssertionError:
            return False
        except Exception as problem:
            errors.append(f"allow failed: {type(problem).__name__}: {problem}")
            return False

    def _claims_done(self, run: ProcessRun) -> bool | None:
        """Return whether a run, the first or one that recovers, returned what a fault-free run returns."""
        first, second = self._baseline.first.outcome.value, self._baseline.others[0].outcome.value
        if run.outcome.kind != "returned" or first is None:
            return None
        return matches_value(first, second, run.outcome.value)


def _first_change(baseline: Baseline) -> Point | None:
    """Return the first point of the fault-free run that changes the outside."""
    before = baseline.initial
    changed = (
        crash_state.point for crash_state in baseline.first.crash_states if not crash_state.raw_state.same_state(before)
    )
    return next(changed, None)
