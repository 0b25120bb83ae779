"""From run to run: the new, resolved and known findings of an exploration, given an earlier run and accepted ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from .earlier import ByLabel, EarlierFinding, Replayed
from .exploration import Exploration
from .ids import violation_ids
from .known import Known
from .replaying import ReplayCommand
from .report import ReportedExploration, ReportedViolation, reported

_REPLAYED = ("holds", "not reached")
_STILL: dict[Replayed, str] = {
    "fails": "its schedule still fails, as another finding",
    "not judged": "its schedule could not be judged",
}


@dataclass(frozen=True, slots=True)
class Runs:
    """An earlier run of one test, and all that is known.

    Attributes:
        compared: the name of the earlier run.
        earlier: its findings in this test; None if it did not run the test.
        is_whole: whether an exploration that is not there was not there in that run; otherwise nothing is known of it.
        known: the known findings by id, those of other tests included.
        labels: names and texts by which reports sort the test.
    """

    compared: str = ""
    earlier: ByLabel | None = None
    is_whole: bool = False
    known: Mapping[str, Known] = field(default_factory=dict)
    today: date = date.min
    labels: tuple[tuple[str, str], ...] = ()

    def of(self, label: str) -> tuple[EarlierFinding, ...]:
        """Return the findings of the earlier run in one exploration of the test."""
        return (self.earlier or {}).get(label, ())

    @property
    def accepted(self) -> frozenset[str]:
        """Return the ids of the findings that do not fail a test today."""
        return frozenset(id for id, known in self.known.items() if known.holds(self.today))

    def failing(self, exploration: Exploration) -> Exploration:
        """Return an exploration without the violations that are accepted."""
        accepted = self.accepted
        ids = violation_ids(exploration.test, exploration.violations) if accepted else ()
        if accepted.isdisjoint(ids):
            return exploration
        left = [one for id, one in zip(ids, exploration.violations, strict=True) if id not in accepted]
        return replace(exploration, violations=tuple(left))

    def reported(self, exploration: Exploration, replay: ReplayCommand) -> ReportedExploration:
        """Return an exploration in the form of a report, with its new, resolved and known findings."""
        result = reported(exploration, replay)
        for violation in result["violations"]:
            self._mark(violation)
        result["labels"] = list(self.labels)
        result["known"] = [violation["id"] for violation in result["violations"] if violation["known"]]
        if self.earlier is None or not (self.is_whole or exploration.label in self.earlier):
            return result
        before = {one.id: one for one in self.of(exploration.label)}
        for violation in result["violations"]:
            violation["new"] = violation["id"] not in before
        outcomes = exploration.replayed
        resolved = [one for id, one in before.items() if outcomes.get(id) in _REPLAYED]
        result["compared"] = self.compared
        result["resolved"] = [one.id for one in resolved]
        result["fixed"] = [
            {"id": one.id, "title": one.title, "schedule": one.schedule, "replayed": outcomes[one.id] == "holds"}
            for one in resolved
        ]
        unresolved = {id: f"not looked at, {why}" for id, why in exploration.not_looked_at.items()}
        unresolved |= {id: _STILL[came] for id, came in outcomes.items() if came in _STILL}
        result["unresolved"] = unresolved
        return result

    def _mark(self, violation: ReportedViolation) -> None:
        known = self.known.get(violation["id"])
        if known is not None:
            violation["known"] = known.holds(self.today)
            violation["reason"] = known.reason
            violation["until"] = known.until.isoformat() if known.until is not None else ""
