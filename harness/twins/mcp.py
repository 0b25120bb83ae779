"""A server of tools: the Model Context Protocol over streamable HTTP, as clients of today speak it."""

import itertools
import json
import re
from collections.abc import Container, Mapping, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from ..values.errors import ChaosError
from ..values.http import HttpRequest, HttpResponse
from ..values.world import Row
from . import addresses
from .credentials import bearer
from .mcp_tools import Tools, tools_of

VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
SESSION = "mcp-session-id"
_LAUNCHERS = ("bunx", "deno", "docker", "node", "npm", "npx", "pipx", "pnpm", "podman", "python", "uv", "uvx")
_LAUNCHES = ("run", "exec", "dlx", "tool")
_VALUED = ("-e", "-p", "-v", "--directory", "--env", "--from", "--mount", "--name", "--network", "--package", "--with")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9._-]+")
_VERBS = {"initialize": "initialize", "tools/list": "list", "tools/call": "call"}
_INVALID_REQUEST, _UNKNOWN_METHOD, _INVALID_PARAMS, _PARSE_ERROR = -32600, -32601, -32602, -32700


class _Sessions:
    """The sessions that a server opens: their ids, and which of them it forgot.

    Args:
        seed: what ids are derived from.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.begin(0)

    def begin(self, run: int) -> None:
        """Start the server: it has forgotten nothing, and sessions from now on get other ids."""
        self._run, self._opened = run, 0
        self._forgotten: set[str] = set()

    def open(self) -> str:
        """Return the id of a new session."""
        self._opened += 1
        return sha256(f"{self._seed}/{self._run}/{self._opened}".encode()).hexdigest()[:32]

    def forget(self, session: str) -> None:
        """Close a session."""
        self._forgotten.add(session)

    def knows(self, session: str) -> bool:
        """Say whether a session is open; one of an earlier run is."""
        return bool(session) and session not in self._forgotten


class McpTwin:
    """A server of tools at `base_url`. What its tools remember is external state.

    A session is known until it is closed, or until the server is started again (a fault); it is no part of the state.
    Streams that wait for what the server has to say by itself are refused (405), which clients take as "never".
    `requests` is a log for the test and no part of the state: it grows until a new list is assigned.

    Args:
        tools: see `mcp_tools.tools_of`; checked here.
        base_url: the endpoint, e.g. ``https://tools.test/mcp``.
        command: what starts it as a subprocess, where it is one; then `base_url` is just its name.
        token: the only bearer token that is accepted; None accepts everybody.
        seed: what session ids are derived from.
    """

    def __init__(
        self,
        tools: Mapping[str, Any],
        *,
        base_url: str,
        command: tuple[str, ...] = (),
        token: str | None = None,
        seed: int = 0,
    ) -> None:
        self.kind, self.command = "stdio" if command else "mcp", command
        self.base_url = addresses.base_url(base_url)
        self.requests: list[HttpRequest] = []
        self._host = urlsplit(self.base_url).netloc
        self._tools: Tools = tools_of(tools)
        self._token, self._sessions = token, _Sessions(seed)
        self.piped = token is None  # a subprocess that carries messages to it can do without headers
        self._collections: dict[str, list[Row]] = {}

    def set_run(self, run: int) -> None:
        """Give sessions that are opened from now on other ids, as every start of a real server does."""
        self._sessions.begin(run)

    def rows(self, collection: str) -> list[Row]:
        """Return copies of what the tools keep under this name."""
        found: list[Row] = json.loads(json.dumps(self._collections.get(collection, [])))
        return found

    def save(self) -> bytes:
        """Return the state of the tools."""
        kept = {name: rows for name, rows in sorted(self._collections.items()) if rows}
        return json.dumps(kept, separators=(",", ":")).encode()

    def restore(self, state: bytes) -> None:
        """Put back what `save` returned."""
        self._collections = json.loads(state)

    def describe(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return the collections by ``host/name``; one whose name begins with ``_`` is only remembered."""
        return {name: rows for name, rows in self.full_state(state).items() if not name.startswith(f"{self._host}/_")}

    def full_state(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return all collections: a later call can meet them."""
        return {f"{self._host}/{name}": rows for name, rows in json.loads(state).items()}

    def verb(self, request: HttpRequest) -> str:
        """Return ``initialize``, ``list`` or ``call``; "" for what does nothing and is no point."""
        return _VERBS.get(str(_message(request).get("method")), "")

    def target(self, request: HttpRequest) -> str:
        """Return the host, for a call with the tool's name behind it."""
        tool = _parameters(_message(request)).get("name")
        return f"{self._host}/{tool}" if isinstance(tool, str) and tool else self._host

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Act on a request and answer it."""
        self.requests.append(request)
        if self._token is not None and bearer(request) != self._token:
            return self.refuse(request, 401, {})
        message, session = _message(request), request.headers.get(SESSION, "")
        if request.method not in ("POST", "DELETE"):
            return self.refuse(request, 405, {"allow": "POST, DELETE"})
        if message.get("method") == "initialize":
            return self._initialize(message)
        if not self._sessions.knows(session):
            missing = "Bad Request: Missing session ID"
            return _error(
                message, _INVALID_REQUEST, "Session not found" if session else missing, 404 if session else 400
            )
        if request.method == "DELETE":
            self._sessions.forget(session)
            return HttpResponse(204)
        if message.get("jsonrpc") != "2.0":
            return _error(message, _PARSE_ERROR, "The body is no JSON-RPC message", 400)
        return self._answer(message) if "id" in message else HttpResponse(202)

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with an error of the HTTP server before the tools, without acting."""
        challenge = {"www-authenticate": 'Bearer error="invalid_token"'} if status == 401 else {}
        return HttpResponse.of_json(
            status, {"error": reason or f"The request failed with status {status}."}, challenge | dict(headers)
        )

    def fault_response(self, request: HttpRequest, how: str) -> HttpResponse:
        """Treat a request in one of the ways of `faults.mcp`."""
        message = _message(request)
        if how == "unknown tool":
            return _error(message, _INVALID_PARAMS, f"Unknown tool: {_parameters(message).get('name')}")
        if how == "tool error":
            return _result(message, _failed("The tool failed: its backend is not available."))
        if how == "forgets":
            self._sessions.forget(request.headers.get(SESSION, ""))
            return self.handle(request)
        response = self.handle(request)
        if how == "acts and forgets":
            self._sessions.forget(request.headers.get(SESSION, ""))
        if how == "wrong result":
            return _result(message, self._tools.spoiled(_parameters(message).get("name"), _result_in(response)))
        return HttpResponse(200, {"content-type": "text/event-stream"}, b": working\n\n")  # and then it ends

    def _initialize(self, message: Row) -> HttpResponse:
        session = self._sessions.open()
        wanted = _parameters(message).get("protocolVersion")
        result = {
            "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[-1],
            "capabilities": {"tools": {"listChanged": False}},
            "serverInfo": {"name": self._host, "version": "1.0.0"},
        }
        answer = _result(message, result)
        return HttpResponse(answer.status, {**answer.headers, SESSION: session}, answer.body)

    def _answer(self, message: Row) -> HttpResponse:
        match message.get("method"):
            case "ping":
                return _result(message, {})
            case "tools/list":
                return _result(message, {"tools": self._tools.listed()})
            case "tools/call":
                return self._call(message)
        return _error(message, _UNKNOWN_METHOD, f"Method not found: {message.get('method')}")

    def _call(self, message: Row) -> HttpResponse:
        """Call a tool; what it changed counts where it did not fail."""
        parameters = _parameters(message)
        name, arguments = str(parameters.get("name")), parameters.get("arguments") or {}
        if name not in self._tools:
            return _error(message, _INVALID_PARAMS, f"Unknown tool: {name}")
        state = _Collections(json.loads(self.save()))
        try:
            result = self._tools.call(name, state, arguments)
        except ChaosError:
            raise
        except Exception as problem:
            return _result(message, _failed(f"{type(problem).__name__}: {problem}"))
        self._collections = _kept(name, state)
        return _result(message, result)


def declared(
    tools: Mapping[str, Any],
    base_url: str | None,
    command: Sequence[str] | None,
    token: str | None,
    seed: int,
    others: Container[str] = (),
) -> McpTwin:
    """Return the server that a test declares, at a URL or as a command; `others` are the URLs of other commands.

    Raises:
        ChaosError: ``bad-server`` for both or neither, or a command that is none.
    """
    hint = 'write base_url="https://tools.test/mcp", or command=["npx", "-y", "@travel/server"] for a subprocess'
    if (base_url is None) == (command is None):
        raise ChaosError("bad-server", "a server of tools is at a URL or is a command, one of both", hint)
    if base_url is not None:
        return McpTwin(tools, base_url=base_url, token=token, seed=seed)
    words = () if isinstance(command, str) or command is None else tuple(command)
    if not words or not all(isinstance(word, str) and word for word in words) or token is not None:
        raise ChaosError("bad-server", f"command={command!r} is no list of words, or has a token", hint)
    return McpTwin(tools, base_url=f"http://{_name(words, others)}", command=words, seed=seed)


def _name(command: Sequence[str], others: Container[str]) -> str:
    """Return the name of a server: the program, or the package that a launcher starts, with its scope.

    No argument of it: it may hold a secret. A further one of that name gets a number.
    """
    program, behind = command[0].rpartition("/")[2], iter(command[1:])
    launched = [program]
    if program.rstrip("0123456789.") in _LAUNCHERS:
        words = [word for word in behind if not (word in _VALUED and next(behind, "")) and not word.startswith("-")]
        launched = [word for word in words if word not in _LAUNCHES and "=" not in word] or launched
    scoped = launched[0].startswith("@")
    package = launched[0].removeprefix("@") if scoped else launched[0].rpartition("/")[2]
    name = _NOT_IN_A_NAME.sub("-", package.partition("@")[0].lower()).strip("-") or "server"
    numbered = (f"{name}-{number}" if number > 1 else name for number in itertools.count(1))
    return next(each for each in numbered if f"http://{each}" not in others)


class _Collections(dict[str, list[Row]]):
    """The state as a tool gets it: a collection is there, and empty, when it is first asked for."""

    def __missing__(self, name: str) -> list[Row]:
        self[name] = []
        return self[name]


def _kept(tool: str, state: Mapping[str, Any]) -> dict[str, list[Row]]:
    """Return the state that a tool leaves as it will be read again."""
    rows = [row for each in state.values() for row in (each if isinstance(each, list) else [None])]
    try:
        text = json.dumps(dict(state))
    except (TypeError, ValueError):
        text = ""
    if not text or not all(isinstance(row, dict) for row in rows):
        hint = 'keep lists of dicts that are JSON: state["bookings"].append({"seat": "12A"})'
        raise ChaosError(
            "bad-state", f"the tool {tool!r} leaves a state that cannot be kept: {dict(state)!r:.200}", hint
        )
    kept: dict[str, list[Row]] = json.loads(text)
    return kept


def _message(request: HttpRequest) -> Row:
    """Return the JSON-RPC message of a request; {} where there is none."""
    try:
        document = json.loads(request.body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _parameters(message: Row) -> Row:
    parameters = message.get("params")
    return parameters if isinstance(parameters, dict) else {}


def _result(message: Row, result: Row) -> HttpResponse:
    return HttpResponse.of_json(200, {"jsonrpc": "2.0", "id": message.get("id"), "result": result})


def _result_in(response: HttpResponse) -> Row:
    result = response.json().get("result", {}) if response.body else {}
    return result if isinstance(result, dict) else {}


def _error(message: Row, code: int, text: str, status: int = 200) -> HttpResponse:
    error = {"code": code, "message": text}
    return HttpResponse.of_json(status, {"jsonrpc": "2.0", "id": message.get("id"), "error": error})


def _failed(text: str) -> Row:
    return {"content": [{"type": "text", "text": text}], "isError": True}
