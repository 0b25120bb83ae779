"""Servers of tools that an agent starts as a subprocess: the MCP SDK gets a connection to its twin instead.

The SDK's client runs unmodified above its pipes; no process is started, so time stays virtual and nothing is left.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from importlib.util import find_spec
from itertools import count
from typing import Any

import anyio

from ...values.http import HttpRequest, HttpResponse
from ..adapters import mcp_sdk
from .transport import TransportFault

Answer = Callable[[HttpRequest], HttpResponse]
Command = tuple[str, ...]


class Process:
    """A server that reads messages and writes answers, a line each, until its input is closed or a fault ends it."""

    pid = 0

    def __init__(self, url: str, session: str, answer: Answer) -> None:
        self.returncode: int | None = None
        self._url, self._session, self._answer = url, session, answer
        self._output, self.stdout = anyio.create_memory_object_stream[bytes](math.inf)
        self._rest = b""
        self.stdin = self

    async def send(self, data: bytes) -> None:
        """Take bytes that the client writes to the server's input."""
        if self.returncode is not None:
            raise anyio.BrokenResourceError
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._deliver(line)

    async def aclose(self) -> None:
        """Close the server's input, at which it ends."""
        self._end(0)

    def _deliver(self, line: bytes) -> None:
        """Hand a message to the twin; its answer is a line of the server's output, an error the server's end."""
        try:
            response = self._answer(HttpRequest("POST", self._url, {"mcp-session-id": self._session}, line))
        except TransportFault:
            self._end(1)
            return
        if response.status == 200 and response.headers.get("content-type") == "application/json":
            self._output.send_nowait(response.body + b"\n")
        elif response.status != 202:  # the status for a notification, which has no answer
            self._end(1)

    def _end(self, code: int) -> None:
        if self.returncode is None:
            self.returncode = code
        self._output.close()


def install(commands: Mapping[Command, str], answer: Answer) -> Callable[[], None]:
    """Connect clients that start one of these commands to the twin at its URL; returns a function that undoes it."""
    if not commands or find_spec("mcp") is None:
        return lambda: None
    numbers = count(1)

    def instead(plain: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def started(command: str, args: list[str], *rest: Any, **how: Any) -> Any:
            url = commands.get((command, *args))
            if url is None:
                return await plain(command, args, *rest, **how)
            return Process(url, f"process-{next(numbers)}", answer)

        return started

    return mcp_sdk.start_by(instead)
