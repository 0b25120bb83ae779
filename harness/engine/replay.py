"""Carry one schedule out truly: every process from the last one's outside, every crash a real SIGKILL."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..boundary.armed import Armed
from ..values.schedule import Schedule
from ..values.strikes import Kill
from . import worker as workers
from .execute import Executor
from .judge import Judge, Judgement
from .lives import FIRST_STREAM, Lived, Snapshot
from .plan import arm
from .setting import Setting


class Judged(NamedTuple):
    """How a schedule ended that was carried out truly, and the injections that never struck (drifted).

    `again` is how it ends where an error left `run` and its process is called again: None where that is not so, and
    where it says nothing new.
    """

    judgement: Judgement
    drifted: list[str]
    again: Judgement | None = None


def replay(
    setting: Setting,
    executor: Executor,
    judge: Judge,
    schedule: Schedule,
    initial: Snapshot,
    run: Lived,
    *,
    trace: bool = False,
    worker: bool = True,
) -> tuple[list[Lived], list[str]]:
    """Run a schedule from the initial world through its last recovery.

    Args:
        worker: whether the process is called again that an error leaves; see `worker`.

    Returns:
        The processes, and the injections that never struck (drifted).
    """
    armed = arm(schedule, setting.known, run.effects)
    first = [a for a in armed if not a.injection.recovering]
    then = workers.again(setting, judge, first) if worker and len(first) == len(armed) else None
    life = executor.live("run", initial, FIRST_STREAM, _renumbered(first), trace=trace, again=then)
    lives, drifted = [life, *outlasted(setting, judge, life, first)], _unstruck(first, life)
    for process in _recoveries([a for a in armed if a.injection.recovering]):
        if not needs_recovery(setting, judge, lives[-1]):
            drifted += [str(a.injection) for a in process]
            continue
        lives += judge.recover(lives[-1].end, trace=trace, plan=_renumbered(process))
        drifted += _unstruck(process, lives[-1])
        lives += outlasted(setting, judge, lives[-1], process)
    if needs_recovery(setting, judge, lives[-1]):
        lives += judge.recover(lives[-1].end, trace=trace)
    return lives, drifted


def outlasted(setting: Setting, judge: Judge, life: Lived, plan: Sequence[Armed]) -> list[Lived]:
    """Let the recovery after a process meet what struck in it and is not over; empty where nothing outlives it."""
    left = [replace(a, begun=True) for i, a in enumerate(plan) if a.outlives and i in life.struck]
    if not left or not needs_recovery(setting, judge, life):
        return []
    return judge.recover(life.end, trace=False, plan=_renumbered(left))


def needs_recovery(setting: Setting, judge: Judge, life: Lived) -> bool:
    """Say whether a service would start again after this: a crash, or an error that nobody handles."""
    if life.outcome.kind == "returned":
        return life.role == "recover" and not judge.is_over(life)
    return life.outcome.kind != "raised" or life.role != "run" or setting.errors != "handled"


def judged(
    setting: Setting,
    executor: Executor,
    judge: Judge,
    schedule: Schedule,
    initial: Snapshot,
    run: Lived,
    *,
    trace: bool = False,
    worker: bool = True,
) -> Judged:
    """Carry a schedule out and judge it; with `trace` the outside is looked at at every point."""
    lives, drifted = replay(setting, executor, judge, schedule, initial, run, trace=trace, worker=worker)
    judgement = judge.judge(lives)
    plan = _renumbered(arm(schedule, setting.known, run.effects))
    then = workers.judged(setting, executor, judge, lives[0], plan, judgement) if worker and not drifted else None
    return Judged(judgement, drifted, then)


def _recoveries(armed: Sequence[Armed]) -> Iterator[list[Armed]]:
    """Split injections into processes: each crash ends one."""
    process: list[Armed] = []
    for one in armed:
        process.append(one)
        if isinstance(one.strike, Kill):
            yield process
            process = []
    if process:
        yield process


def _renumbered(armed: Sequence[Armed]) -> list[Armed]:
    return [replace(a, position=i) for i, a in enumerate(armed)]


def _unstruck(armed: Sequence[Armed], life: Lived) -> list[str]:
    return [str(a.injection) for i, a in enumerate(armed) if i not in life.struck]
