"""Render a report as one HTML file that needs no network and no other file."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape
from rollproof.values.exploration import counted
from rollproof.values.families import NOT_EXPLORED, errors_in, family_of, left_out_in
from rollproof.values.kinds import KINDS
from rollproof.values.report import Report, ReportedExploration, ReportedStep, ReportedViolation, Writer
from rollproof.values.story import WRONG_FATES, gravity
from rollproof.values.titles import title_of

from .ci import findings, status_of
from .files import write_text, written
from .lanes import STYLE, picture

_STATUSES = ("new", "", "known")
_CHARACTERS = 20_000  # of one value in a table or an exchange with a model, for all findings together …
_LEAST, _MOST = 200, 2000  # … and for each: a page of fifty findings stays below a megabyte
_GENERATED = re.compile(r"[0-9A-Fa-f][0-9A-Fa-f-]{10,}[0-9A-Fa-f]")


class StateRow(NamedTuple):
    """One name of the outside: before, when the fault fired, at the end, and what may be there.

    `like` says which of two right states the end is, "" where that tells nothing.
    """

    name: str
    before: str
    fault: str
    end: str
    right: str
    is_wrong: bool
    like: str


class _Step(NamedTuple):
    """A step with its number from 1, and how many like it come right after it: a retry storm is long."""

    number: int
    step: ReportedStep
    more: int


def writer(folder: os.PathLike[str], path: str) -> Writer:
    """Return the writer of the page to `path`, as seen from `folder`, wherever a test has gone meanwhile."""

    def write_page(report: Report) -> None:
        written(path, "--chaos-html", lambda: write_text(os.path.join(folder, path), render(report)))

    return write_page


def render(report: Report) -> str:
    """Return the page of a report."""
    given = list(findings(report))
    most = min(max(_CHARACTERS // max(len(given), 1), _LEAST), _MOST)
    found = sorted((_Finding(*one, most) for one in given), key=_Finding.rank)
    explorations = report["explorations"]
    return template("page.html.j2").render(
        report=report,
        findings=found,
        explorations=explorations,
        counts=Counter(finding.status for finding in found),
        compared=list(dict.fromkeys(one["compared"] for one in explorations if one["compared"])),
        fixed=[fixed for one in explorations for fixed in one["fixed"]],
        unresolved=[pair for one in explorations for pair in one["unresolved"].items()],
        more=_more,
        unjudged=sum(bool(errors_in(one["errors"]) or one["flaky"] or one["drifted"]) for one in explorations),
        cut_short=sum(bool(left_out_in(one["errors"])) for one in explorations),
        filters=list(_filters(found)),
        outcome=_outcome,
        left_out=NOT_EXPLORED,
        points=_points,
        style=STYLE,
        wrong=WRONG_FATES,
        mends=KINDS,
        counted=counted,
    )


def _filters(found: Sequence["_Finding"]) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the values of each filter of findings that has anything to choose from."""
    named = (
        ("severity", [finding.violation["severity"] for finding in found]),
        ("status", [finding.status for finding in found]),
        ("kind", sorted(finding.kind for finding in found)),
        ("test", sorted(finding.exploration["test"] for finding in found)),
    )
    for name, values in named:
        if len({*values}) > 1:
            yield name, [value for value in dict.fromkeys(values) if value]


def _points(exploration: ReportedExploration) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Yield each point with its faults by their verdict, and how many schedules; of those that hold their families."""
    found: dict[str, dict[str, Counter[str]]] = {}
    for cell in exploration["cells"]:
        name = family_of(cell["fault"]) if cell["verdict"] == "holds" else cell["fault"]
        found.setdefault(cell["point"], {}).setdefault(cell["verdict"], Counter())[name] += cell["count"]
    for point, verdicts in found.items():
        yield point, {verdict: [f"{one} ×{n}" for one, n in faults.items()] for verdict, faults in verdicts.items()}


def _outcome(exploration: ReportedExploration) -> str:
    """Return in a few words how an exploration ended."""
    if exploration["violations"]:
        return counted(len(exploration["violations"]), "finding")
    if exploration["errors"]:
        return "not judged" if errors_in(exploration["errors"]) else "not all of it explored"
    if exploration["flaky"] or exploration["drifted"]:
        return "not repeated" if exploration["flaky"] else "not reached"
    return f"nothing broken{' until it was ended' if exploration['interrupted'] else ''}"


@cache
def template(name: str) -> Template:
    """Return one of the templates beside this module; what it shows is text, whatever it looks like."""
    environment = Environment(
        loader=PackageLoader("rollproof.reports", "."),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


class _Finding:
    """A finding as the template shows it."""

    def __init__(self, exploration: ReportedExploration, violation: ReportedViolation, most: int) -> None:
        self.exploration, self.violation, self.status = exploration, violation, status_of(violation)
        self._most = most

    def rank(self) -> tuple[int, int]:
        """Return the sort key among findings: new ones first and known ones last, the gravest first."""
        return _STATUSES.index(self.status), gravity(self.violation["severity"])

    @property
    def title(self) -> str:
        """Return what is wrong in a few words; for a result without titles the broken invariants."""
        return title_of(self.violation)

    @property
    def sentences(self) -> list[str]:
        """Return the sentences to read first."""
        return (self.violation["sentence"] or self.violation["message"]).splitlines()

    @property
    def messages(self) -> list[str]:
        """Return the messages of its broken promises, if the sentences do not say them."""
        return self.violation["message"].splitlines() if self.violation["sentence"] else []

    @property
    def kind(self) -> str:
        """Return the kind of the bug; if it is not known, the way in which the outside is wrong."""
        cause = self.violation["cause"]
        return self.violation["kind"] or (cause["way"] if cause is not None else "")

    @property
    def place(self) -> str:
        """The line to look at first."""
        cause = self.violation["cause"]
        places = [(one["file"], one["line"]) for one in (*self.violation["blame"], *([cause] if cause else []))]
        return next((f"{file}:{line}" for file, line in places if file), "")

    @property
    def picture(self) -> str:
        """The SVG of its story."""
        return picture(self.violation["story"], style="")

    @property
    def phases(self) -> list[tuple[str, list[_Step]]]:
        """The story by phases in their order."""
        told: list[tuple[str, list[_Step]]] = []
        for _, group in groupby(enumerate(self.violation["story"], 1), key=lambda numbered: _likeness(numbered[1])):
            (number, step), *others = group
            heading = f"{step['phase']} ({step['life']})" if step["phase"] != "promises" else "promises"
            if not told or told[-1][0] != heading:
                told.append((heading, []))
            told[-1][1].append(_Step(number, step, len(others)))
        return told

    @property
    def outside(self) -> list[StateRow]:
        """The table of states, what is wrong first."""
        return state_rows(self.violation, self._most)

    @property
    def is_mixed(self) -> bool:
        """Return whether each name is right by itself, and all of them together are half of a work."""
        rows = self.outside
        return not any(row.is_wrong for row in rows) and {"as before", "as when done"} <= {row.like for row in rows}

    @property
    def words(self) -> str:
        """Return the text in which a search looks."""
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
            yield one["step"], _shown(one["request"], self._most), _shown(one["answer"], self._most)


def state_rows(violation: ReportedViolation, most: int = _MOST) -> list[StateRow]:
    """Return the outside of a finding, a row for each name that matters, what is wrong first.

    Of each value there are `most` characters.
    """
    states = violation["states"]
    names = dict.fromkeys([*states["before"], *states["fault"], *states["end"], *states["right"]])
    rows = [_row(name, violation, most) for name in sorted(names)]
    return sorted(rows, key=lambda row: (not row.is_wrong, not row.like))


def _row(name: str, violation: ReportedViolation, most: int) -> StateRow:
    states, absent = violation["states"], object()
    right = states["right"].get(name, absent)
    may_be = [] if right is absent else right if isinstance(right, list) else [right]
    end = states["end"].get(name)
    alternatives = dict.fromkeys(_shown(one, most) for one in may_be)
    between = "\nor\n" if any("\n" in one for one in alternatives) else " or "
    before, fault = _shown(states["before"].get(name), most), _shown(states["fault"].get(name), most)
    differs = any(line[2:].startswith(f"{name}:") for line in violation["diff"])
    is_wrong = end not in may_be and (differs or _blurred(end) not in map(_blurred, may_be)) if may_be else False
    is_before = bool(may_be) and _blurred(end) == _blurred(may_be[0])
    like = "" if is_wrong or len(alternatives) != 2 else "as before" if is_before else "as when done"
    return StateRow(name, before, fault, _shown(end, most), between.join(alternatives), is_wrong, like)


def _blurred(value: Any) -> str:
    """Return a value without what is generated anew in each run, such as an id: the states have it as it was."""
    return _GENERATED.sub("*", _json(value))


def _shown(value: Any, most: int) -> str:
    """Return a value as a person reads it, `most` characters of it; an absent one as a dash."""
    if value is None:
        return "–"
    if isinstance(value, list):
        text = "\n".join(_json(item) for item in value) or "none"
    else:
        text = value if isinstance(value, str) and value else _json(value)
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _prompt(finding: _Finding) -> Iterator[str]:
    violation = finding.violation
    yield f"A chaos test found a recovery bug in this agent: {finding.title}."
    yield from finding.sentences
    yield f"Test: {finding.exploration['test']}. Broken promises: {', '.join(violation['invariants'])}."
    yield from finding.messages
    yield "What happened, in order:"
    for heading, steps in finding.phases:
        yield f"  {heading}:"
        yield from (f"    {number}. {_told(step)}{_more(more)}" for number, step, more in steps)
    for place in violation["blame"]:
        yield f"{place['file']}:{place['line']}, in {place['function']}:"
        yield from _source(place["source"])
    yield "The outside, before / at the fault / at the end / right:"
    telling = [row for row in finding.outside if row.is_wrong or row.like] or finding.outside
    yield from (f"  {row.name}: {row.before} / {row.fault} / {row.end} / {row.right}" for row in telling)
    if violation["kind"]:
        yield " ".join(filter(None, (f"Kind: {violation['kind']}.", KINDS.get(violation["kind"]), _cure(violation))))
    yield f"To see it again: {violation['replay']}"
    yield "Mend the agent so that this schedule, and every other one, ends in a right state. Do not change the test."


def _likeness(step: ReportedStep) -> tuple[Any, ...]:
    """Return the key of a step: equal ones in a row are told as one."""
    timeless = {key: value for key, value in step.items() if key not in ("point", "at_s")}
    return step["point"].rpartition("#")[0] or step["outcome"], json.dumps(timeless, sort_keys=True)


def _more(number: int) -> str:
    return f" (and {counted(number, 'more step')} like it)" if number else ""


def _told(step: ReportedStep) -> str:
    place = f" ({step['file']}:{step['line']})" if step["file"] else ""
    fate = f" [{step['fate']}]" if step["fate"] else ""
    return f"{step['point']} {step['outcome']}".strip() + place + fate


def _source(lines: Iterable[Any]) -> Iterator[str]:
    for line in lines:
        yield f"  {'>' if line['marked'] else ' '} {line['number']:>4} {line['text']}"


def _cure(violation: ReportedViolation) -> str:
    cure = violation["cure"]
    return f"Tried: {cure['tried']}: {cure['outcome']}." if cure["tried"] else ""
