"""The relay in front of one service: a process of its own, so that it sees every client, whatever it is written in.

    python -m rollproof.network.relay CONTROL LISTENER HOST PORT [CERTIFICATE]

CONTROL and LISTENER are descriptors of an open line to the parent and of a listening socket. With CERTIFICATE, a file,
clients speak TLS and the service does not: what is looked at is what they say. It ends when the parent hangs up.
"""

import asyncio
import os
import socket
import ssl
import sys
from typing import Literal

from ..values.points import Phase
from ..values.protocol import (
    Carried,
    ConnectionClosed,
    Proceed,
    RelayPending,
    RelayPendingQuery,
    RelayStop,
    RunBegins,
    SettleDone,
    SettleRequest,
)
from ..values.real_time import CLOSING_S
from .connection import Connection
from .pipe import Pipe, catch_up, inherited


class Relay:
    """Relays all connections to one service, and asks the parent in each phase."""

    def __init__(self, upstream: tuple[str, int], parent: Pipe, tls: ssl.SSLContext | None) -> None:
        self.upstream, self._tls = upstream, tls
        self._parent = parent
        self._number = self._asked = 0
        self._open: dict[asyncio.Task[None], Connection] = {}
        self._waiting: dict[int, asyncio.Future[Proceed]] = {}
        self._always: Proceed | None = Proceed(0)  # the reply in every phase while the parent is not to be asked

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one more connection."""
        self._number += 1
        if self._tls is not None:
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # the first bytes are for TLS
        connection = Connection(self._number, (reader, writer), self._ask, self._carried, self._tls)
        task = asyncio.create_task(connection.relay(*self.upstream))
        self._open[task] = connection
        task.add_done_callback(self._closed)

    async def hear(self, message: object) -> None:
        """Carry out a message of the parent."""
        if isinstance(message, Proceed):
            waiting = self._waiting.pop(message.number, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
            elif message.action is not None:
                self._carried(message.number, done=False)
        elif isinstance(message, RunBegins):
            self._always = None
        elif isinstance(message, SettleRequest):
            await self._settle(message.dead)
        elif isinstance(message, RelayPendingQuery):
            await catch_up()
            self._parent.tell(RelayPending(any(connection.busy for connection in self._open.values())))

    async def _ask(
        self, connection: Connection, verb: Literal["connect", "exchange"], when: Phase, size: int
    ) -> Proceed:
        if self._always is not None:
            return self._always
        self._asked += 1
        number = self._asked
        self._waiting[number] = asyncio.get_running_loop().create_future()
        self._parent.tell(RelayStop(number, connection.number, verb, when, size))
        return await self._waiting[number]

    def _carried(self, number: int, *, done: bool = True) -> None:
        self._parent.tell(Carried(number, done))

    async def _settle(self, dead: bool) -> None:
        """Give connections a short time to end by themselves, then end them."""
        self._always = Proceed(0, dead=dead)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(self._always)
        self._waiting.clear()
        await asyncio.sleep(0)
        if self._open:
            await asyncio.wait(self._open, timeout=CLOSING_S)
        left = list(self._open)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        self._always = Proceed(0)
        self._parent.tell(SettleDone())

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._parent.tell(ConnectionClosed(self._open.pop(task).number))


async def serve(control: socket.socket, listener: socket.socket, host: str, port: str, *certificate: str) -> None:
    """Relay until the parent hangs up."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
    if tls is not None:
        tls.load_cert_chain(*certificate)
    pipe = await Pipe.over(control)
    relay = Relay((host, int(port)), pipe, tls)
    await asyncio.start_server(relay.accept, sock=listener, backlog=512)
    async for message in pipe.messages():
        await relay.hear(message)


if __name__ == "__main__":
    pipe_to_parent, port_of_ours = inherited(sys.argv[1:3])
    asyncio.run(serve(pipe_to_parent, port_of_ours, *sys.argv[3:]))
    os._exit(0)
