"""A finding of something that is there twice names the requests that made it, and their idempotency keys."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rollproof.engine.judge import Judgement
from rollproof.engine.keys import requests_told, sent, told
from rollproof.engine.process_runs import ProcessRun, Sent
from rollproof.twins.rest import RestTwin
from rollproof.values.history import Violation
from rollproof.values.http import HttpRequest, HttpResponse
from rollproof.values.points import Point
from rollproof.values.world import Change

from .exploring import explored, only
from .test_mutants import agent

MAILS = "api.mail.test/mails"
UUID = r"[0-9a-f-]{36}"


def life(role: Any, *keys: str, target: str = MAILS) -> ProcessRun:
    """Return a process that sent one request for each key: "" for none, ``header=key`` for another header."""
    lived = ProcessRun(role, start=None)  # type: ignore[arg-type]
    for n, each in enumerate(keys, 1):
        header, _, key = each.rpartition("=")
        header = header or ("Idempotency-Key" if key else "")
        lived.sent.append(Sent(Point("http", "post", target, n), header, key))
    return lived


@pytest.mark.parametrize(
    ("lives", "words"),
    [
        ([], ""),
        ([life("run", "a"), life("recover")], ""),
        ([life("run", "a", "b", target="api.mail.test/drafts"), life("recover", "c")], ""),
        ([life("run", "", "")], "two POSTs by run, no key sent"),
        ([life("run", ""), life("recover", "")], "two POSTs by run and recover, no key sent"),
        ([life("run", "a"), life("recover", "b")], "two POSTs: Idempotency-Key a by run, b by recover"),
        ([life("run", "a"), life("recover", "a")], "two POSTs by run and recover: the same Idempotency-Key a"),
        ([life("run", "a", "a")], "two POSTs by run: the same Idempotency-Key a"),
        ([life("run", "a", "")], "two POSTs by run: Idempotency-Key a, then none"),
        ([life("run", "", "a")], "two POSTs by run: no key, then Idempotency-Key a"),
        ([life("run", "a", "b")], "two POSTs by run: Idempotency-Key a, then b"),
        ([life("run", "a"), life("recover", "")], "two POSTs: Idempotency-Key a by run, none by recover"),
        ([life("run", ""), life("recover", "a")], "two POSTs: no key by run, Idempotency-Key a by recover"),
        (
            [life("run", "a", "b"), life("recover", "c")],
            "three POSTs: Idempotency-Key a, then b by run; c by recover",
        ),
        ([life("run", "a", "a"), life("recover", "b")], "three POSTs: Idempotency-Key a twice by run, b by recover"),
        (
            [life("run", "a"), life("recover", "a"), life("recover", "b")],
            "three POSTs: Idempotency-Key a by run, the same by recover, b by the second recover",
        ),
        (
            [life("run"), life("recover early", "a"), life("recover", "b"), life("retry", "b")],
            "three POSTs: Idempotency-Key a by recover early, b by recover, the same by retry",
        ),
        ([life("run", *"aaab")], "4 POSTs by run: Idempotency-Key a 3 times, then b"),
        (
            [life("run", "a"), life("recover", "X-Idempotency-Key=a")],
            "two POSTs: Idempotency-Key a by run, X-Idempotency-Key a by recover",
        ),
        (
            [life("run", *"abcd"), life("recover", *"efgh")],
            "8 POSTs: Idempotency-Key a, then b, then c, then d by run; e, then f by recover and 2 more",
        ),
    ],
)
def test_requests_in_words(lives: list[ProcessRun], words: str) -> None:
    """Which process sent which key, in the order in which they came; nothing where there was no second request."""
    assert requests_told(lives, MAILS) == words


def test_a_long_key_is_shown_by_its_ends() -> None:
    """Two that begin alike stay apart; a secret is taken out before anything is cut."""
    long = "order-2026-01-15-of-the-customer-with-the-longest-name/attempt-{}"
    words = requests_told([life("run", long.format(1), long.format(2))], MAILS)
    assert words == (
        "two POSTs by run: Idempotency-Key order-2026-01-15-of-the-…-name/attempt-1, "
        "then order-2026-01-15-of-the-…-name/attempt-2"
    )
    first, second = (f"{'a' * 30}{n}{'z' * 30}" for n in (1, 2))
    assert "the same" not in requests_told([life("run", first, second)], MAILS)
    secret = "sk-" + "x" * 60
    words = requests_told(
        [life("run", f"{secret}/1", f"{secret}/2")], MAILS, lambda text: text.replace(secret, "<key>")
    )
    assert words == "two POSTs by run: Idempotency-Key <key>/1, then <key>/2"


@pytest.mark.parametrize(
    ("request_", "status", "remembered"),
    [
        (HttpRequest("POST", "https://api.mail.test/mails", {"idempotency-key": "a"}), 201, ("Idempotency-Key", "a")),
        (
            HttpRequest("post", "https://api.mail.test/mails", {"idempotency-token": "a"}),
            201,
            ("Idempotency-Token", "a"),
        ),
        (HttpRequest("POST", "https://api.mail.test/mails", {"x-request-id": "a"}), 201, ("", "")),
        (HttpRequest("POST", "https://api.mail.test/mails", {"idempotency-key": "a"}), 400, None),
        (HttpRequest("GET", "https://api.mail.test/mails"), 200, None),
    ],
)
def test_what_can_have_created_something(
    request_: HttpRequest, status: int, remembered: tuple[str, str] | None
) -> None:
    """A POST that was not refused; an id for tracing is no key."""
    twin = RestTwin("https://api.mail.test")
    found = list(sent(twin, request_, Point("http", "post", MAILS), HttpResponse(status)))
    assert [(each.header, each.key) for each in found] == ([] if remembered is None else [remembered])
    twin.kind = "llm"
    assert list(sent(twin, request_, Point("llm", "chat", "api.openai.com"), HttpResponse(status))) == []


def test_each_violation_is_told_by_the_processes_it_is_about() -> None:
    """What a retry sent has nothing to do with what was there before it."""
    lives = (life("run", "a"), life("recover", "b"), life("recover again", "c"), life("retry", "d"))
    seen = tuple(each.execution() for each in lives)
    judgement = Judgement((), (), None, lives, told=seen)  # type: ignore[arg-type]  # its end does not matter

    def lines(*violations: Violation) -> list[str]:
        return told([(violation, judgement.processes(violation)) for violation in violations], str)

    more = Violation(
        "twice", (Change("+", MAILS, "{}"), Change("+", MAILS, "{}"), Change("+", "shared/x"), Change("-", "y"))
    )
    assert lines(more, more) == [f"{MAILS}: two POSTs: Idempotency-Key a by run, b by recover"]
    assert lines(replace(more, by=seen[2]))[0].endswith("b by recover, c by recover again")
    assert lines(replace(more, by=seen[3]))[0].endswith("b by recover, d by retry")
    assert lines(Violation("missing", (Change("-", MAILS, "{}"),))) == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "wrong_new_key_for_each_attempt",
            rf"api\.supplier\.test/orders: two POSTs: Idempotency-Key {UUID} by run, {UUID} by recover",
        ),
        ("wrong_effect_twice_after_timeout", r"api\.mail\.test/mails: two POSTs by run, no key sent"),
    ],
)
def test_a_finding_names_the_keys(name: str, line: str, tmp_path: Path) -> None:
    """Of agents that do something twice: a key of its own for each attempt, and none at all."""
    result = explored(agent(name), tmp_path / "explored", **only("process.kill", "http.timeout"))
    messages = [finding.message for finding in result.violations if any(d.startswith("+") for d in finding.diff)]
    assert messages
    assert any(re.search(rf"^{line}$", message, re.MULTILINE) for message in messages), messages
