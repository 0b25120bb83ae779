"""Brute force: every crash, every fault, and every second one, each truly carried out. The measure of the closure."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..values.schedule import Schedule
from . import worker
from .config import ExplorationConfig
from .interleavings import from_there_on, other_interleavings
from .judge import Judgement
from .plan import crash, errors, resolve
from .process_runs import ProcessRun
from .replay import replay
from .trials import Trials

Judged = tuple[Schedule, Judgement, Judgement | None]
"""A schedule, how it ends, and how where its process is called again that an error left; None where that is not new."""


def everything(trials: Trials, not_reached: list[str]) -> Iterator[Judged]:
    """Judge every schedule of one fault, and every crash in the recovery from it; at depth 2 every fault there.

    Every crash in each other interleaving of the run, too. What an error leaves is recovered from in both ways.
    """
    config, first = trials.config, trials.baseline.first
    firsts = [Schedule((crash(s, recovering=False),)) for s in config.killed_at(first.crash_states)]
    chosen = config.points.of(first.points)
    firsts += [Schedule((injection,)) for injection, _ in errors(chosen, first.effects, config.faults)]
    orders = [Schedule((injection,)) for injection in other_interleavings(first)[0]]
    work = deque([*firsts, *orders])
    while work:
        schedule = work.popleft()
        processes, missed = replay(trials, schedule, trace=True)
        if missed:
            not_reached.extend([str(schedule)] * schedule.faults)
            continue
        yield _judged(trials, schedule, processes)
        if schedule in orders:
            seen = config.killed_at(from_there_on(processes[0], first, schedule.injections[0]))
            work.extend(schedule.then(crash(crash_state, recovering=False)) for crash_state in seen)
        for double in second_faults(config, processes, schedule):
            again, missed = replay(trials, double)
            not_reached += [str(double)] * bool(missed)
            if not missed:
                yield _judged(trials, double, again)


def _judged(trials: Trials, schedule: Schedule, processes: list[ProcessRun]) -> Judged:
    judgement = trials.judged(schedule, processes)
    plan = resolve(schedule, trials.config.known, trials.baseline.first.effects)
    return schedule, judgement, worker.judged(trials, processes[0], plan, judgement)


def second_faults(config: ExplorationConfig, processes: Iterable[ProcessRun], schedule: Schedule) -> Iterator[Schedule]:
    """Yield this schedule with each crash (at depth 2 each fault) in the recovery that these processes contain."""
    recoveries = [process for process in processes if process.role in ("recover early", "recover")]
    for process in recoveries:
        for crash_state in config.killed_at(process.crash_states):
            yield schedule.then(crash(crash_state, recovering=True))
        if config.depth > 1:
            for injection, _ in errors(config.points.of(process.points), process.effects, config.faults):
                yield schedule.then(replace(injection, recovering=True))
