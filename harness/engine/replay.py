"""Carry one schedule out truly: every process from the last one's outside, every crash a real SIGKILL."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..boundary.resolved import ResolvedInjection
from ..values.actions import Kill
from ..values.schedule import Schedule
from . import worker as workers
from .execute import How
from .judge import Judgement
from .plan import resolve
from .process_runs import FIRST_STREAM, ProcessRun, Tracing
from .trials import Trials


class Judged(NamedTuple):
    """The judgement of a schedule that was run from the start, and the injections that were not reached.

    `again` is how it ends where an error left `run` and its process is called again: None where that is not so, and
    where it says nothing new.
    """

    judgement: Judgement
    not_reached: list[str]
    again: Judgement | None = None


def replay(
    trials: Trials, schedule: Schedule, *, trace: Tracing = False, worker: bool = True
) -> tuple[list[ProcessRun], list[str]]:
    """Run a schedule from the initial state through its last recovery.

    Args:
        trace: whether the outside is looked at at every point.
        worker: whether the process is called again that an error leaves; see `worker`.

    Returns:
        The processes, and the injections that never fired (not reached).
    """
    recovery, baseline = trials.recovery, trials.baseline
    resolved = resolve(schedule, trials.config.known, baseline.first.effects)
    first = [a for a in resolved if not a.injection.recovering]
    # An injection in a recovery is about a new process.
    then = workers.again(trials, first) if worker and len(first) == len(resolved) else None
    how = How(trace=trace, again=then)
    process_run = trials.runner.run_process("run", baseline.initial, FIRST_STREAM, _renumbered(first), how)
    processes, not_reached = [process_run, *recovery.outlasted(process_run, first)], _not_fired(first, process_run)
    for process in _recoveries([a for a in resolved if a.injection.recovering]):
        if not recovery.is_needed(processes[-1]):
            # The process before ended well: nothing recovers, so these points do not come.
            not_reached += [str(a.injection) for a in process]
            continue
        processes += recovery.recover(processes[-1].end, trace=trace, plan=_renumbered(process))
        not_reached += _not_fired(process, processes[-1])
        processes += recovery.outlasted(processes[-1], process)
    if recovery.is_needed(processes[-1]):
        processes += recovery.recover(processes[-1].end, trace=trace)
    return processes, not_reached


def judged(trials: Trials, schedule: Schedule, *, trace: Tracing = False, worker: bool = True) -> Judged:
    """Carry a schedule out and judge it; with `trace` the outside is looked at at every point."""
    processes, not_reached = replay(trials, schedule, trace=trace, worker=worker)
    judgement = trials.judged(schedule, processes)
    plan = _renumbered(resolve(schedule, trials.config.known, trials.baseline.first.effects))
    then = workers.judged(trials, processes[0], plan, judgement) if worker and not not_reached else None
    return Judged(judgement, not_reached, then)


def _recoveries(resolved: Sequence[ResolvedInjection]) -> Iterator[list[ResolvedInjection]]:
    """Split injections into processes: each crash ends one."""
    process: list[ResolvedInjection] = []
    for one in resolved:
        process.append(one)
        if isinstance(one.action, Kill):
            yield process
            process = []
    if process:
        yield process


def _renumbered(resolved: Sequence[ResolvedInjection]) -> list[ResolvedInjection]:
    return [replace(a, position=i) for i, a in enumerate(resolved)]


def _not_fired(resolved: Sequence[ResolvedInjection], process: ProcessRun) -> list[str]:
    return [str(a.injection) for i, a in enumerate(resolved) if i not in process.fired]
