"""The severity of a finding, by what is lost, and the order in which findings are shown: see `docs/findings.md`."""

from collections.abc import Iterable

from ..values.exploration import Finding
from ..values.families import size
from ..values.story import Severity, gravity
from .facts import Facts
from .wording import OUR_PROMISES


def severity(facts: Facts) -> Severity:
    """Return the severity of a finding, by what is lost."""
    cause = facts.cause
    if cause.promise not in OUR_PROMISES:  # somebody thought it worth a check of its own
        return "critical"
    if cause.promise == "no_leftovers":
        return "normal" if facts.blocks else "minor"
    if cause.promise == "credential_hygiene":
        return "normal" if cause.way == "twice" else "critical"
    if cause.way == "not ended":
        return "normal" if any(injection.lasting for injection in facts.schedule.injections) else "critical"
    if cause.promise in ("clean_retry", "recovery_idempotent"):
        return "critical" if facts.thing == "resource" else "normal"
    if cause.way == "raised":
        return "critical"
    return _of_outside(facts)


def _of_outside(facts: Facts) -> Severity:
    """Return the severity of a wrong outside, by what is lost there."""
    cannot_be_taken_back = facts.cause.way == "twice" or "honest_outcome" in facts.broken
    if facts.lost or (facts.thing == "resource" and cannot_be_taken_back):
        return "blocker"
    if facts.change is not None and facts.change.detail.startswith("mode "):
        return "normal"
    return "critical"


def in_order(findings: Iterable[tuple[Finding, bool]]) -> tuple[Finding, ...]:
    """Return findings in the order in which they are shown; with each comes whether it is a race.

    Races, which need no fault, then the gravest, then the likeliest in life, then what most schedules reach.
    """
    return tuple(one for one, _ in sorted(findings, key=lambda pair: _rank(*pair)))


def _rank(finding: Finding, is_race: bool) -> tuple[object, ...]:
    grave = gravity(finding.severity)
    return not is_race, grave, *size(finding.planned), -finding.cells
