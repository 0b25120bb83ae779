"""The sample report of `rollproof.testing`, told as a finding of the README's agent with all that a report can have."""

from copy import deepcopy
from typing import Any, cast

from rollproof.testing import sample_report
from rollproof.values.report import Report, ReportedCause, ReportedExploration, ReportedStep, ReportedViolation

POST = "http.post:api.mail.test/mails"
TOKEN = f"http.timeout@{POST}#1:after"
TEST = "test_myagent.py::test_publishing_is_all_or_nothing"
TITLE = 'Mail to "all" goes out twice'
SOURCE = (
    "    for attempt in range(attempts):",
    "        try:",
    '            return httpx.post("https://api.mail.test/mails", json=message).raise_for_status()',
    "        except httpx.TimeoutException:",
    "            if attempt == attempts - 1:",
)


(_SAMPLE,) = sample_report(1)["explorations"]


def cause(**more: Any) -> ReportedCause:
    """Return the cause of the second mail."""
    known: dict[str, Any] = {
        "promise": "all_or_nothing",
        "way": "twice",
        "effect": POST,
        "file": "myagent.py",
        "line": 29,
        "function": "mail",
        "statement": SOURCE[2].strip(),
        "callers": ["myagent.py:21"],
    }
    return cast(ReportedCause, {**_SAMPLE["violations"][0]["cause"], **known, **more})  # type: ignore[dict-item]


def step(point: str, outcome: str = "", line: int = 0, **more: Any) -> ReportedStep:
    """Return a step of the run."""
    place = {"file": "myagent.py" if line else "", "line": line, "function": "publish" if line else ""}
    known: dict[str, Any] = {"life": "run", "phase": "before the fault", "at_s": 0.0, "within": [], "fate": ""}
    return cast(ReportedStep, {**known, "detail": "", "point": point, "outcome": outcome, **place, **more})


STORY = [
    step("file.open:agent/publish.lock#1", "made", 11, fate="undone"),
    step("llm.chat:api.openai.com#1", "200", 12, within=["write the report"]),
    step("file.write:agent/draft.md#1", "", 19, at_s=0.1),
    step("file.replace:shared/report.md#1", "", 20, at_s=0.2, fate="kept"),
    step(f"{POST}#1", "201, answer lost: raises ReadTimeout", 29, phase="fault", at_s=5.2, fate="kept"),
    step(f"{POST}#2", "201", 29, phase="after the fault", at_s=5.3, fate="repeated"),
    step("", "returned 'published'", phase="after the fault", at_s=5.4),
    step("", "all_or_nothing does not hold", life="", phase="promises", at_s=5.4),
]


def besides() -> Any:
    """Return the blame of `violation`, and a line that made something durable and is right."""
    wrong = violation()["blame"]
    return [*wrong, {**wrong[0], "line": 11, "function": "publish", "effects": [{"step": 0, "fate": "undone"}]}]


def violation(**more: Any) -> ReportedViolation:
    """Return the finding, with all that a report can have."""
    known: dict[str, Any] = {
        "id": "0123456789ab",
        "invariants": ["all_or_nothing", "honest_outcome"],
        "schedule": TOKEN,
        "message": "all_or_nothing: the outside is neither as before nor as after a complete run",
        "diff": ["+ api.mail.test/mails: {'about': 'solar', 'to': 'all'}"],
        "title": TITLE,
        "sentence": 'A second mail is at api.mail.test, and run() says "published". The answer to the first POST was '
        "lost after the service had acted; myagent.py:29 sent it again without a key.",
        "cause": cause(),
        "severity": "blocker",
        "kind": "repeated effect, no stable key",
        "cure": {"tried": "a stable Idempotency-Key on this call", "outcome": "it is gone"},
        "story": STORY,
        "states": {
            "before": {"api.mail.test/mails": [], "shared/report.md": None},
            "fault": {"api.mail.test/mails": [{"about": "solar"}], "shared/report.md": "# Solar\n\nIt is cheap.\n"},
            "end": {"api.mail.test/mails": [{"about": "solar"}] * 2, "shared/report.md": "# Solar\n\nIt is cheap.\n"},
            "right": {
                "api.mail.test/mails": [[], [{"about": "solar"}]],
                "shared/report.md": [None, "# Solar\n\nIt is cheap.\n"],
            },
        },
        "expected": "{}",
        "actual": "{}",
        "blame": [
            {
                "file": "myagent.py",
                "line": 29,
                "function": "mail",
                "callers": ["myagent.py:21"],
                "source": [{"number": n, "text": text, "marked": n == 29} for n, text in enumerate(SOURCE, 27)],
                "effects": [{"step": 4, "fate": "kept"}, {"step": 5, "fate": "repeated"}],
                "within": [],
            }
        ],
        "also": {"schedules": [f"http.timeout~lasting@{POST}#1:after"], "number": 25},
        "replay": f"pytest --chaos {TEST} --chaos-replay='{TOKEN}'",
        "new": True,
        "phases": [],
    }
    return cast(ReportedViolation, {**deepcopy(_SAMPLE["violations"][0]), **known, **more})


EMPTY: dict[str, Any] = {
    "title": "",
    "sentence": "",
    "severity": "",
    "kind": "",
    "cure": {"tried": "", "outcome": ""},
    "story": [],
    "states": {"before": {}, "fault": {}, "end": {}, "right": {}},
    "blame": [],
    "also": {"schedules": [], "number": 0},
    "new": None,
    "phases": [("fault", [f"http.timeout after {POST}"]), ("run", [f"{POST}#1", "returned 'published'"])],
}
"""What stands in a finding whose story, words and cure nobody made."""


STRUCK: dict[str, Any] = {
    "ends": {"done": 12, "rolled back": 5, "handed over": 0, "stuck": 0, "wrong": 1},
    "recovery_s": {"median": 1.01, "p95": 31.0, "max": 400.0},
    "model_calls_again": 1,
    "tokens_again": 1234,
    "times": {"1.01": 10, "31.0": 7, "400.0": 1},
}
"""Struck runs of each end that views tell of; an exploration has none unless it is given some."""


def exploration(*violations: ReportedViolation, **more: Any) -> ReportedExploration:
    """Return an exploration with these findings."""
    cells = [("http.timeout", "violated", 26), ("http.timeout", "holds", 99), ("process.kill", "holds", 173)]
    known: dict[str, Any] = {
        "test": TEST,
        "points": 7,
        "schedules": 340,
        "executions": 95,
        "worlds": 11,
        "closed": True,
        "audited": 5,
        "seconds": 3.2,
        "statement": "7 points, 340 schedules judged in 95 executions; exhaustive; 1 violation",
        "verdicts": {"all_or_nothing": "violated", "clean_retry": "vacuous"},
        "violations": list(violations),
        "proved": [],
        "not_proved": [],
        "cells": [
            {
                **_SAMPLE["cells"][0],
                "point": f"{POST}#1",
                "fault": fault,
                "schedule": f"{fault}@{POST}#1",
                "verdict": verdict,
                "count": n,
                "invariants": [],
            }
            for fault, verdict, n in cells
        ],
        "struck": {**STRUCK, "ends": dict.fromkeys(STRUCK["ends"], 0)},
    }
    return cast(ReportedExploration, {**deepcopy(_SAMPLE), **known, **more})


def report(*explorations: ReportedExploration) -> Report:
    """Return a report of these, or of one with the finding."""
    return {"version": 2, "seed": 0, "explorations": list(explorations) or [exploration(violation())]}
