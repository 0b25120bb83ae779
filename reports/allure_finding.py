"""A finding as a result of Allure: its story as steps, what is wrong as a difference, and all else as a description."""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from rollproof.values.errors import ChaosError
from rollproof.values.report import ReportedCell, ReportedExploration, ReportedStep, ReportedViolation
from rollproof.values.schedule import Schedule
from rollproof.values.story import WRONG_FATES
from rollproof.values.titles import title_of

from .ci import status_of
from .html_page import state_rows, template
from .lanes import picture

_SHOWN_CHANGES = 8
_SHOWN_CHARACTERS = 10_000
_SHOWN_STEPS = 60  # of one part of a story: Allure opens a hundred steps, and not a thousand
_PHASES = {
    "before the fault": "[run] until the fault",
    "fault": "[fault]",
    "after the fault": "[run] after the fault",
    "recovery": "[recovery]",
    "promises": "[promises]",
}
_BAD_ENDS = ("raises ", "goes on without end", "hangs")


def result(exploration: ReportedExploration, violation: ReportedViolation) -> dict[str, Any]:
    """Return the result of a finding, without what it has of its test; times are milliseconds of virtual time."""
    status = "skipped" if violation["known"] else "failed"
    steps = list(_steps(violation["story"]))
    return {
        "identity": violation["id"],
        "name": title_of(violation),
        "fullName": f"{exploration['test']} {violation['id']}",
        "status": status,
        "statusDetails": _details(violation),
        **identity(exploration, violation["id"]),
        "descriptionHtml": _html(exploration, violation),
        "steps": steps,
        "stop": max((step["stop"] for step in steps), default=0),
        "labels": [
            ("severity", violation["severity"]),
            ("finding", _since(violation)),
            *(("tag", tag) for tag in (*violation["invariants"], violation["kind"], status_of(violation)) if tag),
        ],
    }


def identity(exploration: ReportedExploration, id: str) -> dict[str, str]:
    """Return the identity of a finding, the same in each run: its id; two explorations of a test may have the same."""
    case = f"{id} [{exploration['label']}]" if exploration["label"] else id
    return {"testCaseId": case, "historyId": case}


def _since(violation: ReportedViolation) -> str:
    """Return the status of a finding from run to run; the quality gate lets "known" and "as before" through."""
    return status_of(violation) or ("found" if violation["new"] is None else "as before")


def _details(violation: ReportedViolation) -> dict[str, Any]:
    by_order = violation["cause"] is not None and violation["cause"]["way"] == "by order"
    sides = {} if by_order else _sides(violation)  # of two orders neither side is the right one
    known = {"known": True} if violation["known"] else {}
    return {"message": "\n".join(_message(violation)), "trace": violation["replay"], **sides, **known}


def _message(violation: ReportedViolation) -> Iterator[str]:
    """Yield the lines to read first. Allure groups by this text, and its categories read the last line."""
    until = violation["until"]
    if violation["known"]:
        yield f"known: {violation['reason']}{f' (until {until})' if until else ''}"
    elif until:
        yield f"known until {until}, which is over: {violation['reason']}"
    if violation["sentence"]:
        yield violation["sentence"]
    else:
        more = len(violation["diff"]) - _SHOWN_CHANGES
        yield from violation["diff"][:_SHOWN_CHANGES]
        yield from [f"… and {more} more"] if more > 0 else []
        yield violation["message"]
    yield f"breaks: {', '.join(violation['invariants'])}{' (repeated effect)' if _is_repeated(violation) else ''}"


def _is_repeated(violation: ReportedViolation) -> bool:
    cause = violation["cause"]
    of_effect = cause is not None and cause["way"] == "twice" and cause["promise"] != "credential_hygiene"
    return of_effect or any(step["fate"] == "repeated" for step in violation["story"])


# the two sides of a difference


def _sides(violation: ReportedViolation) -> dict[str, str]:
    """Return the nearest right world and the one found, as key-sorted JSON; nothing where they do not differ.

    Right is what was found with the named differences undone: what may be either way (a rollback) shows no difference.
    """
    done, actual = (_read(violation[side]) for side in ("expected", "actual"))
    changes = list(_changes(violation["diff"]))
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
    texts = {"expected": _json(expected)[:_SHOWN_CHARACTERS], "actual": _json(actual)[:_SHOWN_CHARACTERS]}
    return texts if texts["expected"] != texts["actual"] else {}


def _read(document: str) -> dict[str, Any]:
    """Return a world that a result has as JSON; an empty one where that is none, as with a secret that was a number."""
    try:
        world = json.loads(document or "{}")
    except ValueError:
        world = None
    return world if isinstance(world, dict) else {}


def _json(world: dict[str, Any]) -> str:
    return json.dumps(world, indent=1, sort_keys=True, ensure_ascii=False)


def _changes(diff: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield sign, name and detail of each line of a difference."""
    for line in diff:
        sign, _, rest = line.partition(" ")
        name, _, detail = rest.partition(": ")
        yield sign, name, detail


# the story


def _steps(story: Sequence[ReportedStep]) -> Iterator[dict[str, Any]]:
    """Yield the parts of a story in true order, each with its steps; what fails opens by itself."""
    ends = [*(_ms(step) for step in story[1:]), *(_ms(step) for step in story[-1:])]
    told = zip(story, ends, strict=True)
    for (phase, life), pairs in groupby(told, key=lambda pair: (pair[0]["phase"], pair[0]["life"])):
        steps = _fewer([_step(step, max(end, _ms(step))) for step, end in pairs], last=phase == "before the fault")
        worst = min((step["status"] for step in steps), key=("failed", "broken", "passed").index)
        whose = f" {life}" if life and life != "run" else ""
        yield {
            "name": f"{_PHASES[phase]}{whose}",
            "status": worst,
            "start": steps[0]["start"],
            "stop": steps[-1]["stop"],
            "steps": steps,
        }


def _fewer(steps: list[dict[str, Any]], *, last: bool) -> list[dict[str, Any]]:
    """Return the last or the first of many steps, and how many others there are."""
    if (more := len(steps) - _SHOWN_STEPS) <= 0:
        return steps
    kept = steps[more:] if last else steps[:-more]
    edge = kept[0]["start"] if last else kept[-1]["stop"]
    told = {"name": f"… {more} more steps", "status": "passed", "start": edge, "stop": edge}
    return [told, *kept] if last else [*kept, told]


def _step(step: ReportedStep, end_ms: int) -> dict[str, Any]:
    failed = step["phase"] == "promises" or step["fate"] in WRONG_FATES or step["outcome"].startswith(_BAD_ENDS)
    status = "broken" if step["phase"] == "fault" else "failed" if failed else "passed"
    beside = [
        f"{step['file']}:{step['line']}" if step["line"] else "",
        step["fate"],
        *(f"in {w}" for w in step["within"]),
    ]
    told = ": ".join(filter(None, (step["point"], step["outcome"])))
    shown = ", ".join(filter(None, beside))
    name = f"{told} ({shown})" if shown else told
    return {"name": name, "status": status, "start": _ms(step), "stop": end_ms}


def _ms(step: ReportedStep) -> int:
    return int(step["at_s"] * 1000)


# the description: only inline styles survive in Allure 3


def _html(exploration: ReportedExploration, violation: ReportedViolation) -> str:
    svg = picture(violation["story"])
    return template("allure_finding.html.j2").render(
        v=violation,
        picture=b64encode(svg.encode()).decode(),
        rows=state_rows(violation),
        cells=[(cell, _when(cell["schedule"])) for cell in _others(exploration, violation)],
        wrong=WRONG_FATES,
    )


def _others(exploration: ReportedExploration, violation: ReportedViolation) -> list[ReportedCell]:
    """Return the other cells of a finding: those of its schedules, or else all that break the same promises.

    A result keeps some schedules of each finding. A cell that breaks the same promises as two findings is shown in
    both: which of them it is was not kept.
    """
    schedules, promises = set(violation["also"]["schedules"]), set(violation["invariants"])
    broken = [cell for cell in exploration["cells"] if cell["verdict"] == "violated"]
    others = [cell for cell in broken if cell["schedule"] != violation["schedule"]]
    own = [cell for cell in others if cell["schedule"] in schedules]
    alike = [cell for cell in others if cell not in own and set(cell["invariants"]) == promises]
    return [*own, *alike]


def _when(token: str) -> str:
    """Return the phase of the last fault of a schedule; "" of one that an other version wrote."""
    try:
        return str(Schedule.parse(token).injections[-1].when)
    except (ChaosError, IndexError):
        return ""
