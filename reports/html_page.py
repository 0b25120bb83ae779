"""Render a report as one HTML file that needs no network and no other file."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape
from rollproof.values.exploration import counted
from rollproof.values.report import Report, ReportedExploration, ReportedViolation, Writer
from rollproof.values.story import WRONG_FATES

from .ci import findings, status_of, title_of
from .files import write_text, written
from .lanes import picture

_SEVERITIES = ("blocker", "critical", "normal", "minor")
_MOST_CHARACTERS = 2000  # of one value in a table, or of an exchange with a model


class _Row(NamedTuple):
    """One name of the outside: before, when the fault fired, at the end, and what may be there."""

    name: str
    before: str
    fault: str
    end: str
    right: str
    is_wrong: bool


def writer(folder: os.PathLike[str], path: str) -> Writer:
    """Return what writes the page to `path`, as seen from `folder`, wherever a test has gone meanwhile."""

    def write_page(report: Report) -> None:
        written(path, "--chaos-html", lambda: write_text(os.path.join(folder, path), render(report)))

    return write_page


def render(report: Report) -> str:
    """Return the page of a report."""
    found = list(findings(report))
    counts = Counter(status_of(violation) for _, violation in found)
    return _template().render(
        report=report,
        findings=[_Finding(exploration, violation) for exploration, violation in found],
        explorations=report["explorations"],
        new=counts["new"],
        known=counts["known"],
        fixed=[fixed for exploration in report["explorations"] for fixed in exploration["fixed"]],
        severities=[one for one in _SEVERITIES if any(violation["severity"] == one for _, violation in found)],
        tests=list(dict.fromkeys(exploration["test"] for exploration, _ in found)),
        kinds=list(dict.fromkeys(violation["kind"] for _, violation in found if violation["kind"])),
        wrong=WRONG_FATES,
        counted=counted,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("rollproof.reports", "."),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")


class _Finding:
    """A finding as the template shows it."""

    def __init__(self, exploration: ReportedExploration, violation: ReportedViolation) -> None:
        self.exploration, self.violation, self.status = exploration, violation, status_of(violation)

    @property
    def title(self) -> str:
        """What is wrong, in a few words; of a result without titles the broken invariants."""
        return title_of(self.violation)

    @property
    def sentences(self) -> list[str]:
        """What there is to know first."""
        return (self.violation["sentence"] or self.violation["message"]).splitlines()

    @property
    def picture(self) -> str:
        """The SVG of its story."""
        return picture(self.violation["story"])

    @property
    def phases(self) -> list[tuple[str, list[tuple[int, Any]]]]:
        """The story by phases in their order, each step with its number."""
        told: list[tuple[str, list[tuple[int, Any]]]] = []
        for number, step in enumerate(self.violation["story"]):
            heading = f"{step['phase']} ({step['life']})" if step["phase"] != "promises" else "promises"
            if not told or told[-1][0] != heading:
                told.append((heading, []))
            told[-1][1].append((number, step))
        return told

    @property
    def outside(self) -> list[_Row]:
        """The table of states."""
        states = self.violation["states"]
        names = dict.fromkeys([*states["before"], *states["fault"], *states["end"], *states["right"]])
        return [_row(name, states) for name in sorted(names)]  # type: ignore[arg-type]

    @property
    def words(self) -> str:
        """All that a search looks at."""
        violation = self.violation
        places = [f"{place['file']}:{place['line']}" for place in violation["blame"]]
        texts = [violation["id"], self.title, violation["sentence"], violation["schedule"], self.exploration["test"]]
        return " ".join([*texts, *violation["invariants"], *places, violation["kind"]]).lower()

    @property
    def prompt(self) -> str:
        """The finding as text for a coding assistant."""
        return "\n".join(_prompt(self))

    def exchange(self) -> Iterator[tuple[int, str, str]]:
        """Yield each request to a model and its answer as text, with the number of the step."""
        for one in self.violation["exchange"]:
            yield one["step"], _shown(one["request"]), _shown(one["answer"])


def _row(name: str, states: dict[str, dict[str, Any]]) -> _Row:
    absent = object()
    right = states["right"].get(name, absent)
    may_be = [] if right is absent else right if isinstance(right, list) else [right]
    end = states["end"].get(name)
    alternatives = dict.fromkeys(_shown(one) for one in may_be)
    between = "\nor\n" if any("\n" in one for one in alternatives) else " or "
    before, fault = (_shown(states[when].get(name)) for when in ("before", "fault"))
    return _Row(name, before, fault, _shown(end), between.join(alternatives), bool(may_be) and end not in may_be)


def _shown(value: Any) -> str:
    """Return a value as a person reads it; an absent one as a dash."""
    if value is None:
        return "–"
    if isinstance(value, list):
        text = "\n".join(_json(item) for item in value) or "none"
    else:
        text = value if isinstance(value, str) and value else _json(value)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}… ({len(text)} characters)"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _prompt(finding: _Finding) -> Iterator[str]:
    violation = finding.violation
    yield f"A chaos test found a recovery bug in this agent: {finding.title}."
    yield from finding.sentences
    yield f"Test: {finding.exploration['test']}. Broken: {', '.join(violation['invariants'])}."
    yield "What happened, in order:"
    for heading, steps in finding.phases:
        yield f"  {heading}:"
        yield from (f"    {number}. {_told(step)}" for number, step in steps)
    for place in violation["blame"]:
        yield f"{place['file']}:{place['line']}, in {place['function']}:"
        yield from _source(place["source"])
    yield "The outside, before / at the fault / at the end / right:"
    yield from (f"  {row.name}: {row.before} / {row.fault} / {row.end} / {row.right}" for row in finding.outside)
    if violation["kind"]:
        yield f"Kind: {violation['kind']}. {_cure(violation)}"
    yield f"To see it again: {violation['replay']}"
    yield "Mend the agent so that this schedule, and every other one, ends in a right state. Do not change the test."


def _told(step: Any) -> str:
    place = f" ({step['file']}:{step['line']})" if step["file"] else ""
    fate = f" [{step['fate']}]" if step["fate"] else ""
    return f"{step['point']} {step['outcome']}".strip() + place + fate


def _source(lines: Iterable[Any]) -> Iterator[str]:
    for line in lines:
        yield f"  {'>' if line['marked'] else ' '} {line['number']:>4} {line['text']}"


def _cure(violation: ReportedViolation) -> str:
    cure = violation["cure"]
    return f"Tried: {cure['tried']}: {cure['outcome']}." if cure["tried"] else ""
