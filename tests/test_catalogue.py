"""Everything that is registered keeps the same promises; a new fault or invariant is covered for free.

The promises are those of `rollproof.testing`, which anybody can run on an extension of their own.
"""

import json
import smtplib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rollproof.reports import json_file
from rollproof.testing import (
    NO_HISTORY,
    check_fault,
    check_invariant,
    check_source,
    check_twin,
    check_writer,
    sample_report,
    world,
)
from rollproof.twins.llm import ANTHROPIC, OPENAI, ModelTwin
from rollproof.twins.mailbox import Mailbox
from rollproof.twins.mcp import McpTwin
from rollproof.twins.rest import RestTwin
from rollproof.values.exploration import Exploration
from rollproof.values.faults import Fault
from rollproof.values.history import Execution, History, Invariant, Outcome
from rollproof.values.http import HttpRequest
from rollproof.values.sources import Service
from rollproof.values.world import Change, World

from .exploring import explored, only, options
from .test_mutants import WRONG, agent

KNOWN = options().known
INVARIANTS = options().invariants

DONE, RAISED = Outcome("returned", "done"), Outcome("raised", error="OSError: no space")
TWICE = (Change("+", "api.mail.test/mails"),)
DRAFT = world(private_files={"own/report.tmp": b"half"})


def lived(*executions: Execution, **more: Any) -> History:
    """Return the history of a schedule in which these processes ran."""
    return replace(NO_HISTORY, executions=executions, **more)


def recovered(outcome: Outcome, role: Any = "recover", **more: Any) -> tuple[World, History]:
    """Return a case in which a run was killed, and a process in this role ended so."""
    return world(), lived(Execution("run", Outcome("killed"), True), Execution(role, outcome), **more)


# For each invariant: where it is broken, and where it holds.
CASES: dict[str, tuple[tuple[World, History], tuple[World, History]]] = {
    "all_or_nothing": (
        (world(), lived(from_before=TWICE, from_done=TWICE)),
        (world(), lived(from_before=TWICE)),
    ),
    "no_leftovers": (
        (DRAFT, lived(leftover_names=("*.tmp",))),
        (DRAFT, lived(leftover_names=("*.tmp",), done=DRAFT)),
    ),
    "credential_hygiene": (
        (world({"shared/log": b"key sk-0123456789abcdef"}), lived(secrets={"the key": b"sk-0123456789abcdef"})),
        (world({"shared/log": b"a key that is known"}), lived(secrets={"the key": b"sk-0123456789abcdef"})),
    ),
    "recovery_succeeds": (recovered(RAISED), recovered(DONE)),
    "recovery_idempotent": (recovered(DONE, "recover again", again=TWICE), recovered(DONE, "recover again", again=())),
    "clean_retry": (recovered(DONE, "retry", retried=TWICE), recovered(DONE, "retry", retried=())),
    "honest_outcome": (
        (world(), lived(from_done=TWICE, claims_done=True)),
        (world(), lived(from_done=TWICE, claims_done=False)),
    ),
    "terminates": (recovered(Outcome("hung")), recovered(RAISED)),
}


@pytest.mark.parametrize("fault", KNOWN.values(), ids=KNOWN.keys())
def test_a_fault_keeps_its_promises(fault: Fault) -> None:
    """A name, a sentence, a token that reads back, a point where it strikes, always alike: a fault never chooses."""
    check_fault(fault)


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.name)
def test_an_invariant_is_a_promise_with_an_agent_that_breaks_it(invariant: Invariant) -> None:
    """It is broken in one case and holds in another, and a seeded bug names it."""
    broken, kept = CASES[invariant.name]
    check_invariant(invariant, catches=broken, leaves_alone=kept)
    assert any(invariant.name in agent(name).BREAKS for name in WRONG)


def asking(url: str, document: object, **headers: str) -> HttpRequest:
    """Return the request that posts a JSON document."""
    return HttpRequest("POST", url, {"content-type": "application/json", **headers}, json.dumps(document).encode())


def book(state: dict[str, list[dict[str, Any]]], flight: str) -> dict[str, str]:
    """Book a seat."""
    state["bookings"].append({"flight": flight})
    return {"booking": flight}


def twins() -> Iterator[tuple[Service, HttpRequest]]:
    """Yield each twin, with a request that it carries out."""
    yield RestTwin("https://api.mail.test/v1"), asking("https://api.mail.test/v1/mails", {"to": "a"})
    talk = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Say"}]}
    openai = asking(f"{OPENAI}/chat/completions", talk, authorization="Bearer k")
    yield ModelTwin({"Say": "Hello"}, base_url=OPENAI), openai
    key = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
    yield ModelTwin({"Say": "Hello"}, base_url=ANTHROPIC), asking(f"{ANTHROPIC}/v1/messages", talk, **key)
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "book", "arguments": {"flight": "1"}}}
    tools, url = McpTwin({"book": book}, base_url="https://tools.test/mcp"), "https://tools.test/mcp"
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
    opened = tools.handle(asking(url, {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}))
    session = opened.headers.get("mcp-session-id", "")
    yield tools, asking(url, call, **{"mcp-session-id": session, "accept": "application/json, text/event-stream"})


@pytest.mark.parametrize(("twin", "request_"), list(twins()), ids=["rest", "openai", "anthropic", "mcp"])
def test_a_twin_keeps_its_promises(twin: Service, request_: HttpRequest) -> None:
    """Its state can be put back, the same state gives the same answer, and a refusal has the service's own form."""
    check_twin(twin, request_, changes=not isinstance(twin, ModelTwin))


def test_the_mailbox_is_a_source() -> None:
    """What was delivered to its real server can be put back."""
    mailbox = Mailbox("mail.test")

    def send() -> None:
        with smtplib.SMTP(mailbox.host, mailbox.port) as client:
            client.sendmail("a@mail.test", ["b@mail.test"], "Subject: Hello\r\n\r\nHello")

    try:
        check_source(mailbox, send)
    finally:
        mailbox.close()


def test_the_json_result_is_a_writer(tmp_path: Path) -> None:
    """It writes any report, as a whole each time, and that is read again as it was."""
    check_writer(json_file.writer(tmp_path, "chaos.json"), (tmp_path / "chaos.json").read_bytes)
    assert json_file.read(str(tmp_path / "chaos.json")) == sample_report()


def test_the_same_seed_gives_the_same_exploration(tmp_path: Path) -> None:
    """Two explorations with one seed agree in everything but time and memory addresses."""

    def facts(result: Exploration) -> tuple[object, ...]:
        return result.statement, result.cells, [(f.schedule, f.invariants) for f in result.violations]

    name = "wrong_half_of_a_set"
    selected = only("process.kill", "process.cancel", "storage.full")
    first = explored(agent(name), tmp_path / "one", **selected)
    second = explored(agent(name), tmp_path / "two", **selected)
    assert facts(first) == facts(second)
