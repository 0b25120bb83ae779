"""Carry one schedule out truly: every process from the last one's outside, every crash a real SIGKILL."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..boundary.armed import Armed
from ..values.schedule import Schedule
from ..values.strikes import Kill
from . import worker as workers
from .execute import How
from .judge import Judgement
from .lives import FIRST_STREAM, Lived
from .plan import arm
from .trials import Trials


class Judged(NamedTuple):
    """How a schedule ended that was carried out truly, and the injections that never struck (drifted).

    `again` is how it ends where an error left `run` and its process is called again: None where that is not so, and
    where it says nothing new.
    """

    judgement: Judgement
    drifted: list[str]
    again: Judgement | None = None


def replay(
    trials: Trials, schedule: Schedule, *, trace: bool = False, worker: bool = True
) -> tuple[list[Lived], list[str]]:
    """Run a schedule from the initial world through its last recovery.

    Args:
        trace: whether the outside is looked at at every point.
        worker: whether the process is called again that an error leaves; see `worker`.

    Returns:
        The processes, and the injections that never struck (drifted).
    """
    recovery, baseline = trials.recovery, trials.baseline
    armed = arm(schedule, trials.setting.known, baseline.first.effects)
    first = [a for a in armed if not a.injection.recovering]
    then = workers.again(trials, first) if worker and len(first) == len(armed) else None
    how = How(trace=trace, again=then)
    life = trials.executor.live("run", baseline.initial, FIRST_STREAM, _renumbered(first), how)
    lives, drifted = [life, *recovery.outlasted(life, first)], _unstruck(first, life)
    for process in _recoveries([a for a in armed if a.injection.recovering]):
        if not recovery.is_needed(lives[-1]):
            drifted += [str(a.injection) for a in process]
            continue
        lives += recovery.recover(lives[-1].end, trace=trace, plan=_renumbered(process))
        drifted += _unstruck(process, lives[-1])
        lives += recovery.outlasted(lives[-1], process)
    if recovery.is_needed(lives[-1]):
        lives += recovery.recover(lives[-1].end, trace=trace)
    return lives, drifted


def judged(trials: Trials, schedule: Schedule, *, trace: bool = False, worker: bool = True) -> Judged:
    """Carry a schedule out and judge it; with `trace` the outside is looked at at every point."""
    lives, drifted = replay(trials, schedule, trace=trace, worker=worker)
    judgement = trials.judged(schedule, lives)
    plan = _renumbered(arm(schedule, trials.setting.known, trials.baseline.first.effects))
    then = workers.judged(trials, lives[0], plan, judgement) if worker and not drifted else None
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
