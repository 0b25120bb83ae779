"""A twin on a real port: a process in which uvicorn speaks HTTP; the twin itself lives in the parent.

    python -m rollproof.network.twin_server CONTROL LISTENER

CONTROL and LISTENER are descriptors of an open pipe to the parent and of a listening socket.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from ..values.http import HttpRequest, HttpResponse
from ..values.protocol import ServedReply, ServedRequest, SettleDone, SettleRequest
from .pipe import Pipe, catch_up, inherited

_Messages = Callable[[], Awaitable[Mapping[str, Any]]]
_Sends = Callable[[Mapping[str, Any]], Awaitable[None]]
_STEP_S = 0.001
_PATIENCE_S = 3600  # with a client that says nothing: no connection ends by itself


class Application:
    """An ASGI application that asks the parent for every answer."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe, self._number = pipe, 0
        self._waiting: dict[int, asyncio.Future[HttpResponse]] = {}
        self._settling: asyncio.Task[None] | None = None

    async def __call__(self, scope: Mapping[str, Any], receive: _Messages, send: _Sends) -> None:
        """Answer one request."""
        assert scope["type"] == "http"
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        response = await self._asked(_request(scope, body))
        await send({"type": "http.response.start", "status": response.status, "headers": _headers(response)})
        # what is cut stays without its last chunk: uvicorn hangs up then
        await send({"type": "http.response.body", "body": response.body, "more_body": response.broken == "cut"})

    async def _asked(self, request: HttpRequest) -> HttpResponse:
        self._number += 1
        waiting: asyncio.Future[HttpResponse] = asyncio.get_running_loop().create_future()
        self._waiting[self._number] = waiting
        self._pipe.tell(ServedRequest(self._number, request))
        return await waiting

    async def hear(self, state: ServerState) -> None:
        """Pass the parent's replies on, until it hangs up; say when all that `state` knows of has come to its end."""
        async for message in self._pipe.messages():
            if isinstance(message, ServedReply):
                self._waiting.pop(message.number).set_result(message.response)
            elif isinstance(message, SettleRequest):
                self._settling = asyncio.create_task(self._settle(state))

    async def _settle(self, state: ServerState) -> None:
        """Wait for connections that their clients have ended; there are no others now."""
        await catch_up()
        while state.connections or state.tasks:
            await asyncio.sleep(_STEP_S)
        self._pipe.tell(SettleDone())


def _request(scope: Mapping[str, Any], body: bytes) -> HttpRequest:
    """Return a request whose URL is a path: the parent knows whose it is."""
    path = scope["raw_path"].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return HttpRequest(scope["method"], f"{path}?{query}" if query else path, headers, body)


def _headers(response: HttpResponse) -> list[tuple[bytes, bytes]]:
    """Return the headers; a streamed body is chunked and has no length."""
    headers = [(name.lower(), value) for name, value in response.header_lines if name.lower() != "content-length"]
    if not dict(headers).get("content-type", "").startswith("text/event-stream"):
        headers.append(("content-length", str(len(response.body))))
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


async def serve(control: socket.socket, listener: socket.socket) -> None:
    """Answer until the parent hangs up."""
    application = Application(await Pipe.over(control))
    config = uvicorn.Config(
        application,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_PATIENCE_S,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await application.hear(server.server_state)
    serving.cancel()


if __name__ == "__main__":
    pipe_to_parent, port_of_ours = inherited(sys.argv[1:])
    asyncio.run(serve(pipe_to_parent, port_of_ours))
    os._exit(0)
