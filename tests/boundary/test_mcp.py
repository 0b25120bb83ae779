"""Tools behind the Model Context Protocol: the real SDK reaches the twin, and a fault is an error of its own."""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client import Client, stdio
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
from rollproof.boundary.media import http, mcp_stdio
from rollproof.chaos import Chaos
from rollproof.twins.mcp import McpTwin, declared
from rollproof.values.errors import ChaosError
from rollproof.values.options import Options

from ..exploring import explored, options
from .stage import Stage, short

URL = "https://tools.test/mcp"
CALL = "mcp.call:tools.test/book#1"
BOOKED = {"type": "object", "properties": {"booking": {"type": "integer"}}, "required": ["booking"]}


def book(state: Any, flight: str, key: str = "") -> dict[str, int]:
    """Book a seat; the same key gets the same booking."""
    if flight == "none":
        state["bookings"].append({"flight": "half booked"})
        raise LookupError("there is no such flight")
    for number, booked in enumerate(state["bookings"], 1):
        if key and booked["key"] == key:
            return {"booking": number}
    state["bookings"].append({"flight": flight, "key": key})
    return {"booking": len(state["bookings"])}


def weather(city: str, days: int = 1) -> str:
    """Say what the weather will be."""
    return f"{city}: rain for {days} days"


TOOLS = {"book": ({"outputSchema": BOOKED}, book), "weather": weather}


async def in_a_session(use: Callable[[ClientSession], Awaitable[Any]], headers: dict[str, str] | None = None) -> Any:
    """Open a session, and use it."""
    async with (
        create_mcp_http_client(headers=headers) as client,
        streamable_http_client(URL, http_client=client) as streams,
        ClientSession(*streams) as session,
    ):
        await session.initialize()
        return await use(session)


async def call(session: ClientSession, **arguments: str) -> Any:
    """Book, and return what came of it: structured content, or the text of an error."""
    result: Any = await session.call_tool("book", {"flight": "LH 454", **arguments})
    return result.content[0].text if result.is_error else result.structured_content


def said(problem: BaseException) -> str:
    """Return type and text of the error inside the groups that task groups make."""
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return f"{type(problem).__name__}: {problem}"


async def booking() -> Any:
    """Book once, in a session of its own; return the result or the error."""
    try:
        return await in_a_session(call)
    except Exception as problem:
        return said(problem)


@pytest.fixture
def tools(stage: Stage) -> McpTwin:
    """A server of two tools, part of the stage's outside."""
    twin = McpTwin(TOOLS, base_url=URL)
    stage.twins.append(twin)
    return twin


def test_what_a_session_does_is_points_by_tool(stage: Stage, tools: McpTwin) -> None:
    """Opening, listing and calling; notifications, the closing of a session and the waiting stream are none."""

    async def use(session: ClientSession) -> list[str]:
        listed = await session.list_tools()
        await call(session)
        await session.call_tool("weather", {"city": "Ulm"})
        return [tool.name for tool in listed.tools]

    assert stage.returned(lambda: in_a_session(use)) == ["book", "weather"]
    made = short(stage.points(lambda: in_a_session(use)))
    assert made == ["initialize tools.test", "list tools.test", "call tools.test/book", "call tools.test/weather"]


def test_a_tool_is_listed_with_the_schema_of_its_function(tools: McpTwin) -> None:
    """Types, what must be given, and its documentation; a schema that was given is taken as it is."""
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    listed = _posted(tools, asked).json()["result"]["tools"]
    assert listed[0]["outputSchema"] == BOOKED
    assert listed[1] == {
        "name": "weather",
        "inputSchema": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
        "description": "Say what the weather will be.",
    }


def _posted(tools: McpTwin, body: bytes, session: str = "s") -> httpx.Response:
    from rollproof.values.http import HttpRequest

    answer = tools.handle(HttpRequest("POST", URL, {"mcp-session-id": session} if session else {}, body))
    return httpx.Response(answer.status, headers=dict(answer.headers), content=answer.body)


@pytest.mark.parametrize(
    ("tool", "arguments", "text"),
    [
        ("book", {"flight": "none"}, "LookupError: there is no such flight"),
        ("book", {}, "ValueError: Input validation error: 'flight' is a required property"),
        ("weather", {"city": 7}, "ValueError: Input validation error: 7 is not of type 'string'"),
    ],
)
def test_what_a_tool_raises_is_its_error_and_changes_nothing(
    tools: McpTwin, tool: str, arguments: dict[str, Any], text: str
) -> None:
    """A result with isError, as servers have it; arguments are checked first."""
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    result = _posted(tools, json.dumps(asked).encode()).json()["result"]
    assert (result["isError"], result["content"][0]["text"]) == (True, text)
    assert tools.rows("bookings") == []


@pytest.mark.parametrize(
    ("body", "session", "status", "code"),
    [
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}', "", 400, -32600),
        (b"{", "s", 400, -32700),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "prompts/list"}', "s", 200, -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "fly"}}', "s", 200, -32602),
    ],
)
def test_what_the_protocol_refuses(tools: McpTwin, body: bytes, session: str, status: int, code: int) -> None:
    """With the codes of JSON-RPC."""
    answer = _posted(tools, body, session)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


NOT_DONE = {
    f"mcp.restarted@{CALL}:before": "MCPError: Session not found",
    f"mcp.unknown_tool@{CALL}:before": "MCPError: Unknown tool: book",
    f"mcp.tool_error@{CALL}:before": "The tool failed: its backend is not available.",
    f"mcp.timeout@{CALL}:before": "ReadTimeout: timed out",
    f"mcp.refused@{CALL}:before": "ConnectError: Connection refused",
    f"mcp.unavailable@{CALL}:before": "MCPError: Server returned an error response",
    f"credentials.revoked~lasting@{CALL}:before": "MCPError: Server returned an error response",
    "mcp.reset@mcp.initialize:tools.test#1:before": "ReadError: Connection reset by peer",
}
DONE = {
    f"mcp.restarted@{CALL}:after": "MCPError: SSE stream ended without a response",
    f"mcp.lost_answer@{CALL}:after": "MCPError: SSE stream ended without a response",
    f"mcp.timeout@{CALL}:after": "ReadTimeout: timed out",
    f"mcp.wrong_result@{CALL}:after": "RuntimeError: Invalid structured content returned by tool book",
}


@pytest.mark.parametrize("token", [*NOT_DONE, *DONE], ids=lambda token: token.replace(f"@{CALL}", ""))
def test_a_fault_is_an_error_of_the_sdk(stage: Stage, tools: McpTwin, token: str) -> None:
    """Where the tool was not called nothing is booked; where only the answer was lost or wrong, it is."""
    process = stage.run_process(booking, token)
    assert str(process.outcome.value).startswith({**NOT_DONE, **DONE}[token]), process.outcome
    booked = tools.describe(process.end.services[0]).get("tools.test/bookings", [])
    assert len(booked) == (token in DONE)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_server_that_restarted_knows_the_old_session_no_more(stage: Stage, tools: McpTwin, when: str) -> None:
    """Calling again is not enough; initialising again is."""

    async def twice(session: ClientSession) -> list[Any]:
        answers = []
        for _ in range(2):
            try:
                answers.append(await call(session))
            except Exception as problem:
                answers.append(said(problem))
        return answers

    async def run() -> list[Any]:
        return [*await in_a_session(twice), await in_a_session(call)]

    first, second, third = stage.returned(run, f"mcp.restarted@{CALL}:{when}")
    assert first != second or when == "before"
    assert second == "MCPError: Session not found"
    assert third == {"booking": 1 if when == "before" else 2}


COMMAND = ("npx", "-y", "@travel/tool-server")


async def in_a_subprocess(use: Callable[[ClientSession], Awaitable[Any]]) -> Any:
    """Start the server by its command, and use it."""
    server = StdioServerParameters(command=COMMAND[0], args=list(COMMAND[1:]))
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()
        return await use(session)


STDIO_CALL = "stdio.call:travel-tool-server/book#1"
SUBPROCESS = {
    f"mcp.restarted@{STDIO_CALL}:before": ("MCPError: Connection closed", 0),
    f"mcp.restarted@{STDIO_CALL}:after": ("MCPError: Connection closed", 1),
    f"mcp.unknown_tool@{STDIO_CALL}:before": ("MCPError: Unknown tool: book", 0),
    f"mcp.wrong_result@{STDIO_CALL}:after": ("RuntimeError: Invalid structured content", 1),
}


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["npx", "-y", "@travel/server", "/data/a"], "travel-server"),
        (["npx", "-y", "@trains/server@1.2"], "trains-server"),
        (["uv", "run", "servers/weather.py", "--days", "3"], "weather.py"),
        (["docker", "run", "-i", "--rm", "tools/fetch"], "fetch"),
        (["./bin/Tools Server", "/data/a"], "tools-server"),
        (["mcp-server-sqlite", "--db-path", "test.db"], "mcp-server-sqlite"),
        (["docker", "run", "-i", "-e", "API_KEY=sk-123", "tools/github"], "github"),
        (["uv", "run", "--with", "mcp[cli]", "server.py"], "server.py"),
        (["node", "node_modules/@travel/server/dist/index.js"], "index.js"),
        (["python3.12", "-m", "weather.server"], "weather.server"),
    ],
)
def test_what_a_command_is_called(command: list[str], name: str) -> None:
    """By what it launches, not by its launcher, options or arguments; a second one of that name has a number."""
    assert declared(TOOLS, None, command, None, 0).base_url == f"http://{name}"
    assert declared(TOOLS, None, command, None, 0, {f"http://{name}"}).base_url == f"http://{name}-2"


@pytest.fixture
def server(stage: Stage) -> Iterator[McpTwin]:
    """The same tools, of a server that the agent starts itself."""
    twin = declared(TOOLS, None, COMMAND, None, 0)
    stage.twins.append(twin)
    undo = mcp_stdio.install({twin.command: twin.base_url}, http.carried)
    yield twin
    undo()


@pytest.mark.parametrize("token", SUBPROCESS, ids=lambda token: token.replace(f"@{STDIO_CALL}", ""))
def test_a_fault_of_a_server_that_is_a_subprocess(stage: Stage, server: McpTwin, token: str) -> None:
    """Where it restarts, its pipes are closed; the rest is as over HTTP."""

    async def run() -> str:
        try:
            return str(await in_a_subprocess(call))
        except Exception as problem:
            return said(problem)

    process, (text, count) = stage.run_process(run, token), SUBPROCESS[token]
    assert str(process.outcome.value).startswith(text), process.outcome
    assert len(server.describe(process.end.services[0]).get("travel-tool-server/bookings", [])) == count


async def cancelled(session: ClientSession) -> str:
    """Book, and say how the call ended; what was cancelled is done when the next one is answered."""
    task = asyncio.current_task()
    assert task is not None
    try:
        return str(await call(session))
    except asyncio.CancelledError:
        task.uncancel()
        await session.call_tool("weather", {"city": "Ulm"})
        return "cancelled"


@pytest.mark.parametrize(
    ("opened", "point"), [(in_a_session, CALL), (in_a_subprocess, STDIO_CALL)], ids=["http", "stdio"]
)
@pytest.mark.usefixtures("tools", "server")
def test_a_call_that_its_caller_cancels_is_carried_out(stage: Stage, opened: Callable[..., Any], point: str) -> None:
    """The task that awaits the result is cancelled, not the one that sends requests: the session is good for more."""
    process = stage.run_process(lambda: opened(cancelled), f"process.cancel@{point}:after")
    assert process.outcome.value == "cancelled", process.outcome
    booked = [twin.describe(state) for twin, state in zip(stage.twins, process.end.services, strict=True)]
    assert sum(len(rows) for world in booked for name, rows in world.items() if name.endswith("bookings")) == 1


@pytest.mark.usefixtures("tools", "server")
def test_of_two_sessions_the_one_that_called_is_cancelled(stage: Stage) -> None:
    """Their requests have the same numbers; a call within an async generator is found too."""

    async def answers(session: ClientSession) -> AsyncIterator[str]:
        yield await cancelled(session)

    async def each(opened: Callable[..., Any]) -> Any:
        return await opened(lambda session: anext(answers(session)))

    async def run() -> list[str]:
        return await asyncio.gather(each(in_a_session), each(in_a_subprocess))

    for point, ends in ((CALL, [True, False]), (STDIO_CALL, [False, True])):
        said = stage.returned(run, f"process.cancel@{point}:after")
        assert [each == "cancelled" for each in said] == ends, said


def test_a_subprocess_that_is_a_twin_is_never_started(stage: Stage, server: McpTwin) -> None:
    """Its sessions are points, nothing slips by, and any other command is started as ever."""
    made = short(stage.points(lambda: in_a_subprocess(call)))
    assert made == ["initialize travel-tool-server", "call travel-tool-server/book", "list travel-tool-server"]

    async def another() -> Any:
        server = StdioServerParameters(command=sys.executable, args=["-c", ""])
        async with stdio_client(server) as streams, ClientSession(*streams) as session:
            await session.initialize()

    process = stage.run_process(another)
    assert process.outcome.kind == "raised"
    assert process.points[0].kind == "process"


def test_without_exploring_a_subprocess_is_a_twin_too() -> None:
    """The SDK is as before afterwards."""
    plain = stdio._create_platform_compatible_process
    chaos = Chaos(Options())
    tools = chaos.mcp(TOOLS, command=COMMAND)
    assert chaos.explore(run=lambda: in_a_subprocess(call)).result == {"booking": 1}
    assert len(tools.rows("bookings")) == 1
    assert stdio._create_platform_compatible_process is plain


class _Agent:
    """Books with patience; `key` says what it calls its attempts."""

    def __init__(self, key: Callable[[int], str]) -> None:
        self._key = key

    def explore(self, chaos: Chaos, folder: Path) -> None:
        """Book one flight; the supervisor starts the agent again after a failure."""

        async def run() -> str:
            for attempt in range(3):
                try:
                    await in_a_session(partial(call, key=self._key(attempt)))
                    return "booked"
                except Exception:
                    if attempt == 2:
                        raise
            return ""

        chaos.mcp(TOOLS, base_url=URL)
        chaos.explore(run=run)


FOUND = ("mcp.lost_answer", "mcp.restarted", "mcp.wrong_result")


def test_an_agent_that_books_twice_is_found(tmp_path: Path) -> None:
    """Each lost answer alone shows it, and its token replays it."""
    faults = [options().known[name] for name in FOUND]
    wrong = _Agent(lambda attempt: f"attempt-{attempt}")
    result = explored(wrong, tmp_path / "wrong", faults=faults)
    assert {cell.fault for cell in result.cells if "all_or_nothing" in cell.invariants} == set(FOUND)
    assert (result.flaky, result.errors, result.unintercepted) == ((), (), ())


@pytest.mark.parametrize("right", [False, True])
def test_an_agent_that_takes_cancelled_for_not_done_is_found(tmp_path: Path, right: bool) -> None:
    """Started again it books once more; with a key that was stored before the call it does not."""
    new = uuid.uuid4()
    agent = _Agent(lambda attempt: str(new if right else uuid.uuid4()))
    result = explored(agent, tmp_path / "cancelled", faults=[options().known["process.cancel"]])
    found = [] if right else [("all_or_nothing", "recovery_idempotent", "honest_outcome")]
    assert [finding.invariants for finding in result.violations] == found
    assert (result.flaky, result.errors, result.drifted, result.unintercepted) == ((), (), (), ())


def test_an_agent_with_a_key_is_left_alone(tmp_path: Path) -> None:
    """Killed anywhere, and under two faults: it books once."""
    faults = [options().known[name] for name in ("mcp.lost_answer", "process.kill")]
    result = explored(_Agent(lambda attempt: "trip-17"), tmp_path / "right", faults=faults, depth=2)
    assert (result.violations, result.flaky, result.errors, result.drifted) == ((), (), (), ())
    assert result.closed


def test_an_ordinary_run_and_the_sdks_own_client() -> None:
    """Without exploring the twin answers too; the client that looks for newer protocols first finds this one."""
    chaos = Chaos(Options())
    tools = chaos.mcp(TOOLS, base_url=URL, token="token-of-the-tools")

    async def run() -> Any:
        async with (
            create_mcp_http_client(headers={"Authorization": "Bearer token-of-the-tools"}) as client,
            Client(streamable_http_client(URL, http_client=client)) as mcp,
        ):
            result: Any = await mcp.call_tool("weather", {"city": "Ulm", "days": 2})
            await mcp.call_tool("book", {"flight": "LH 454"})
            return result.content[0].text

    assert chaos.explore(run=run).result == "Ulm: rain for 2 days"
    assert tools.rows("bookings") == [{"flight": "LH 454", "key": ""}]
    assert tools.requests[-1].method == "DELETE"


def keeps_a_set(state: Any) -> None:
    """Keep what is no JSON."""
    state["things"].append({1, 2})


MISUSE: dict[str, tuple[object, str]] = {
    "no function": ({"book": ({}, "book")}, "has no function"),
    "a schema alone": ({"book": {"type": "object"}}, "has no function"),
    "nothing": ({}, "has no tools"),
    "no schema": ({"book": ({"type": "thing"}, book)}, "inputSchema of the tool 'book' is none: 'thing' is not"),
    "a schema of a list": ({"book": ({"outputSchema": {"type": "array"}}, book)}, 'has not "type": "object"'),
}


@pytest.mark.parametrize("name", MISUSE)
def test_a_tool_that_is_none_is_refused(name: str) -> None:
    """With its name, and what to write."""
    tools, text = MISUSE[name]
    with pytest.raises(ChaosError, match=text) as problem:
        Chaos(Options()).mcp(tools, base_url=URL)  # type: ignore[arg-type]
    assert problem.value.code == "bad-tool"


@pytest.mark.parametrize("where", [{}, {"base_url": URL, "command": COMMAND}, {"command": "npx"}, {"command": []}])
def test_a_server_that_is_nowhere_is_refused(where: dict[str, Any]) -> None:
    """It is at one place: a URL, or a command in words."""
    with pytest.raises(ChaosError, match=r"write base_url=") as problem:
        Chaos(Options()).mcp(TOOLS, **where)
    assert problem.value.code == "bad-server"


def test_other_misuse() -> None:
    """One server at one address; a state that can be kept; the extra that has the package."""
    chaos = Chaos(Options())
    chaos.mcp({"keep": keeps_a_set}, base_url=URL)
    with pytest.raises(ChaosError, match="has a twin already"):
        chaos.mcp(TOOLS, base_url=URL)
    with pytest.raises(ChaosError, match="the tool 'keep' leaves a state that cannot be kept"):
        chaos.explore(run=lambda: in_a_session(lambda session: session.call_tool("keep", {})))


def test_a_missing_package_says_which_extra_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else needs it."""
    monkeypatch.setattr("rollproof.twins.mcp_tools.find_spec", lambda name: None)
    with pytest.raises(ChaosError, match=r"pip install 'rollproof\[mcp\]'"):
        Chaos(Options()).mcp(TOOLS, base_url=URL)
