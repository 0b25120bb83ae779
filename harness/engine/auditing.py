"""Carry out truly what was merged: what no recovery can tell apart must end as its merged twin did."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from ..values.rare import rare
from ..values.schedule import Schedule
from .closure import Closure
from .confirming import Truly
from .execute import Executor, How
from .joining import Joining
from .lens import Lens
from .lives import Lived, Sighting
from .nodes import Node
from .plan import crash
from .reusing import Sample
from .session import Baseline
from .setting import Setting


@dataclass(slots=True)
class Audit:
    """Samples of what was merged, by the seed.

    Attributes:
        audited: how many merged schedules were run truly; `mismatches` how many of them ended otherwise.
        executions: how many processes that took.
        errors: what ended otherwise.
    """

    setting: Setting
    executor: Executor
    lens: Lens
    truly: Truly
    audited: int = 0
    mismatches: int = 0
    executions: int = 0
    errors: tuple[str, ...] = ()

    def equal_worlds(self, closure: Closure, baseline: Baseline) -> None:
        """Audit crashes that leave equal worlds: they break what their twin broke, and nothing else."""
        if self.setting.kill is None:
            return
        self.executor.allowance.deadline.check()
        dice = random.Random(self.setting.seed)
        sightings = list(baseline.first.sightings)
        dice.shuffle(sightings)
        merged = _merged(sightings, closure, self.lens, dice)
        for schedule, node in islice(merged, self.setting.audit):
            self._compare(schedule, node, whole=False)

    def joined(self, closure: Closure) -> None:
        """Audit crash states that differ in what nobody reads: their ends are judged equal, too."""
        merged = [(node.schedule, node) for node in closure.merging.joined]
        for schedule, node in self._sample(merged, self.setting.audit_joined):
            self._compare(schedule, node, whole=True)

    def used_processes(self) -> None:
        """Live a sample of what used processes lived again, in fresh ones: nothing may come otherwise."""
        with self._counted():
            for sample in self.executor.reusing.samples:
                self._live_again(sample)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count the processes of the block as the audit's, also where the budget ends it."""
        before = self.executor.telling.executions
        try:
            yield
        finally:
            self.executions += self.executor.telling.executions - before

    def _live_again(self, sample: Sample) -> None:
        used = sample.lived
        how = How(earlier=sample.earlier)
        fresh = self.executor.live(used.role, used.start, sample.stream, sample.plan, how)
        # of a pid that was written half is left, and not known as one
        torn = any(armed.injection.when == "middle" for armed in sample.plan)
        if self._course(fresh, torn) != self._course(used, torn):
            rare("a used process goes otherwise than a fresh one")
            struck = ", ".join(str(armed.injection) for armed in sample.plan) or "no fault"
            text = f"{used.role} with {struck} goes otherwise in a fresh process"
            hint = "perhaps the agent keeps something in memory: explore without --chaos-reuse"
            self.errors += (f"{text}; {hint}",)

    def _sample(self, merged: list[tuple[Schedule, Node]], most: int) -> list[tuple[Schedule, Node]]:
        return random.Random(self.setting.seed).sample(merged, min(most, len(merged)))

    def _compare(self, schedule: Schedule, node: Node, *, whole: bool) -> None:
        """Run a schedule truly and hold what comes against what came of the node that it was merged with."""
        with self._counted():
            truly, drifted, _ = self.truly(schedule)
        merged = node.judgement
        assert merged is not None
        self.audited += 1
        if drifted:
            self._mismatch(schedule, "drifts", merged.invariants)
        elif truly.invariants != merged.invariants:
            self._mismatch(schedule, f"breaks {list(truly.invariants) or 'nothing'}", merged.invariants)
        elif whole and self.lens.difference(merged.end, truly.end):
            joining = Joining(self.lens)  # names that a recovery made up may differ
            if joining.weakest(merged.end) != joining.weakest(truly.end):
                self._mismatch(schedule, "ends with another outside", merged.invariants)

    def _mismatch(self, schedule: Schedule, came: str, invariants: tuple[str, ...]) -> None:
        rare("a merged schedule ends otherwise by itself")
        self.mismatches += 1
        stood = f"the schedule that stood for it {f'breaks {list(invariants)}' if invariants else 'breaks nothing'}"
        self.errors += (f"{schedule} by itself {came}, and {stood}: --chaos-no-reduce merges nothing",)

    def _course(self, life: Lived, torn: bool) -> object:
        return life.outcome.kind, life.points, life.struck, "" if torn else self.lens.identity(life.end)


def _merged(
    sightings: Sequence[Sighting], closure: Closure, lens: Lens, dice: random.Random
) -> Iterator[tuple[Schedule, Node]]:
    """Yield merged crashes of the run, and one in the recovery from each, with the node that they lead to."""

    def judged(sighting: Sighting) -> Node | None:
        node = closure.nodes.get(lens.identity(sighting.world))
        return node if node is not None and node.judgement is not None and node.joined is None else None

    for sighting in sightings:
        node = judged(sighting)
        if node is None:
            continue
        first = Schedule((crash(sighting, recovering=False),))
        if first != node.schedule:
            yield first, node
        for inner in dice.sample(node.sightings, min(1, len(node.sightings))):
            second, schedule = judged(inner), first.then(crash(inner, recovering=True))
            if second is not None and schedule != second.schedule:
                yield schedule, second
