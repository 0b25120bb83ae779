"""What a medium says it can carry out is carried out: each action at each phase changes how a small agent fares."""

import asyncio
import smtplib
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import httpx
import pytest
from rollproof.boundary.media import http, mcp_stdio
from rollproof.boundary.media import mail as post
from rollproof.boundary.resolved import ResolvedInjection
from rollproof.engine.execute import How
from rollproof.engine.process_runs import BIRTH, FIRST_STREAM, ProcessRun
from rollproof.twins.llm import ModelTwin
from rollproof.twins.mailbox import Mailbox
from rollproof.twins.mcp import declared
from rollproof.twins.ready.webhooks import Webhooks, webhooks
from rollproof.twins.rest import RestTwin
from rollproof.values.actions import (
    Action,
    Damage,
    Deliver,
    Disconnect,
    Exit,
    Fail,
    Kill,
    Misanswer,
    Preempt,
    Respond,
    Say,
)
from rollproof.values.http import ModelAnswer
from rollproof.values.media import media, medium_of
from rollproof.values.points import Phase, Point
from rollproof.values.schedule import Injection

from .stage import Stage

SAMPLES: dict[type[Action], Action] = {
    Kill: Kill(),
    Fail: Fail(RuntimeError("it fails")),
    Disconnect: Disconnect("reset"),
    Respond: Respond(503),
    Say: Say(ModelAnswer("something else")),
    Exit: Exit(3),
    Deliver: Deliver(refuses="content", reply="554 5.7.1 no"),
    Misanswer: Misanswer("tool error"),
    Damage: Damage("flipped", 0.5),
}
_AGAIN = Misanswer("again")  # a sender of webhooks has ways of its own
KEY = {"authorization": "Bearer sk-test-0123456789abcdef"}
ASKED = {"model": "m", "messages": [{"role": "user", "content": "question"}]}
TOOLS = {"book": lambda seat: f"booked {seat}"}
COMMAND = ("npx", "-y", "@travel/server")


def writes_and_reads(stage: Stage) -> str:
    """Keep something in a file, and read it again."""
    path = stage.own / "kept"
    path.write_bytes(b"0123456789")
    return path.read_bytes().decode()


def keeps_rows(stage: Stage) -> list[Any]:
    """Keep a row in a database, and read it again."""
    with closing(sqlite3.connect(stage.own / "a.db")) as database:
        database.execute("CREATE TABLE kept (text)")
        database.execute("INSERT INTO kept VALUES ('0123456789')")
        database.commit()
        return database.execute("SELECT text FROM kept").fetchall()


def posts(stage: Stage) -> int:
    """Ask a service for something."""
    return httpx.post("https://api.mail.test/mails", json={"to": "ann"}).status_code


def asks(stage: Stage) -> Any:
    """Ask a model."""
    return httpx.post("https://api.openai.com/v1/chat/completions", json=ASKED, headers=KEY).text


def runs_a_program(stage: Stage) -> int:
    """Run a program that changes nothing."""
    return subprocess.run(["true"], check=False).returncode


def sleeps(stage: Stage) -> str:
    """Sleep."""

    async def sleep() -> str:
        await asyncio.sleep(1)
        return "slept"

    return asyncio.run(sleep())


def mails(stage: Stage) -> str:
    """Send a mail."""
    with smtplib.SMTP("mail.test", 25, timeout=10) as server:
        server.sendmail("a@mail.test", ["b@mail.test"], "Subject: hello\n\nHello.")
    return "sent"


async def in_a_session(url: str) -> Any:
    """Call a tool: of the server at a URL, or of the one that a command starts."""
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client
    from mcp.client.streamable_http import streamable_http_client

    server = StdioServerParameters(command=COMMAND[0], args=list(COMMAND[1:]))
    opened: Any = streamable_http_client(url) if url else stdio_client(server)
    async with opened as streams, ClientSession(*streams[:2]) as session:
        await session.initialize()
        return str(await session.call_tool("book", {"seat": "1a"}))


def calls_a_tool(stage: Stage) -> Any:
    """Call a tool over HTTP."""
    return asyncio.run(in_a_session("https://tools.test/mcp"))


def calls_a_subprocess(stage: Stage) -> Any:
    """Call a tool of a subprocess."""
    return asyncio.run(in_a_session(""))


def takes_webhooks(stage: Stage) -> list[str]:
    """Take what a sender delivers."""
    taken: list[str] = []
    (hooks,) = (twin for twin in stage.twins if isinstance(twin, Webhooks))
    hooks.deliver(to=lambda webhook: taken.append(webhook.id))
    return taken


AGENTS: dict[str, Callable[[Stage], Any]] = {
    "clock": sleeps,
    "file": writes_and_reads,
    "http": posts,
    "llm": asks,
    "mail": mails,
    "mcp": calls_a_tool,
    "process": runs_a_program,
    "sqlite": keeps_rows,
    "stdio": calls_a_subprocess,
    "webhook": takes_webhooks,
}


@pytest.fixture
def outside(stage: Stage) -> Iterator[Stage]:
    """An outside with a service, a model, tools of both kinds and a mailbox."""
    server = declared(TOOLS, None, COMMAND, None, 0)
    stage.twins += [RestTwin("https://api.mail.test"), ModelTwin({"question": "answer"}), server]
    stage.twins.append(declared(TOOLS, "https://tools.test/mcp", None, None, 0))
    stage.twins.append(webhooks(events=[("order.paid", {})]))
    mailbox = Mailbox("mail.test")
    stage.services.append(mailbox)
    undo = [post.install({mailbox.name: (mailbox.host, mailbox.port)})]
    undo.append(mcp_stdio.install({server.command: server.base_url}, http.carried))
    yield stage
    for step in undo:
        step()
    mailbox.close()


def test_media_without_an_agent_here_are_those_of_real_connections() -> None:
    """Every other one is tried below; these are in ``tests/network/test_carried_out.py``."""
    assert media().keys() - AGENTS.keys() == {"net", "served"}


def pairs(process: ProcessRun, kind: str) -> dict[tuple[type[Action], Phase], tuple[Point, Action]]:
    """Return one place for each action and phase that a medium says it can carry out.

    Others that go first (`Preempt`) need two who are in flight: see ``test_orders.py``.
    """
    found: dict[tuple[type[Action], Phase], tuple[Point, Action]] = {}
    medium = medium_of(kind)
    for point in (point for point in process.points if point.kind == kind):
        for when in medium.verbs[point.verb]:
            for action in medium.actions_at(point.verb, when):
                reached = (
                    process.effects[point].reached if point in process.effects else ("before",)
                )  # nobody looks at sleeps
                if action is not Preempt and when in reached:
                    own_way = kind == "webhook" and action is Misanswer
                    found[action, when] = point, _AGAIN if own_way else SAMPLES[action]
    return found


@pytest.mark.parametrize("kind", AGENTS)
def test_what_a_medium_can_do_is_done(outside: Stage, kind: str) -> None:
    """An agent fares otherwise under each action at each phase, and whoever carries it out says so."""
    executor = outside.executor(lambda: AGENTS[kind](outside))
    put_back = executor.prepare()
    try:
        start = executor.outside.first(BIRTH, rereads=True)
        usual = executor.run_process("run", start, FIRST_STREAM, how=How(trace=True))
        assert usual.outcome.kind == "returned", usual.outcome
        tried = pairs(usual, kind)
        declared_here = {
            (ability.action, when)
            for ability in medium_of(kind).abilities
            for verb, phases in medium_of(kind).verbs.items()
            for when in phases
            if ability.is_at(verb, when) and ability.action is not Preempt
        }
        assert tried.keys() == declared_here
        for (what, when), (point, action) in tried.items():
            name = "llm.refusal" if what is Say else "process.kill"  # a model's words are the fault's
            plan = [ResolvedInjection(0, Injection(name, point, when), action, (f"{kind}.*",))]
            process = executor.run_process("run", start, FIRST_STREAM, plan)
            assert process.fired == {0}, f"{what.__name__} {when} {point}"
            fared = [(one.outcome.kind, one.outcome.value, one.outcome.error) for one in (usual, process)]
            assert fared[0] != fared[1], f"{what.__name__} {when} {point}"
        assert executor.learned.unconfirmed == {}
    finally:
        put_back()
        executor.close()


def test_what_no_adapter_carries_out_is_an_error_of_the_harness(outside: Stage) -> None:
    """A program's exit at a file: the plan was wrong, nothing happens, and nobody says that it did."""
    executor = outside.executor(lambda: AGENTS["file"](outside))
    put_back = executor.prepare()
    try:
        start = executor.outside.first(BIRTH, rereads=False)
        usual = executor.run_process("run", start, FIRST_STREAM, how=How(trace=True))
        plan = [ResolvedInjection(0, Injection("process.kill", usual.points[0]), Exit(3), ("file.*",))]
        process = executor.run_process("run", start, FIRST_STREAM, plan)
        assert process.due == {0}
        assert process.fired == set()
        assert [text for text in executor.learned.unconfirmed if "due and not carried out" in text]
    finally:
        put_back()
        with suppress(OSError):
            executor.close()
