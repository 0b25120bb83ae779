"""The two sides of a connection that is relayed: the client's, which can be reset, and the server's."""

import asyncio
import contextlib
import socket
import ssl
import struct

from ..values.real_time import ANSWER_S, QUIET_S, SERVER_S

CHUNK_BYTES = 1 << 16
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST
_TRICKLED_BYTES, _TRICKLED_PIECES, _TRICKLED_S = 1, 8, 0.002


class Client:
    """The side of the agent. With `tls` it is encrypted once it is secured.

    Attributes:
        ended: is set when nobody reads any more what it says.
        trickled: whether what it gets comes a few bytes at a time.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: ssl.SSLContext | None = None
    ) -> None:
        self.reader, self._writer, self._tls = reader, writer, tls
        self._socket = writer.get_extra_info("socket")  # TLS forgets it when the client is gone
        self._reading: asyncio.Task[None] | None = None  # who reads what it says
        self.ended = asyncio.Event()
        self.trickled = False

    async def secure(self) -> None:
        """Shake hands, where it is to be encrypted."""
        if self._tls is not None:
            await self._writer.start_tls(self._tls, ssl_handshake_timeout=ANSWER_S)

    def end(self) -> None:
        """Hang up; a client that answers no farewell of TLS is not waited for."""
        if self._tls is not None and self._writer.is_closing():
            self._writer.transport.abort()
        self._writer.close()

    def read_by_this_task(self) -> None:
        """Take the current task as the reader of all further bytes of the client."""
        self._reading = asyncio.current_task()

    async def wait_for_end(self, seconds: float) -> None:
        """Wait until it closes; its bytes are dropped until then."""
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(seconds):
                if self._reading not in (None, asyncio.current_task()):
                    await self.ended.wait()
                while await self.reader.read(CHUNK_BYTES):
                    pass

    def say_no_more(self) -> None:
        """Close the direction to the client; with TLS the whole connection, which has no half-close."""
        if self._writer.can_write_eof():
            self._writer.write_eof()
        else:
            self._writer.close()

    def reset(self) -> None:
        """End it with RST."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._writer.transport.abort()

    async def give(self, data: bytes) -> None:
        """Write the server's bytes."""
        for piece in self._pieces(data):
            await self.give_whole(piece)
            if self.trickled:
                await asyncio.sleep(_TRICKLED_S)

    async def give_whole(self, data: bytes) -> None:
        """Write bytes at once."""
        self._writer.write(data)
        await self._writer.drain()

    def _pieces(self, data: bytes) -> list[bytes]:
        """Split bytes into a few small pieces, and the rest as one."""
        if not self.trickled:
            return [data]
        end = _TRICKLED_BYTES * _TRICKLED_PIECES
        return [*(data[i : i + _TRICKLED_BYTES] for i in range(0, min(end, len(data)), _TRICKLED_BYTES)), data[end:]]


class Server:
    """The side of the service.

    Attributes:
        ended: is set when nobody reads any more what it says.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.ended = asyncio.Event()

    async def send(self, data: bytes) -> None:
        """Write the client's bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def notice_end(self) -> None:
        """Close the direction to the service, and wait until it has handled the part that it received."""
        with contextlib.suppress(OSError):
            self.writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SERVER_S):
                await self.ended.wait()


async def whole(reader: asyncio.StreamReader) -> bytes:
    """Read from one side until it waits for the other side, or has ended; returns all that came."""
    data = b""
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while True:
            async with asyncio.timeout(QUIET_S):
                part = await reader.read(CHUNK_BYTES)
            if not part:
                break
            data += part
    return data
