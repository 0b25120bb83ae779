"""A worker's process goes on after an error has left `run`, and calls `recover`, or `run` again, in the same memory.

A new process knows nothing of what the error left in the old one: a lock that names a living process, a cache, a
connection in the middle of a transaction. So the end of a worker's process is never merged with that of a new one,
though both left the same outside.
Kin: the workers of Celery, RQ and arq, which catch what a task raises and take the next one, or the same one again.
"""

from collections.abc import Sequence

from ..boundary.armed import Armed
from ..values.strikes import Fail, Kill
from .execute import Again, Executor
from .judge import Judge, Judgement
from .lives import FIRST_STREAM, Lived
from .setting import Setting


def again(setting: Setting, judge: Judge, plan: Sequence[Armed]) -> Again | None:
    """Return the function that tells from which world a worker goes on; None where no worker does under this plan.

    A worker ends when its process is killed, interrupted or cancelled.
    """
    ends = any(isinstance(a.strike, Kill) or (isinstance(a.strike, Fail) and _ends(a.strike.error)) for a in plan)
    return judge.again() if setting.worker and not ends else None


def _ends(error: BaseException) -> bool:
    return not isinstance(error, Exception)


def called_again(
    setting: Setting, executor: Executor, judge: Judge, life: Lived, plan: Sequence[Armed], *, trace: bool
) -> list[Lived]:
    """Return a run that an error left and the calls that followed in its process; empty where none followed.

    If that process had to end first (`Lived.apart`), another one repeats the run, and goes on. With `trace` the outside
    is looked at at every point.
    """
    if life.apart or (trace and life.called_again):
        plan = tuple(plan)
        then = again(setting, judge, plan)
        life = executor.live("run", life.start, FIRST_STREAM, plan, trace=trace, again=then, apart=True)
    return [life, *life.called_again] if life.called_again else []


def judged(
    setting: Setting,
    executor: Executor,
    judge: Judge,
    life: Lived,
    plan: Sequence[Armed],
    restarted: Judgement,
) -> Judgement | None:
    """Judge a run that is called again in its process.

    Returns None where it is not called again, and where the judgement equals `restarted`, that of a new process.
    """
    lives = called_again(setting, executor, judge, life, plan, trace=False)
    if not lives:
        return None
    judgement = judge.judge(lives)
    if judgement.invariants == restarted.invariants and judgement.diff == restarted.diff:
        return None if judgement.errors == restarted.errors else judgement
    if not judgement.broken:
        return judgement
    traced = called_again(setting, executor, judge, life, plan, trace=True)
    return judge.judge(traced) if traced else judgement  # which effect is behind it is known of a traced process only
