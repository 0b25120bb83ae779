"""The recovery report as result files of Allure: one result for each finding, one for each point where all holds.

Written from the reported value, so that a session and a saved result give the same files. Their names are made of what
they tell: what is written again replaces itself. Its form follows what was measured with Allure 3: some thousand steps
in one result do not open, a thousand results do, and the difference that people read is Allure's own view of
`expected` and `actual`.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import md5, sha256
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from rollproof.values.earlier import ungrouped
from rollproof.values.families import NOT_EXPLORED
from rollproof.values.report import Fixed, Report, ReportedCell, ReportedExploration
from rollproof.values.story import gravity

from . import allure_finding, allure_overview
from .ci import findings
from .html_page import template

MOST_RESULTS = 1000
"""More rows than that nobody looks at, and Allure takes long to open: points behind them stand in tables only."""
_OWN = "rollproof"
_MEANS = "What green means here"
_FALLBACK = "_fallbackTestCaseId"
_Result = dict[str, Any]


def write(folder: Path, report: Report, environment: Mapping[str, str], at_ms: int) -> None:
    """Write a report into a folder of results, in the place of earlier ones of the same tests.

    Args:
        folder: made where it is missing.
        report: the whole of what a session explored, or of saved results.
        environment: the process's variables, which tell the build of a service of continuous integration.
        at_ms: milliseconds since the epoch; results follow each other from there on, the gravest finding first.
    """
    results = list(_named(_results(report)))
    folder.mkdir(parents=True, exist_ok=True)
    for test in {one["test"] for one in report["explorations"]}:
        (folder / name_of_own_result(test)).unlink(missing_ok=True)
        for file in folder.glob(f"{_OWN}-{_digest(ungrouped(test))}-*"):
            file.unlink()
    for number, (name, result) in enumerate(results):
        _set_time(result, at_ms + number)
        for source, text in result.pop("files", {}).items():
            (folder / f"{name}-{source}").write_text(text, encoding="utf-8", errors="backslashreplace")
            result["attachments"] = [{"name": "every cell", "source": f"{name}-{source}", "type": "text/csv"}]
        text = json.dumps(result, ensure_ascii=False, default=str)
        (folder / f"{name}-result.json").write_text(text, encoding="utf-8", errors="backslashreplace")
    allure_overview.write(folder, report, environment, at_ms)


def name_of_own_result(test: str) -> str:
    """Return the file of the result that allure-pytest itself writes for a test that explored."""
    return f"{_OWN}-own-{_digest(ungrouped(test))}-result.json"


def _named(results: Iterable[tuple[ReportedExploration, _Result]]) -> Iterator[tuple[str, _Result]]:
    """Yield results with the beginnings of their files' names; what comes twice is one more result, as in Allure."""
    seen: dict[str, int] = {}
    for exploration, result in results:
        identity = _digest(exploration["label"], result.pop("identity"))
        name = f"{_OWN}-{_digest(ungrouped(exploration['test']))}-{identity}"
        seen[name] = seen.get(name, 0) + 1
        name += f"-{seen[name]}" if seen[name] > 1 else ""
        yield name, {"uuid": md5(name.encode(), usedforsecurity=False).hexdigest(), **result}


def _set_time(result: _Result, begin_ms: int) -> None:
    """Move a result and its steps, which have milliseconds since its beginning, to a time."""
    result["start"] = begin_ms + result.get("start", 0)
    result["stop"] = max(result["start"], begin_ms + result.get("stop", 0))
    for step in result.get("steps", ()):
        _set_time(step, begin_ms)


def _digest(*texts: str) -> str:
    return sha256("\0".join(texts).encode(errors="backslashreplace")).hexdigest()[:16]


# which results


def _results(report: Report) -> Iterator[tuple[ReportedExploration, _Result]]:
    found = sorted(findings(report), key=lambda pair: gravity(pair[1]["severity"]))
    yield from ((one, _of_test(one, allure_finding.result(one, violation))) for one, violation in found)
    explored = [(one, _points(one)) for one in report["explorations"]]
    left = MOST_RESULTS - len(found) - sum(1 + len(one["fixed"]) for one, _ in explored)
    most = _most([len(points) for _, points in explored], left)
    yield from ((one, _meaning(one, len(points[most:]))) for one, points in explored)
    yield from ((one, _fixed(one, fixed)) for one, _ in explored for fixed in one["fixed"])
    yield from ((one, _point(one, point, cells)) for one, points in explored for point, cells in points[:most])


def _most(counts: Sequence[int], left: int) -> int:
    """Return how many points of each exploration have a result, so that all of them together are at most `left`."""
    most = max(counts, default=0)
    while most and sum(min(count, most) for count in counts) > left:
        most -= 1
    return most


def _of_test(exploration: ReportedExploration, result: _Result, *below: str) -> _Result:
    """Return a result with the labels and the place of its test."""
    path, *names = ungrouped(exploration["test"]).split("::")
    label = exploration["label"]
    names = [*names[:-1], f"{names[-1]}{f' [{label}]' if label else ''}"] if names else [label or path]
    *folders, file = path.split("/")
    suites = {"parentSuite": ".".join(folders), "suite": file.removesuffix(".py"), "subSuite": " ".join(names)}
    given = [(name, text) for name, text in exploration.get("labels", [])]
    labels = [*given, *suites.items(), ("framework", "rollproof"), ("language", "python"), *result.pop("labels", ())]
    told = [{"name": name, "value": text} for name, text in labels if text]
    return {**result, "titlePath": [*folders, file, *names, *below], "labels": told}


def _case(exploration: ReportedExploration) -> str:
    """Return the identity over runs of what is told of a whole exploration."""
    return _digest(ungrouped(exploration["test"]), exploration["label"])


# what is not a finding


def _meaning(one: ReportedExploration, folded: int) -> _Result:
    """Return the result that says what was proved and what was not; broken where something could not be judged.

    So many points are `folded`: they have no result of their own.
    """
    unjudged = [
        *(f"interrupted by {why}" for why in [one["interrupted"]] if why),
        *(text if text.startswith(NOT_EXPLORED) else f"could not be judged: {text}" for text in one["errors"]),
        *(f"its fault never fired, so nothing was proved there: {token}" for token in one["not_reached"]),
        *(f"did not repeat: {line}" for line in one["flaky"]),
    ]
    case = _case(one)
    result = {
        "identity": _MEANS,
        "name": _MEANS,
        "fullName": one["test"],
        "status": "broken" if unjudged else "passed",
        **({"statusDetails": {"message": "\n".join(unjudged)}} if unjudged else {}),
        "testCaseId": case,
        "historyId": case,
        "description": one["statement"],
        "descriptionHtml": template("allure_meaning.html.j2").render(one=one, folded=folded),
        "stop": int(one["seconds"] * 1000),
        "files": {"attachment.csv": _csv(one["cells"])} if one["cells"] else {},
    }
    return _of_test(one, result)


def _fixed(one: ReportedExploration, fixed: Fixed) -> _Result:
    """Return the green row of a finding that is resolved, under its old id."""
    how = "its schedule was carried out, and all holds" if fixed["replayed"] else "its schedule is not reached any more"
    result = {
        "identity": fixed["id"],
        "name": fixed["title"] or fixed["id"],
        "fullName": f"{one['test']} {fixed['id']}",
        "status": "passed",
        **allure_finding.identity(one, fixed["id"]),
        "description": f"Resolved since {one['compared'] or 'the earlier run'}: {how}: `{fixed['schedule']}`",
        "labels": [("finding", "fixed"), ("tag", "fixed")],
    }
    return _of_test(one, result)


def _points(one: ReportedExploration) -> list[tuple[str, list[ReportedCell]]]:
    """Return points with their cells, those where something could not be judged first; none where nothing holds."""
    ordered = sorted(one["cells"], key=lambda cell: cell["point"])
    points = [(point, list(cells)) for point, cells in groupby(ordered, key=lambda cell: cell["point"])]
    told = [(point, cells) for point, cells in points if any(cell["verdict"] != "violated" for cell in cells)]
    return sorted(told, key=lambda pair: all(cell["verdict"] != "unknown" for cell in pair[1]))


def _point(one: ReportedExploration, point: str, cells: Sequence[ReportedCell]) -> _Result:
    """Return the result of a point: which faults were tried there, and hold.

    It is no test with a history of its own: a thousand of these would make the history grow by half a megabyte in each
    run. Allure compares it with that of its exploration instead, or it would be called new each time.
    """
    told = []
    for verdict in ("unknown", "holds", "vacuous", "violated"):
        faults = [_fault(cell) for cell in cells if cell["verdict"] == verdict]
        told += [f"<p><b>{_VERDICTS[verdict]}</b>: {', '.join(faults)}</p>"] if faults else []
    unknown = [cell["schedule"] for cell in cells if cell["verdict"] == "unknown"]
    fallback = md5(_case(one).encode(), usedforsecurity=False).hexdigest()
    result = {
        "identity": f"point {point}",
        "name": point,
        "status": "broken" if unknown else "passed",
        "descriptionHtml": "".join(told),
        "labels": [(_FALLBACK, fallback)],
        **({"statusDetails": {"message": f"could not be judged: {', '.join(unknown)}"}} if unknown else {}),
    }
    return _of_test(one, result, "Points where it holds")


_VERDICTS = {
    "unknown": "Could not be judged",
    "holds": "Holds",
    "vacuous": "Nothing to judge",
    "violated": "Broken, see the findings",
}


def _fault(cell: ReportedCell) -> str:
    return escape(cell["fault"]) + (f" ×{cell['count']}" if cell["count"] > 1 else "")


def _csv(cells: Iterable[ReportedCell]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("point", "fault", "verdict", "invariants", "schedule", "schedules"))
    rows.writerows(
        (c["point"], c["fault"], c["verdict"], " ".join(c["invariants"]), c["schedule"], c["count"]) for c in cells
    )
    return text.getvalue()
