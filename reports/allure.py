"""The recovery report: one Allure result for each explored cell, and one for each exploration.

Written from inside the one pytest item, beside allure-pytest's own result for it; loaded only where `--alluredir` is
given. Its form follows what was measured with Allure 3: thousands of steps in one result do not open, a thousand
results do, and the difference that people read is Allure's own view of `expected` and `actual`.
"""

import csv
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from html import escape
from itertools import groupby
from typing import Any
from uuid import uuid4

import pytest
from allure_commons import plugin_manager
from allure_commons.model2 import Attachment, Label, Parameter, Status, StatusDetails, TestResult, TestStepResult
from allure_pytest.utils import allure_labels, allure_suite_labels, allure_title_path  # type: ignore[import-untyped]
from attr import attrib, attrs, fields, has

from ..values.exploration import Cell, Exploration, Finding
from ..values.replaying import ReplayCommand
from ..values.schedule import Schedule
from ..values.story import Step
from .cleaning import cleaner

KEPT = 1500  # cells with a result of their own, for each exploration: Allure opens so many, and not ten times as many
_SHOWN_CHARACTERS = 10_000
_MARKED = ("epic", "feature", "story")
_STATUS = {"violated": Status.FAILED, "unknown": Status.BROKEN}
_SHOWN_CHANGES = 8
_SIGNS = {"+": "should not be there", "-": "is missing", "~": "is different"}
_BAD_ENDS, _VACUOUS = ("raises ", "goes on without end", "hangs"), "nothing to judge"


@attrs
class _Details(StatusDetails):
    """Why a result failed, with the two sides that Allure 3 compares."""

    expected: str | None = attrib(default=None)
    actual: str | None = attrib(default=None)


@dataclass(frozen=True, slots=True)
class _Report:
    """What all results of one exploration share."""

    item: pytest.Item
    exploration: Exploration
    seed: int
    clean: Callable[[str], str]
    replay: Callable[[str], str]

    def result(self, identity: str, name: str, status: str, path: Sequence[str]) -> TestResult:
        """Return a result that is the same test in every run in which `identity` is the same."""
        label, test = self.exploration.label or self.exploration.name, self.item.nodeid
        digest = sha256("\0".join((test, label, identity)).encode()).hexdigest()[:32]
        result = TestResult(uuid=str(uuid4()), name=name, status=status, testCaseId=digest, historyId=digest)
        result.start = result.stop = int(time.time() * 1000)
        result.fullName = f"{test} {identity}".strip()
        home = f"{self.item.name}{label and f' [{label}]'}, explored"
        result.titlePath = [*allure_title_path(self.item), home, *path]
        result.labels = [Label(name=name, value=value) for name, value in _labels(self.item, home)]
        result.parameters = [Parameter(name="seed", value=str(self.seed), excluded=True)]
        return result

    def send(self, result: TestResult, attached: Sequence[tuple[str, str, str]] = ()) -> None:
        """Hand a result and its attachments (name, suffix, text) to allure-pytest's own file writer."""
        for name, suffix, text in attached:
            file = f"{uuid4()}-attachment.{suffix}"
            plugin_manager.hook.report_attached_data(body=self.clean(text), file_name=file)
            kind = {"csv": "text/csv", "txt": "text/plain"}[suffix]
            result.attachments.append(Attachment(name=name, source=file, type=kind))
        plugin_manager.hook.report_result(result=_cleaned(result, self.clean))


def write(
    item: pytest.Item,
    explorations: Sequence[Exploration],
    seed: int,
    secrets: Iterable[str] = (),
    replay: ReplayCommand | None = None,
) -> None:
    """Write what a finished test explored into the folder of ``--alluredir``; nothing where none was given.

    Args:
        item: the test; its labels, suites and mark become those of every result.
        explorations: what it explored, with this seed.
        secrets: texts to hide, besides what looks like a credential or stands in such an environment variable.
        replay: the command that replays its schedules.
    """
    if not item.config.getoption("allure_report_dir", None):
        return
    clean, command = cleaner(item, secrets), replay or ReplayCommand.of_test(item.nodeid, seed)
    for exploration in explorations:
        report = _Report(item, exploration, seed, clean, command.of)
        kept = _kept(exploration)
        for cell in kept:
            _write_cell(report, cell)
        _write_summary(report, kept)


# one cell


def _write_cell(report: _Report, cell: Cell) -> None:
    finding = _finding_of(cell, report.exploration.violations)
    tags = [*cell.invariants, *(["duplicated_effect"] if finding and _is_duplicated(finding) else [])]
    times = f" ×{cell.count}" if cell.count > 1 else ""
    status = _STATUS.get(cell.verdict, Status.PASSED)
    result = report.result(cell.schedule, _title(cell.planned) + times, status, [cell.point])
    result.labels += [Label(name="tag", value=tag) for tag in tags]
    result.parameters.append(Parameter(name="schedules", value=str(cell.count), excluded=True))
    result.descriptionHtml = _cell_html(report, cell, finding)
    if status == Status.PASSED:
        report.send(result)
        return
    result.statusDetails = _details(report, cell, finding)
    result.steps = _steps(report, cell, finding)
    report.send(result, [("difference", "txt", "\n".join(finding.diff))] if finding and finding.diff else [])


def _finding_of(cell: Cell, findings: Sequence[Finding]) -> Finding | None:
    """Return the finding of this very schedule, or else one that breaks the same invariants, best at the same point."""
    for finding in findings:
        if finding.schedule == cell.schedule:
            return finding
    alike = [finding for finding in findings if cell.invariants and set(finding.invariants) == set(cell.invariants)]
    return max(alike, key=lambda finding: cell.point in finding.schedule, default=None)


def _details(report: _Report, cell: Cell, finding: Finding | None) -> _Details:
    trace = report.replay(cell.schedule)
    if finding is not None:  # of two orders neither side is the right one
        expected, actual = (None, None) if finding.cause and finding.cause.way == "by order" else _sides(finding)
        return _Details(message=_message(finding), trace=trace, expected=expected, actual=actual)
    flaky = any(line.startswith(f"{cell.schedule}:") for line in report.exploration.flaky)
    broken = [f"{name} does not hold" + (", and that did not repeat" if flaky else "") for name in cell.invariants]
    return _Details(message="\n".join(broken) or "could not be judged", trace=trace, flaky=flaky or None)


def _message(finding: Finding) -> str:
    """Return where something is wrong, then what: Allure groups by this text and shows its first 70 characters."""
    more = len(finding.diff) - _SHOWN_CHANGES
    return "\n".join([*finding.diff[:_SHOWN_CHANGES], *([f"… and {more} more"] if more > 0 else []), finding.message])


def _title(schedule: Schedule) -> str:
    """Return a schedule in words: ``http.timeout after http.post:host/mails#1``."""
    words = []
    for one in schedule.injections:
        fault = f"{one.fault}{f'.{one.variant}' if one.variant else ''}{' (lasting)' if one.lasting else ''}"
        when = "in the middle of" if one.when == "middle" else one.when
        words.append(f"{fault} {when} {one.point}{' in recovery' if one.recovering else ''}")
    return ", then ".join(words)


# the two sides of a difference


@lru_cache(maxsize=32)
def _sides(finding: Finding) -> tuple[str, str]:
    """Return the nearest right world and the one found, as key-sorted JSON.

    Right is what was found with the named differences undone: what may be either way (a rollback) shows no difference.
    """
    done, actual = _read(finding.expected), _read(finding.actual)
    changes = list(_changes(finding))
    for sign, name, detail in changes:
        if sign != "-":
            actual.setdefault(name, detail)
    expected = {name: value for name, value in actual.items() if name not in {name for _, name, _ in changes}}
    for sign, name, detail in changes:
        if name in done and done[name] != actual.get(name):
            expected[name] = done[name]
        elif sign != "+":
            expected[name] = detail if sign == "-" else f"otherwise: {detail}"
    if max(len(_json(expected)), len(_json(actual))) > _SHOWN_CHARACTERS:
        expected, actual = ({name: side[name] for _, name, _ in changes if name in side} for side in (expected, actual))
    return _json(expected)[:_SHOWN_CHARACTERS], _json(actual)[:_SHOWN_CHARACTERS]


def _read(document: str) -> dict[str, Any]:
    return dict(json.loads(document or "{}"))


def _json(world: dict[str, Any]) -> str:
    return json.dumps(world, indent=1, sort_keys=True, ensure_ascii=False)


def _changes(finding: Finding) -> Iterator[tuple[str, str, str]]:
    """Yield sign, name and detail of each line of a difference."""
    for line in finding.diff:
        sign, _, rest = line.partition(" ")
        name, _, detail = rest.partition(": ")
        yield sign, name, detail


@lru_cache(maxsize=32)
def _is_duplicated(finding: Finding) -> bool:
    """Say whether rows that a complete run makes are there more often than such a run makes them."""
    done, found = _read(finding.expected), _read(finding.actual)
    added = {name for sign, name, _ in _changes(finding) if sign == "+" and isinstance(done.get(name), list)}
    repeated = {"clean_retry", "recovery_idempotent"} & set(finding.invariants)
    return any(done[name] and (repeated or len(found.get(name, ())) > len(done[name])) for name in added)


# steps


def _steps(report: _Report, cell: Cell, finding: Finding | None) -> list[TestStepResult]:
    """Tell a failure in true order; what fails opens by itself."""
    fault, judged = _step("[fault] " + _title(cell.planned)), _judged(report, cell, finding)
    if finding is None or finding.schedule != cell.schedule:
        return [fault, judged]
    told = groupby(finding.story, key=lambda step: (step.life, step.phase))
    parts = [_part(life, phase, steps) for (life, phase), steps in told if phase != "promises"]
    return [*parts, judged]


def _part(life: str, phase: str, steps: Iterable[Step]) -> TestStepResult:
    heading = {"fault": f"[fault] {life}", "recovery": f"[{life}]"}.get(phase, f"[{life}] {phase}")
    return _step(heading, [_step(_line(step)) for step in steps])


def _line(step: Step) -> str:
    """Return a step as a line: ``http.post:api.mail.test/mails#1: 201 (myagent.py:29, kept)``."""
    beside = ", ".join(filter(None, (f"{step.file}:{step.line}" if step.line else "", step.fate)))
    return ": ".join(filter(None, (step.point, step.outcome))) + (f" ({beside})" if beside else "")


def _judged(report: _Report, cell: Cell, finding: Finding | None) -> TestStepResult:
    said = {line.partition(": ")[0]: line for line in finding.message.splitlines()} if finding else {}
    shown = {"violated": Status.FAILED, _VACUOUS: Status.SKIPPED}
    verdicts = _verdicts(report.exploration, cell)
    steps = [_step(said.get(name, f"{name}: {verdict}"), status=shown.get(verdict)) for name, verdict in verdicts]
    return _step("[invariants]", steps)


def _step(name: str, steps: Sequence[TestStepResult] = (), status: str | None = None) -> TestStepResult:
    """Return a step; it failed where it says so, where its line tells of a bad end, or where one within it failed."""
    failed = name.startswith(_BAD_ENDS) or any(step.status == Status.FAILED for step in steps)
    return TestStepResult(name=name, status=Status.FAILED if failed else status or Status.PASSED, steps=list(steps))


def _verdicts(exploration: Exploration, cell: Cell) -> list[tuple[str, str]]:
    """Return each invariant and what is known of it in this cell, broken ones first.

    An exploration keeps the worst verdict only: what held somewhere may have had nothing to judge here.
    """
    others = {"vacuous": _VACUOUS, "unknown": "not violated, or unknown"}
    known = [(name, others.get(worst, "not violated")) for name, worst in exploration.verdicts.items()]
    return [(name, "violated") for name in cell.invariants] + [pair for pair in known if pair[0] not in cell.invariants]


# descriptions: only inline styles survive in Allure 3

_CELL = "padding:4px 10px;text-align:left;vertical-align:top;overflow-wrap:anywhere"
_CODE = "font-family:monospace;white-space:pre-wrap;overflow-wrap:anywhere"
_RED = ";color:#d64550;font-weight:600"
_BAD = {"violated": _RED, "unknown": _RED}


def _cell_html(report: _Report, cell: Cell, finding: Finding | None) -> str:
    facts = [("fault", cell.fault), ("point", cell.point), ("verdict", cell.verdict), ("schedules", str(cell.count))]
    replay = f'<div style="{_CODE}">{escape(report.replay(cell.schedule))}</div>'
    parts = [_table((), facts), _headed("Replay", replay)]
    if finding is not None and finding.diff:
        changes = [(name, _SIGNS.get(sign, sign), detail) for sign, name, detail in _changes(finding)]
        parts.append(_headed("Outside", _table(("what", "is wrong", "in detail"), changes)))
    if finding is not None and finding.schedule != cell.schedule:
        smallest = escape(_title(finding.planned))
        parts.append(f"<p>As seen after <i>{smallest}</i>, the smallest schedule that fails so.</p>")
    verdicts = _table(("it must hold", "verdict"), _verdicts(report.exploration, cell))
    return "".join([*parts, _headed("Invariants", verdicts)])


def _summary_html(explored: Exploration, notes: Sequence[tuple[str, str]]) -> str:
    parts = [f"<p>{escape(explored.statement)}</p>"]
    if explored.violations:
        found = [(", ".join(f.invariants), _title(f.planned), str(f.cells)) for f in explored.violations]
        parts.append(_headed("Distinct failures", _table(("violated", "smallest schedule", "schedules"), found)))
    verdicts = [(name, _VACUOUS if worst == "vacuous" else worst) for name, worst in explored.verdicts.items()]
    worst = _table(("it must hold", "worst verdict"), verdicts)
    parts.append(_headed("Invariants", worst))
    return "".join([*parts, *([_headed("To know", _table((), notes))] if notes else [])])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    titles = [f'<th style="{_CELL}">{escape(title)}</th>' for title in head]
    lines = [[f'<td style="{_CELL}{_BAD.get(text, "")}">{escape(text)}</td>' for text in row] for row in rows]
    body = "".join(f"<tr>{''.join(line)}</tr>" for line in [titles, *lines] if line)
    return f'<table style="border-collapse:collapse;margin-bottom:12px">{body}</table>'


def _headed(heading: str, body: str) -> str:
    return f'<p style="margin:12px 0 4px"><b>{escape(heading)}</b></p>{body}'


# one exploration


def _kept(explored: Exploration) -> list[Cell]:
    """Return the cells that get a result: first those of findings, then failures, then what could not be judged."""
    rows = {cell.schedule for cell in explored.cells}
    alone = [_cell_of(finding) for finding in explored.violations if finding.schedule not in rows]
    shown = {finding.schedule for finding in explored.violations}
    rank = {"violated": 1, "unknown": 2}
    weighed = sorted(explored.cells, key=lambda cell: 0 if cell.schedule in shown else rank.get(cell.verdict, 3))
    return [*alone, *weighed][:KEPT]


def _cell_of(finding: Finding) -> Cell:
    """Return a cell for a finding that another schedule stands for in the table, so that its story is told."""
    first = finding.planned.injections[0]
    return Cell(str(first.point), first.fault, "violated", finding.invariants, finding.planned)


def _write_summary(report: _Report, kept: Sequence[Cell]) -> None:
    explored = report.exploration
    unjudged = [*explored.errors, *explored.drifted, *explored.flaky]
    status = Status.FAILED if explored.violations else Status.BROKEN if unjudged else Status.PASSED
    result = report.result("", f"The whole exploration: {len(explored.cells)} cells", status, [])
    result.start = result.stop - int(explored.seconds * 1000)
    result.description = explored.statement
    result.descriptionHtml = _summary_html(explored, list(_notes(explored, kept)))
    if status != Status.PASSED:
        failed = [f"{', '.join(f.invariants)}: {_title(f.planned)}" for f in explored.violations]
        result.statusDetails = StatusDetails(message="\n".join([*failed, *unjudged]))
    report.send(result, [("every cell", "csv", _csv(explored.cells))])


def _notes(explored: Exploration, kept: Sequence[Cell]) -> Iterator[tuple[str, str]]:
    folded = Counter(cell.verdict for cell in explored.cells) - Counter(cell.verdict for cell in kept)
    if folded:
        what = ", ".join(f"{count} {verdict}" for verdict, count in sorted(folded.items()))
        yield "folded", f"{what}: in the attached table only, {len(kept)} cells have a result of their own"
    plain = {"unintercepted": "unseen"}
    for word in ("errors", "drifted", "flaky", "unintercepted", "unwatched", "masked"):
        yield from ((plain.get(word, word), line) for line in getattr(explored, word))


def _csv(cells: Iterable[Cell]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("point", "fault", "verdict", "invariants", "schedule", "schedules"))
    rows.writerows((c.point, c.fault, c.verdict, " ".join(c.invariants), c.schedule, c.count) for c in cells)
    return text.getvalue()


def _labels(item: pytest.Item, home: str) -> list[tuple[str, str]]:
    """Return epic, feature and story of the mark, before those of Allure's own marks, then suites and the rest."""
    marks = [mark for name in ("chaos", "rollproof") if (mark := item.get_closest_marker(name))]
    marked = {key: str(mark.kwargs[key]) for mark in marks for key in _MARKED if mark.kwargs.get(key)}
    others = [pair for pair in sorted(allure_labels(item)) if pair[0] not in marked]
    suites = {**dict(allure_suite_labels(item)), "subSuite": home}
    return [*marked.items(), *others, *suites.items(), ("framework", "rollproof"), ("language", "python")]


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    """Clean every text in a result, in place where it is one of Allure's values."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(one, clean) for one in value]
    if has(type(value)):
        for each in fields(type(value)):
            setattr(value, each.name, _cleaned(getattr(value, each.name), clean))
    return value
