"""A report made by hand, with all that a finding can have: what the README's agent does wrong."""

from typing import Any, cast

from rollproof.values.report import Report, ReportedExploration, ReportedStep, ReportedViolation

TEST = "test_myagent.py::test_publishing_is_all_or_nothing"
POST = "http.post:api.mail.test/mails"
TITLE = 'Mail to "all" goes out twice'
SENTENCE = """\
A second mail is at api.mail.test, and run() says "published".
The answer to the first POST was lost after the service had acted; myagent.py:29 sent it again without a key."""
SOURCE = """\
    for attempt in range(attempts):
        try:
            return httpx.post("https://api.mail.test/mails", json=message).raise_for_status()
        except httpx.TimeoutException:
            if attempt == attempts - 1:
""".splitlines()
MAIL = {"about": "solar", "to": "all"}


def step(phase: str, point: str, outcome: str, at_s: float, **more: Any) -> ReportedStep:
    """Return a step of the run, in mail() where nothing else is said."""
    own = {"file": "myagent.py", "line": 29, "function": "mail"} if point else {"file": "", "line": 0, "function": ""}
    rest = {"life": "run", "within": [], "fate": "", **own, **more}
    return cast(ReportedStep, {"phase": phase, "point": point, "outcome": outcome, "at_s": at_s, **rest})


def violation(**more: Any) -> ReportedViolation:
    """Return the finding, with `more` instead of what it has."""
    story = [
        step("before the fault", "file.open:agent/publish.lock#1", "created", 0.0, line=11, fate="undone"),
        step("before the fault", "llm.chat:api.openai.com/v1/chat/completions#1", "200", 0.001, line=12),
        step("before the fault", "file.replace:shared/report.md#1", "replaced", 0.004, line=20, fate="kept"),
        step("before the fault", f"{POST}#1", "201", 0.005, fate="kept"),
        step("fault", f"{POST}#1", "the answer is lost: ReadTimeout", 0.005),
        step("after the fault", f"{POST}#2", "201", 5.005, fate="repeated", within=["send the mail"]),
        step("after the fault", "", "returned 'published'", 5.006),
        step("promises", "", "all_or_nothing: the outside is neither as before nor as after a complete run", 5.006),
    ]
    source = [{"number": 27 + n, "text": text, "marked": n == 2} for n, text in enumerate(SOURCE)]
    effects = [{"step": 3, "fate": "kept"}, {"step": 5, "fate": "repeated"}]
    place = {"file": "myagent.py", "line": 29, "function": "mail", "callers": ["myagent.py:21"], "source": source}
    return cast(
        ReportedViolation,
        {
            "id": "512f6fa3743e",
            "invariants": ["all_or_nothing", "honest_outcome"],
            "schedule": f"http.timeout@{POST}#1:after",
            "message": "all_or_nothing: the outside is neither as before nor as after a complete run",
            "diff": [f"+ api.mail.test/mails: {MAIL}"],
            "title": TITLE,
            "sentence": SENTENCE,
            "cause": None,
            "severity": "blocker",
            "kind": "repeated effect without a stable key",
            "cure": {"tried": "a stable Idempotency-Key on this call", "outcome": "the finding is gone"},
            "story": story,
            "states": {
                "before": {"api.mail.test/mails": []},
                "fault": {"api.mail.test/mails": [MAIL], "shared/report.md": "# Solar"},
                "end": {"api.mail.test/mails": [MAIL, MAIL], "shared/report.md": "# Solar"},
                "right": {"api.mail.test/mails": [[], [MAIL]], "shared/report.md": [None, "# Solar"]},
            },
            "expected": "",
            "actual": "",
            "blame": [{**place, "effects": effects}],
            "exchange": [{"step": 1, "request": {"model": "gpt-4o-mini"}, "answer": '{"title": "Solar"}'}],
            "also": {"schedules": [f"http.timeout~lasting@{POST}#1:after"], "number": 25},
            "replay": f"pytest --chaos {TEST} --chaos-replay='http.timeout@{POST}#1:after'",
            "known": False,
            "new": True,
            "reason": "",
            **more,
        },
    )


def exploration(*violations: ReportedViolation, **more: Any) -> ReportedExploration:
    """Return an exploration with these findings."""
    return cast(
        ReportedExploration,
        {
            "test": TEST,
            "name": "",
            "label": "",
            "interrupted": "",
            "points": 7,
            "schedules": 340,
            "executions": 95,
            "worlds": 11,
            "closed": True,
            "skipped": {},
            "drifted": 0,
            "unintercepted": 0,
            "unwatched": [],
            "masked": [],
            "audited": 5,
            "seconds": 3.6,
            "statement": "7 points, 340 schedules judged in 95 executions; exhaustive",
            "verdicts": {"all_or_nothing": "violated"},
            "violations": list(violations),
            "flaky": [],
            "errors": [],
            "not_explored": [],
            "notes": [],
            "known": [],
            "resolved": [],
            "fixed": [],
            "proved": ["7 places where the agent touches the outside were tried with 14 faults."],
            "not_proved": ["A second fault after a first was not tried (--chaos-depth=2)."],
            "not_tried": {},
            "cells": [
                {
                    "point": f"{POST}#1",
                    "fault": "http.timeout",
                    "verdict": "violated",
                    "invariants": ["all_or_nothing"],
                    "schedule": f"http.timeout@{POST}#1:after",
                    "count": 2,
                }
            ],
            **more,
        },
    )


def report(*explorations: ReportedExploration) -> Report:
    """Return a report of these, or of one with the finding."""
    return {"version": 2, "seed": 0, "explorations": list(explorations) or [exploration(violation())]}
