"""The pipe from a side process to its parent, for asyncio: what `boundary.channel` is for the parent."""

import asyncio
import os
import pickle
import signal
import socket
import struct
from collections.abc import AsyncIterator

from .orphans import end_with

_LENGTH = struct.Struct("!I")
_ROUNDS = 10
"""Rounds of the loop until it has; it takes 4."""


class Pipe:
    """The pipe to the parent, for asyncio; `tell` does not wait."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def over(cls, control: socket.socket) -> "Pipe":
        """Return the pipe over a socket that the parent left."""
        return cls(*await asyncio.open_connection(sock=control))

    def tell(self, message: object) -> None:
        """Send a message."""
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        self._writer.write(_LENGTH.pack(len(data)) + data)

    async def messages(self) -> AsyncIterator[object]:
        """Yield the messages of the parent, until it hangs up."""
        while True:
            try:
                length = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))[0]
                message = pickle.loads(await self._reader.readexactly(length))
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            yield message


async def catch_up() -> None:
    """Run the event loop until all bytes that arrived before the parent's question are handled."""
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)


def inherited(descriptors: list[str]) -> list[socket.socket]:
    """Return the sockets that the parent left under these numbers; this process ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(os.getppid())
    return [socket.socket(fileno=int(fd)) for fd in descriptors]
