"""Run what follows a fault: recover, later where a lease is left, recover once more, run the task again.

Nothing is judged here: what ran is handed to `judge`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..boundary.resolved import ResolvedInjection
from ..values.history import Role
from ..values.points import Point
from ..values.rare import rare
from ..world.volatile.leases import live_leases
from .config import ExplorationConfig
from .execute import Again, How, Runner
from .joining import Joining
from .process_runs import RESTART_S, ProcessRun, RawState, Tracing
from .session import Baseline
from .state_view import StateView

_MAX_LEASES = 3


@dataclass(frozen=True, slots=True)
class Course:
    """The processes of one schedule, and those that tell what would come after them.

    Attributes:
        processes: the schedule's own, in their order.
        again: one more recovery from where they end; None where nothing recovered, or it failed.
        retried: the task run again after a rollback; None where nothing was rolled back, and where it was to the last
            bit: `undone` then.
    """

    processes: tuple[ProcessRun, ...]
    again: ProcessRun | None = None
    retried: ProcessRun | None = None
    undone: bool = False

    @property
    def end(self) -> RawState:
        """The outside that the schedule's own processes leave."""
        return self.processes[-1].end

    @property
    def asked(self) -> tuple[ProcessRun, ...]:
        """Return all processes, those included that only tell what would come next."""
        return (*self.processes, *(process for process in (self.again, self.retried) if process is not None))


class Recovery:
    """Starts processes from where others ended.

    With `merge`, a second recovery and a retry run once for each distinct end. `look` says
    whether the outside is looked at in processes that nothing is planned on: these, and what meets a lasting fault.
    """

    def __init__(
        self,
        config: ExplorationConfig,
        executor: Runner,
        view: StateView,
        baseline: Baseline,
        merge: bool,
        look: Tracing,
    ) -> None:
        self._config, self._executor, self._view, self._baseline = config, executor, view, baseline
        self._merge, self._look, self._joining = merge, look, Joining(view)
        self._before = view.fingerprint(baseline.initial)
        self._again: dict[str, list[ProcessRun]] = {}
        self._retries: dict[str, list[ProcessRun]] = {}

    def knows(self, other: "Recovery") -> None:
        """Share the processes that another one has run or will run; for two whose processes run alike."""
        self._joining, self._again, self._retries = other._joining, other._again, other._retries

    def recover(self, start: RawState, *, trace: Tracing, plan: Sequence[ResolvedInjection] = ()) -> list[ProcessRun]:
        """Run a recovery; where it leaves a live lease, once more after the lease has run out.

        They count as one recovery: points are numbered through, and a plan fires in the first that reaches its point.
        """
        processes = [self.restart("recover", start, trace=trace, plan=plan)]
        # A live lease keeps a recovery from doing its work: it is run again when the lease has run out.
        while len(processes) <= _MAX_LEASES and not (processes[-1].planned and processes[-1].fired):
            later = self._after_its_lease(processes[-1])
            if later is None:
                break
            earlier = tuple(point for process in processes for point in process.points)
            processes.append(self.restart("recover", later, trace=trace, plan=plan, earlier=earlier))
        return processes

    def again(self) -> Again:
        """Return a function that gives the state in which a worker's process is called again, None when it is over."""
        calls = 0

        def start(process: ProcessRun) -> RawState | None:
            nonlocal calls
            calls += 1
            if calls > _MAX_LEASES + 1:
                return None
            # First as the next task of a queue comes; after that only because a live lease kept the worker from it.
            world = process.end if calls == 1 else self._after_its_lease(process)
            return None if world is None else _a_moment_later(world)

        return start

    def is_over(self, process: ProcessRun) -> bool:
        """Return whether no further recovery follows this one.

        A recovery in which a fault fired is followed by a healthy one, unless it misread something and returned.
        """
        fired = process.planned > 0 and not (process.misread and self._leased_until(process.end) is None)
        return process.outcome.kind == "returned" and not fired

    def is_needed(self, process: ProcessRun) -> bool:
        """Return whether a supervisor would restart the agent now: after a crash, or an unhandled error."""
        if process.outcome.kind == "returned":
            return process.role == "recover" and not self.is_over(process)
        return process.outcome.kind != "raised" or process.role != "run" or self._config.errors != "handled"

    def outlasted(self, process: ProcessRun, plan: Sequence[ResolvedInjection]) -> list[ProcessRun]:
        """Run the recovery that meets faults which survive the restart; empty if there are none."""
        left = [
            replace(a, already_active=True) for i, a in enumerate(plan) if a.survives_restart and i in process.fired
        ]
        if not left or not self.is_needed(process):
            return []
        return self.recover(process.end, trace=self._look, plan=[replace(a, position=i) for i, a in enumerate(left)])

    def _after_its_lease(self, process: ProcessRun) -> RawState | None:
        """Return the end of a recovery when the lease that it leaves has run out; it was early then. None for none."""
        until = self._leased_until(process.end)
        if until is None:
            return None
        rare("a recovery waits for a lease to run out")
        process.came_early()
        return replace(process.end, clock=until + 1.0)

    def _leased_until(self, end: RawState) -> float | None:
        """Return when the last lease runs out that a fault-free run does not leave too; None where none is live."""
        done = self._baseline.done
        usual = live_leases(self._view.world(done), done.clock)
        live = live_leases(self._view.world(end), end.clock)
        return max((until for place, until in live.items() if place not in usual), default=None)

    def restart(
        self,
        role: Role,
        world: RawState,
        *,
        trace: Tracing = False,
        plan: Sequence[ResolvedInjection] = (),
        earlier: tuple[Point, ...] = (),
    ) -> ProcessRun:
        """Run a new process, one virtual second after the last one ended."""
        start = _a_moment_later(world)
        # Equal states get equal random numbers: what is merged would have gone the same way by itself.
        stream = f"{role.split()[0]}/{self._view.fingerprint(world)}"
        return self._executor.run_process(role, start, stream, plan, How(trace=trace, earlier=earlier))

    def followed(self, processes: Sequence[ProcessRun]) -> Course:
        """Ask what would come after these processes: another recovery, and where all is rolled back the task again."""
        end, baseline = processes[-1].end, self._baseline
        recovered = processes[-1].role == "recover" and processes[-1].outcome.kind == "returned"
        again = self._once("recover again", end, self._again) if recovered else None
        rolled_back = not self._view.difference(baseline.initial, end)
        rolled_back = rolled_back and bool(self._view.difference(baseline.done, end))
        # Undone to the last bit: a retry would be the fault-free run itself, whose end is known.
        undone = rolled_back and self._view.fingerprint(end) == self._before
        asks = rolled_back and not undone and self._config.retry
        return Course(tuple(processes), again, self._once("retry", end, self._retries) if asks else None, undone)

    def _once(self, role: Role, end: RawState, processes: dict[str, list[ProcessRun]]) -> ProcessRun:
        """Run a process from an end, or return one that started from an end that it cannot tell from this one."""
        if not self._merge:
            return self.restart(role, end, trace=self._look)
        fingerprint = self._joining.fingerprint
        alike = processes.setdefault(self._joining.weakest(end), [])
        for known in alike:
            # Both at the time of their end: fingerprints hold times by their distance to the clock.
            before = replace(known.start, clock=known.start.clock - RESTART_S)
            if fingerprint(before, known.footprint) == fingerprint(end, known.footprint):
                return known
        alike.append(self.restart(role, end))
        return alike[-1]


def _a_moment_later(world: RawState) -> RawState:
    return replace(world, clock=world.clock + RESTART_S)
