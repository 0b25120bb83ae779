"""A report in the forms that services of continuous integration read: GitHub, GitLab, and whatever reads SARIF.

SARIF is version 2.1.0 (OASIS); GitLab's form is that of its code quality reports, GitHub's that of workflow commands
and of the job summary.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from rollproof.values.exploration import counted
from rollproof.values.families import errors_in
from rollproof.values.report import Report, ReportedExploration, ReportedViolation
from rollproof.values.titles import title_of

from . import struck

_LEVELS = {"blocker": "error", "critical": "error", "normal": "warning", "minor": "note"}
_SEVERITIES = {"blocker": "blocker", "critical": "critical", "normal": "major", "minor": "minor"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


class _Place(NamedTuple):
    """A line to show a finding at: that of its blame, of its cause, or the test's file."""

    file: str
    line: int


def sarif(report: Report) -> dict[str, Any]:
    """Return the findings as a SARIF log, known ones suppressed with their reason."""
    found = list(findings(report))
    rules = dict.fromkeys(_rule(violation) for _, violation in found)
    described = [{"id": rule, "shortDescription": {"text": rule.replace("_", " ")}} for rule in rules]
    results = [_result(exploration, violation) for exploration, violation in found]
    run = {"tool": {"driver": {"name": "rollproof", "rules": described}}, "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def code_quality(report: Report) -> list[dict[str, Any]]:
    """Return the findings that are not known in the form of GitLab's code quality reports."""
    return [
        {
            "description": f"{title_of(violation)}. {violation['sentence']}".strip(),
            "check_name": _rule(violation),
            "fingerprint": violation["id"],
            "severity": _SEVERITIES.get(violation["severity"], "major"),
            "location": {"path": place.file, "lines": {"begin": place.line}},
        }
        for exploration, violation in findings(report)
        if not violation["known"]
        for place in (_place(exploration, violation),)
    ]


def annotations(report: Report) -> str:
    """Return a workflow command of GitHub's for each finding, a line each: it shows them in a pull request."""
    lines = []
    for exploration, violation in findings(report):
        place, level = _place(exploration, violation), "notice" if violation["known"] else "error"
        where = f"file={_property(place.file)},line={place.line},title={_property(title_of(violation))}"
        said = f"{violation['sentence'] or violation['message']}\n{violation['replay']}"
        lines.append(f"::{level} {where}::{_data(said)}")
    return "".join(f"{line}\n" for line in lines)


def markdown(report: Report) -> str:
    """Return the report as markdown: for the summary of a job, or a comment."""
    return "\n".join(_markdown(report)) + "\n"


def _markdown(report: Report) -> Iterator[str]:
    found = list(findings(report))
    new = sum(violation["new"] is True for _, violation in found)
    known = sum(violation["known"] for _, violation in found)
    fixed = [one for exploration in report["explorations"] for one in exploration["fixed"]]
    parts = [counted(len(found), "finding"), *([f"{new} new"] if new else []), *([f"{known} known"] if known else [])]
    yield f"## Recovery: {', '.join([*parts, *([f'{len(fixed)} fixed'] if fixed else [])])}"
    for exploration, violation in found:
        place = _place(exploration, violation)
        marks = [violation["severity"], status_of(violation)]
        marks += [f"`{exploration['test']}`", f"`{place.file}:{place.line}`"]
        yield f"\n### {_plain(title_of(violation))}"
        yield f"\n{' · '.join(filter(None, marks))}"
        yield f"\n{_plain(violation['sentence'] or violation['message'])}"
        if violation["kind"]:
            cure = violation["cure"]
            tried = " " + _plain(f"Tried: {cure['tried']}: {cure['outcome']}.") if cure["tried"] else ""
            yield f"\n**{_plain(violation['kind'])}**.{tried}"
        yield f"\n```\n{violation['replay']}\n```"
    yield from (f"\nFixed: {_plain(one['title'] or one['id'])}" for one in fixed)
    yield from _struck(report)
    yield "\n| test | points | schedules | findings | not judged |\n| --- | --- | --- | --- | --- |"
    for one in report["explorations"]:
        test = one["test"].replace("|", "\\|")  # within a table it would end the cell, also as code
        name = f"`{test}`" + (f" {_plain(one['label'])}" if one["label"] else "")
        unjudged = len(errors_in(one["errors"]))
        yield f"| {name} | {one['points']} | {one['schedules']} | {len(one['violations'])} | {unjudged} |"


def _struck(report: Report) -> Iterator[str]:
    """Yield how the struck runs of each exploration ended."""
    for one in report["explorations"]:
        if told := struck.in_words(one):
            label = f" {_plain(one['label'])}" if one["label"] else ""
            yield f"\nStruck runs of `{one['test']}`{label}: {told}."


def status_of(violation: ReportedViolation) -> str:
    """Return the status of a finding from run to run: "known", "new", or "" for any other."""
    return "known" if violation["known"] else "new" if violation["new"] else ""


def findings(report: Report) -> Iterator[tuple[ReportedExploration, ReportedViolation]]:
    """Yield each finding, with its exploration."""
    for exploration in report["explorations"]:
        for violation in exploration["violations"]:
            yield exploration, violation


def _result(exploration: ReportedExploration, violation: ReportedViolation) -> dict[str, Any]:
    place = _place(exploration, violation)
    physical = {"artifactLocation": {"uri": place.file}, "region": {"startLine": place.line}}
    told = f"{title_of(violation)}. {violation['sentence'] or violation['message']}\n{violation['replay']}"
    result: dict[str, Any] = {
        "ruleId": _rule(violation),
        "level": _LEVELS.get(violation["severity"], "error"),
        "message": {"text": told},
        "locations": [{"physicalLocation": physical}],
        "partialFingerprints": {"rollproof/v1": violation["id"]},
    }
    if violation["new"] is not None:
        result["baselineState"] = "new" if violation["new"] else "unchanged"
    if violation["known"]:
        result["suppressions"] = [{"kind": "external", "justification": violation["reason"]}]
    return result


def _place(exploration: ReportedExploration, violation: ReportedViolation) -> _Place:
    places = [(one["file"], one["line"]) for one in violation["blame"]]
    cause = violation["cause"]
    places += [(cause["file"], cause["line"])] if cause is not None else []
    # Services show a finding at a line or not at all: one without a place stands at the beginning of its test's file.
    places.append((exploration["test"].partition("::")[0], 1))
    return next(_Place(file, line) for file, line in places if file and line)


def _rule(violation: ReportedViolation) -> str:
    """Return the kind of a finding as a name; of one without a kind its gravest broken promise."""
    cause = violation["cause"]
    return violation["kind"] or (cause["promise"] if cause is not None else "".join(violation["invariants"][:1]))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _plain(text: str) -> str:
    """Return a text that markdown shows as it is, on one line."""
    escaped = "".join(f"\\{one}" if one in "\\`*_{}[]<>|#" else one for one in text)
    return " ".join(escaped.split())
