"""An error that leaves `run` in the process of a worker: that goes on, and calls again what it calls, in its memory.

A new process knows nothing of what an error left in the old one: a lock that names a living process, a cache, a
connection in the middle of a transaction. So this end is never merged with that of a new process by the outside alone.
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
    """Return what says from which world a worker goes on; None where there is none, or where it ends.

    A worker ends with its process, and where it is interrupted or cancelled.
    """
    ends = any(isinstance(a.strike, Kill) or (isinstance(a.strike, Fail) and _ends(a.strike.error)) for a in plan)
    return judge.again() if setting.worker and not ends else None


def _ends(error: BaseException) -> bool:
    return not isinstance(error, Exception)


def called_again(
    setting: Setting, executor: Executor, judge: Judge, life: Lived, plan: Sequence[Armed], *, trace: bool
) -> list[Lived]:
    """Return a run that an error left and the calls that followed in its process; nothing where there was none.

    Where that process had to end first, another one does the same until then. With `trace` the outside is looked at at
    every point.
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
    """Judge how a run ends that is called again in its process.

    None where it is not, and where that says nothing that `restarted`, by a new process, does not.
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
