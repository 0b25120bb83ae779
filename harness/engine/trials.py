"""The parts that carry a schedule out: the executor runs processes, recovery what follows them, the judge judges."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..values.events import Events, Judged
from ..values.schedule import Schedule
from .config import ExplorationConfig
from .execute import Executor, Runner
from .judge import Judge, Judgement
from .process_runs import ProcessRun, Tracing
from .recovery import Recovery
from .session import Baseline
from .state_view import StateView


@dataclass(frozen=True, slots=True)
class Trials:
    """A schedule goes through `runner`, `recovery` and `judge`, in this order; the others are read.

    Attributes:
        runner: runs the processes of a schedule: the executor itself, but where a cure is tried.
    """

    config: ExplorationConfig
    view: StateView
    baseline: Baseline
    executor: Executor
    recovery: Recovery
    judge: Judge
    runner: Runner

    @property
    def events(self) -> Events:
        """The events that readers are told."""
        return self.executor.telling.events

    def judged(
        self, schedule: Schedule, processes: Sequence[ProcessRun], earlier: Sequence[ProcessRun] = ()
    ) -> Judgement:
        """Ask what would come after the processes of a schedule, judge it, and tell; `earlier` ones ran before them."""
        course = self.recovery.followed(processes)
        with self.executor.telling.spent.on("judge"):
            judgement = self.judge.judge(course, earlier)
        self.events.tell(Judged(schedule, judgement.invariants, judgement.errors))
        return judgement


def trials(
    executor: Executor,
    view: StateView,
    baseline: Baseline,
    *,
    merge: bool = True,
    look: Tracing = False,
    runner: Runner | None = None,
) -> Trials:
    """Return the parts that carry schedules out; without `merge` each schedule has processes of its own.

    `look` says whether the outside is looked at also in processes that nothing is planned on.
    """
    config, runner = executor.config, runner or executor
    recovery = Recovery(config, runner, view, baseline, merge, look)
    return Trials(config, view, baseline, executor, recovery, Judge(config, view, baseline), runner)
