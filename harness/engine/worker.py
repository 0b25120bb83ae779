"""A worker's process goes on after an error has left `run`, and calls `recover`, or `run` again, in the same memory.

A new process knows nothing of what the error left in the old one: a lock that names a living process, a cache, a
connection in the middle of a transaction. So the end of a worker's process is never merged with that of a new one,
though both left the same outside.
Kin: the workers of Celery, RQ and arq, which catch what a task raises and take the next one, or the same one again.
"""

from collections.abc import Sequence

from ..boundary.resolved import ResolvedInjection
from ..values.actions import Fail, Kill
from ..values.rare import rare
from ..values.schedule import Schedule
from .execute import Again, How
from .judge import Judgement
from .process_runs import FIRST_STREAM, ProcessRun
from .trials import Trials


def again(trials: Trials, plan: Sequence[ResolvedInjection]) -> Again | None:
    """Return the function that gives the state in which a worker goes on; None where no worker does under this plan.

    A worker ends when its process is killed, interrupted or cancelled.
    """
    ends = any(isinstance(a.action, Kill) or (isinstance(a.action, Fail) and _ends(a.action.error)) for a in plan)
    return trials.recovery.again() if trials.config.worker and not ends else None


def _ends(error: BaseException) -> bool:
    return not isinstance(error, Exception)


def called_again(
    trials: Trials, process: ProcessRun, plan: Sequence[ResolvedInjection], *, trace: bool
) -> list[ProcessRun]:
    """Return a run that an error left and the calls that followed in its process; empty where none followed.

    If that process had to end first (`ProcessRun.apart`), another one repeats the run, and goes on. With `trace` the
    outside is looked at at every point.
    """
    if process.apart or (trace and process.called_again):
        rare("a run is repeated to be called again")
        plan = tuple(plan)
        how = How(trace=trace, again=again(trials, plan), apart=True)
        process = trials.runner.run_process("run", process.start, FIRST_STREAM, plan, how)
    return [process, *process.called_again] if process.called_again else []


def judged(
    trials: Trials, process: ProcessRun, plan: Sequence[ResolvedInjection], restarted: Judgement
) -> Judgement | None:
    """Judge a run that is called again in its process.

    Returns None where it is not called again, and where the judgement equals `restarted`, that of a new process.
    """
    processes = called_again(trials, process, plan, trace=False)
    if not processes:
        return None
    schedule = Schedule(tuple(resolved.injection for resolved in plan))
    judgement = trials.judged(schedule, processes)
    if judgement.invariants == restarted.invariants and judgement.diff == restarted.diff:
        return None if judgement.errors == restarted.errors else judgement
    if not judgement.broken:
        return judgement
    traced = called_again(trials, process, plan, trace=True)
    # which effect is behind it is known of a traced process only
    return trials.judged(schedule, traced) if traced else judgement
