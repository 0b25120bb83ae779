"""The parts that carry a schedule out: the executor runs processes, recovery what follows them, the judge judges."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..values.events import Events, Judged
from ..values.schedule import Schedule
from .execute import Executor
from .judge import Judge, Judgement
from .lens import Lens
from .lives import Lived
from .recovery import Recovery
from .session import Baseline
from .setting import Setting


@dataclass(frozen=True, slots=True)
class Trials:
    """A schedule goes through `executor`, `recovery` and `judge`, in this order; the others are read."""

    setting: Setting
    lens: Lens
    baseline: Baseline
    executor: Executor
    recovery: Recovery
    judge: Judge

    @property
    def events(self) -> Events:
        """What is told of them."""
        return self.executor.telling.events

    def judged(self, schedule: Schedule, lives: Sequence[Lived], earlier: Sequence[Lived] = ()) -> Judgement:
        """Ask what would come after the processes of a schedule, judge it, and tell; `earlier` ones ran before them."""
        judgement = self.judge.judge(self.recovery.followed(lives), earlier)
        self.events.tell(Judged(schedule, judgement.invariants, judgement.errors))
        return judgement


def trials(executor: Executor, lens: Lens, baseline: Baseline, *, merge: bool = True) -> Trials:
    """Return what carries schedules out; without `merge` each asks for processes of its own, nothing remembered."""
    setting = executor.setting
    recovery = Recovery(setting, executor, lens, baseline, merge=merge)
    return Trials(setting, lens, baseline, executor, recovery, Judge(setting, lens, baseline))
