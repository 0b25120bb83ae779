"""A finding with its words, its severity and its kind, and further schedules that end so."""

from collections.abc import Iterable
from dataclasses import replace

from ..values.exploration import Finding
from ..values.schedule import Schedule
from .facts import Facts
from .kind_by_rule import kind
from .severity import severity
from .wording import sentence, title

_MOST_ALSO = 5


def worded(finding: Finding, facts: Facts, schedules: Iterable[Schedule]) -> Finding:
    """Return a finding with what people read first; `schedules` are those that end so, the best example first."""
    others = [one for one in dict.fromkeys(schedules) if one != finding.planned]
    return replace(
        finding,
        title=title(facts),
        sentence=sentence(facts),
        severity=severity(facts),
        kind=kind(facts),
        also=tuple(others[:_MOST_ALSO]),
    )
