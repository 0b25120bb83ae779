"""Carry out truly what was merged: what no recovery can tell apart must end as its merged twin did."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from ..values.rare import rare
from ..values.schedule import Schedule
from .config import ExplorationConfig
from .confirming import Truly
from .crash_state_space import CrashStateSpace
from .execute import Executor, How
from .joining import Joining
from .nodes import Node
from .plan import crash
from .process_runs import CrashState, ProcessRun
from .reusing import Sample
from .session import Baseline
from .state_view import StateView


@dataclass(slots=True)
class Audit:
    """Runs a seeded sample of merged schedules unmerged, and compares.

    Attributes:
        audited: how many merged schedules were run truly; `mismatches` how many of them ended otherwise.
        executions: how many processes that took.
        errors: a sentence for each schedule that ended otherwise.
    """

    config: ExplorationConfig
    executor: Executor
    view: StateView
    truly: Truly
    audited: int = 0
    mismatches: int = 0
    executions: int = 0
    errors: tuple[str, ...] = ()

    def equal_worlds(self, space: CrashStateSpace, baseline: Baseline) -> None:
        """Audit crashes that leave equal crash states: each breaks what its twin broke, and nothing else."""
        if self.config.kill is None:
            return
        self.executor.allowance.deadline.check()
        # Seeded: a repetition audits the same schedules.
        dice = random.Random(self.config.seed)
        crash_states = self.config.killed_at(baseline.first.crash_states)
        dice.shuffle(crash_states)
        merged = _merged(crash_states, space, self, dice)
        for schedule, node in islice(merged, self.config.audit):
            self._compare(schedule, node, whole=False)

    def joined(self, space: CrashStateSpace) -> None:
        """Audit joined crash states, which differ in what nobody reads: their ends are judged equal, too."""
        merged = [(node.schedule, node) for node in space.merging.joined]
        for schedule, node in self._sample(merged, self.config.audit_joined):
            self._compare(schedule, node, whole=True)

    def used_processes(self) -> None:
        """Run a sample of the runs of used processes again in fresh ones, and compare."""
        with self._counted():
            for sample in self.executor.reusing.samples:
                self._run_again(sample)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count the processes of the block as the audit's, also where the budget ends it."""
        before = self.executor.telling.executions
        try:
            with self.executor.telling.set_apart("checking what was merged"):
                yield
        finally:
            self.executions += self.executor.telling.executions - before

    def _run_again(self, sample: Sample) -> None:
        used = sample.process
        how = How(earlier=sample.earlier)
        fresh = self.executor.run_process(used.role, used.start, sample.stream, sample.plan, how)
        # of a pid that was written half is left, and not known as one
        torn = any(resolved.injection.when == "middle" for resolved in sample.plan)
        if self._course(fresh, torn) != self._course(used, torn):
            rare("a used process goes otherwise than a fresh one")
            fired = ", ".join(str(resolved.injection) for resolved in sample.plan) or "no fault"
            text = f"{used.role} with {fired} goes otherwise in a fresh process"
            hint = "perhaps the agent keeps something in memory: explore without --chaos-reuse"
            self.errors += (f"{text}; {hint}",)

    def _sample(self, merged: list[tuple[Schedule, Node]], most: int) -> list[tuple[Schedule, Node]]:
        return random.Random(self.config.seed).sample(merged, min(most, len(merged)))

    def _compare(self, schedule: Schedule, node: Node, *, whole: bool) -> None:
        """Run a schedule from the start, and compare its judgement with that of the node it was merged with."""
        with self._counted():
            truly, not_reached, _ = self.truly(schedule)
        merged = node.judgement
        assert merged is not None
        self.audited += 1
        if not_reached:
            self._mismatch(schedule, "drifts", merged.invariants)
        elif truly.invariants != merged.invariants:
            self._mismatch(schedule, f"breaks {list(truly.invariants) or 'nothing'}", merged.invariants)
        elif whole and self.view.difference(merged.end, truly.end):
            joining = Joining(self.view)  # names that a recovery made up may differ
            if joining.weakest(merged.end) != joining.weakest(truly.end):
                self._mismatch(schedule, "ends with another outside", merged.invariants)

    def _mismatch(self, schedule: Schedule, came: str, invariants: tuple[str, ...]) -> None:
        rare("a merged schedule ends otherwise by itself")
        self.mismatches += 1
        stood = f"the schedule that stood for it {f'breaks {list(invariants)}' if invariants else 'breaks nothing'}"
        self.errors += (f"{schedule} by itself {came}, and {stood}: --chaos-no-reduce merges nothing",)

    def _course(self, process: ProcessRun, torn: bool) -> object:
        return process.outcome.kind, process.points, process.fired, "" if torn else self.view.fingerprint(process.end)


def _merged(
    crash_states: Sequence[CrashState], space: CrashStateSpace, audit: Audit, dice: random.Random
) -> Iterator[tuple[Schedule, Node]]:
    """Yield merged crashes of the run, and one in the recovery from each, with the node that they lead to."""

    def recovered_node(crash_state: CrashState) -> Node | None:
        node = space.nodes.get(audit.view.fingerprint(crash_state.raw_state))
        return node if node is not None and node.judgement is not None and node.joined is None else None

    for crash_state in crash_states:
        node = recovered_node(crash_state)
        if node is None:
            continue
        first = Schedule((crash(crash_state, recovering=False),))
        # The schedule that stands for a node was itself carried out; only the others were merged.
        if first != node.schedule:
            yield first, node
        again = audit.config.killed_at(node.crash_states)
        for inner in dice.sample(again, min(1, len(again))):
            second, schedule = recovered_node(inner), first.then(crash(inner, recovering=True))
            if second is not None and schedule != second.schedule:
                yield schedule, second
