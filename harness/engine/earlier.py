"""Look for what an earlier run found and this one did not: its schedules are carried out once more, truly."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from ..values.earlier import EarlierFinding, Replayed, left_to_others
from ..values.errors import ChaosError
from ..values.schedule import SWAP, Schedule
from .config import ExplorationConfig
from .exploring import Exploring
from .findings import FirstFound
from .plan import CRASH, fits

_CUT_SHORT = {"budget": "the budget ran out", "first_finding": "the exploration ended at its first finding"}


class Earlier:
    """Compares an exploration with the findings of an earlier run.

    Args:
        ids: returns the ids of what is confirmed by now.

    Attributes:
        replayed: what came of each schedule that was carried out once more, by the id of its finding.
        not_looked_at: why each of the others was not.
    """

    def __init__(self, exploring: Exploring, ids: Callable[[], Sequence[str]]) -> None:
        self._exploring, self._ids = exploring, ids
        self.replayed: dict[str, Replayed] = {}
        self.not_looked_at: dict[str, str] = {}

    def look(self, findings: Sequence[EarlierFinding]) -> None:
        """Replay those earlier findings that this run did not meet; one that still fails is a finding of this run."""
        found = {*self._ids()} if findings else set()
        for finding in findings:
            if finding.id in found:
                continue
            schedule, why = self._schedule(finding)
            if schedule is None:
                self.not_looked_at[finding.id] = why
            else:
                self.replayed[finding.id] = self._carried_out(schedule)
        found = {*self._ids()} if "fails" in self.replayed.values() else set()
        self.replayed = {id: came for id, came in self.replayed.items() if id not in found}

    def _schedule(self, finding: EarlierFinding) -> tuple[Schedule | None, str]:
        """Return the schedule to carry out, or why this exploration did not look at it."""
        config = self._exploring.trials.config
        for rule, why in _CUT_SHORT.items():
            if self._exploring.skipped.get(rule):
                return None, why
        if self._exploring.until is not None and time.monotonic() > self._exploring.until:
            return None, _CUT_SHORT["budget"]
        try:
            schedule = Schedule.parse(finding.schedule)
        except ChaosError:
            return None, "its schedule is of another version"
        why = left_to_others(finding.id, config.shard) or _left_out(schedule, config)
        return (None, why) if why else (schedule, "")

    def _carried_out(self, schedule: Schedule) -> Replayed:
        exploring, executor = self._exploring, self._exploring.trials.executor
        if not fits(schedule, exploring.trials.config.known, exploring.session.baseline.first.effects):
            return "not reached"
        with executor.afresh():
            judgement, not_reached, again = exploring.truly(schedule, trace=True)
            if not_reached:
                return "not reached"
            ends = [end for end in (judgement, again) if end is not None]
            failing = [end for end in ends if end.broken and not end.errors]
            for end in failing:
                exploring.findings.begin(schedule, end)
            with suppress(FirstFound):
                exploring.confirming.look()
        if failing:
            return "fails"
        return "not judged" if any(end.errors for end in ends) else "holds"


def _left_out(schedule: Schedule, config: ExplorationConfig) -> str:
    """Return why an exploration with these settings does not try a schedule; "" where it does."""
    selected = {fault.name for fault in config.faults} | {SWAP}
    for injection in schedule.injections:
        if injection.fault not in selected:
            return f"{injection.fault} is not selected"
        if injection.fault != SWAP and not config.points.has(injection.point):
            return f"no fault is placed at {injection.point} ({config.points.option})"
    crashes = {CRASH, SWAP} | {fault.name for fault in config.faults if fault.rereads}
    errors = sum(injection.fault not in crashes for injection in schedule.injections)
    return f"it needs --chaos-depth={errors}" if errors == 2 and config.depth == 1 and config.draws is None else ""
