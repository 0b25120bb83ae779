"""Do one piece of work after the other, as far as the budget lasts, and look at what was found after each."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..values.rare import rare
from ..values.schedule import Schedule
from .budget import OutOfTime
from .crash_state_space import CrashStateSpace
from .nodes import Node, Stage
from .process_runs import ProcessRun
from .tallying import Tallying
from .trials import Trials


@dataclass(slots=True)
class Pace:
    """Does work, and counts what the budget leaves out.

    Attributes:
        between: is called after each piece, to look at what was found; ends it all by raising FirstFound.
        skipped: how many schedules were left out, by the name of the rule.
    """

    trials: Trials
    space: CrashStateSpace
    tally: Tallying
    between: Callable[[], None]
    skipped: Counter[str] = field(default_factory=Counter)

    def attempt(self, work: Callable[[], object], count: int = 1) -> None:
        """Do a piece of work, or count it as left out where the budget does not last."""
        try:
            self.trials.executor.allowance.deadline.check()
            work()
        except OutOfTime:
            rare("the budget is spent before a schedule")
            self.skipped["budget"] += count
        else:
            self.between()

    def missed(self, schedule: Schedule, processes: Sequence[ProcessRun]) -> None:
        """Count a schedule of which one fault did not fire in these processes.

        If a relay came to it when the connection was over, the schedule is left out: another time it is early enough.
        Otherwise its point was not reached.
        """
        if any(process.late for process in processes):
            rare("a relay's fault comes too late")
            self.skipped["too_late"] += 1
        else:
            rare("a planned fault is not reached")
            self.tally.not_reached.append(str(schedule))

    def close(self, until: Stage) -> None:
        """Recover from all crash states that wait for this stage, or leave all out where the budget does not last."""
        try:
            for node in self.space.run(until):
                self.tally.found(node)
                self.between()
                # Earlier stages try what is likelier than another interleaving of a recovery.
                if until >= Stage.INTERLEAVING:
                    self.reorder(node)
        except OutOfTime:
            self.skipped["budget"] += self.space.abandon()

    def close_all(self, until: Stage) -> None:
        """Recover from all that wait, and from those that a later read takes apart again."""
        self.close(until)
        while self.space.take_apart():
            self.close(until)

    def reorder(self, node: Node) -> None:
        """Recover from a crash state once more for each other interleaving of its recovery."""
        for ordered in self.space.reorder(node):
            self.tally.count(node.schedule.then(ordered.injection), ordered.judgement)
