"""Brute force: every crash and every second crash truly carried out, nothing merged. The measure of the closure."""

from collections.abc import Iterator

from ..values.schedule import Schedule
from .execute import Executor, Lived
from .judge import Judge, Judgement
from .observe import Baseline
from .plan import crash
from .replay import replay
from .setting import Setting

MAX_CRASHES = 2


def crashes(
    setting: Setting, executor: Executor, judge: Judge, baseline: Baseline
) -> Iterator[tuple[Schedule, Judgement]]:
    """Judge every schedule of one or two crashes by real kills."""
    for sighting in baseline.first.sightings:
        schedule = Schedule((crash(sighting, recovering=False),))
        lives, _ = replay(setting, executor, judge, schedule, baseline.initial, baseline.first, trace=True)
        yield schedule, judge.judge(lives)
        yield from second_crashes(setting, executor, judge, baseline, schedule, lives)


def second_crashes(
    setting: Setting, executor: Executor, judge: Judge, baseline: Baseline, schedule: Schedule, lives: list[Lived]
) -> Iterator[tuple[Schedule, Judgement]]:
    """Judge every crash during the recovery that these processes contain."""
    recovery = next((life for life in lives if life.role == "recover"), None)
    for sighting in recovery.sightings if recovery else ():
        double = schedule.then(crash(sighting, recovering=True))
        again, _ = replay(setting, executor, judge, double, baseline.initial, baseline.first)
        yield double, judge.judge(again)
