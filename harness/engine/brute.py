"""Brute force: every crash, every fault, and every second one, each truly carried out. The measure of the closure."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..values.schedule import Schedule
from . import worker
from .judge import Judgement
from .lives import Lived
from .orders import from_there_on, other_orders
from .plan import arm, crash, errors
from .replay import replay
from .setting import Setting
from .trials import Trials

Judged = tuple[Schedule, Judgement, Judgement | None]
"""A schedule, how it ends, and how where its process is called again that an error left; None where that is not new."""


def everything(trials: Trials, drifted: list[str]) -> Iterator[Judged]:
    """Judge every schedule of one fault, and every crash in the recovery from it; at depth 2 every fault there.

    Every crash in each other order of the run's effects, too. What an error leaves is recovered from in both ways.
    """
    setting, first = trials.setting, trials.baseline.first
    firsts = [Schedule((crash(s, recovering=False),)) for s in first.sightings if setting.kill is not None]
    firsts += [Schedule((injection,)) for injection, _ in errors(first.points, first.effects, setting.faults)]
    orders = [Schedule((injection,)) for injection in other_orders(first)[0]]
    work = deque([*firsts, *orders])
    while work:
        schedule = work.popleft()
        lives, missed = replay(trials, schedule, trace=True)
        if missed:
            drifted.extend([str(schedule)] * schedule.faults)
            continue
        yield _judged(trials, schedule, lives)
        if schedule in orders and setting.kill is not None:
            seen = from_there_on(lives[0], first, schedule.injections[0])
            work.extend(schedule.then(crash(sighting, recovering=False)) for sighting in seen)
        for double in second_faults(setting, lives, schedule):
            again, missed = replay(trials, double)
            drifted += [str(double)] * bool(missed)
            if not missed:
                yield _judged(trials, double, again)


def _judged(trials: Trials, schedule: Schedule, lives: list[Lived]) -> Judged:
    judgement = trials.judged(schedule, lives)
    plan = arm(schedule, trials.setting.known, trials.baseline.first.effects)
    return schedule, judgement, worker.judged(trials, lives[0], plan, judgement)


def second_faults(setting: Setting, lives: Iterable[Lived], schedule: Schedule) -> Iterator[Schedule]:
    """Yield this schedule with each crash (at depth 2 each fault) in the recovery that these processes contain."""
    recoveries = [life for life in lives if life.role in ("recover early", "recover")]
    for life in recoveries:
        if setting.kill is not None:
            yield from (schedule.then(crash(sighting, recovering=True)) for sighting in life.sightings)
        if setting.depth > 1:
            for injection, _ in errors(life.points, life.effects, setting.faults):
                yield schedule.then(replace(injection, recovering=True))
