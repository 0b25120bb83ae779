"""One connection between an agent and a service: what each sends goes on to the other, and is held in each phase.

Only when each side sends is looked at, so that it works for every protocol. The errors of a network that Toxiproxy
cannot make at an exact time (RST towards the client above all, see `Disturb`) are made here.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Literal

from ..values.actions import Disturb
from ..values.points import Phase
from ..values.protocol import Proceed
from ..values.real_time import ANSWER_S, JUST_NOW_S, QUIET_S, SERVER_S, SILENCE_S

Question = Callable[["Connection", Literal["connect", "exchange"], Phase, int], Awaitable[Proceed]]

_CHUNK_BYTES = 1 << 16
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST
_TRICKLED_BYTES, _TRICKLED_PIECES, _TRICKLED_S = 1, 8, 0.002


class Over(Exception):
    """The connection has ended."""


class Connection:
    """Relays one connection.

    `ask` tells the parent of a phase and waits; `carried` tells it of an action that is carried out. With `tls` the
    client's side is encrypted; its handshake is over before anything is looked at: to the agent it is a part of
    connecting.
    """

    def __init__(
        self,
        number: int,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        ask: Question,
        carried: Callable[[int], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.number, self._ask, self._carried, self._tls = number, ask, carried, tls
        self._from_client, self._to_client = client
        self._socket = self._to_client.get_extra_info("socket")  # TLS forgets it when the client is gone
        self._from_server: asyncio.StreamReader | None = None
        self._to_server: asyncio.StreamWriter | None = None
        self._turn: Literal["connect", "held", "client", "server"] = "connect"
        self._sent = self._standing = 0
        self._share = 0.0  # of this exchange's request that goes on before its middle; 0 for all of it
        self._silent = self._trickled = self._discards = False
        self._client_ended, self._server_ended = asyncio.Event(), asyncio.Event()
        self._reading: asyncio.Task[None] | None = None  # who reads what the client says
        self._held = b""  # what stands still
        self._changed = time.monotonic()

    @property
    def busy(self) -> bool:
        """Whether something is still on its way to the client, as far as can be told from outside."""
        since = time.monotonic() - self._changed
        if self._silent:
            return False
        return (
            self._standing > 0
            or self._to_server is None
            or since < (ANSWER_S if self._turn == "client" else JUST_NOW_S)
        )

    async def relay(self, host: str, port: int) -> None:
        """Relay until both sides have ended."""
        pumps: list[asyncio.Task[None]] = []
        try:
            if self._tls is not None:
                await self._to_client.start_tls(self._tls, ssl_handshake_timeout=ANSWER_S)
            said = await self._stop("connect", "before")
            self._from_server, self._to_server = await self._dial(*(said.via or (host, port)))
            pumps = [asyncio.create_task(self._upward()), asyncio.create_task(self._downward())]
            await asyncio.gather(*pumps)
        except (Over, OSError):
            pass
        finally:
            for pump in pumps:
                pump.cancel()
            self.end()

    def end(self) -> None:
        """Hang up on both sides; a client that answers no farewell of TLS is not waited for."""
        if self._tls is not None and self._to_client.is_closing():
            self._to_client.transport.abort()
        for writer in (self._to_client, self._to_server):
            if writer is not None:
                writer.close()

    async def _dial(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.open_connection(host, port)
        except OSError:
            self._reset()
            raise Over from None

    async def _stop(self, verb: Literal["connect", "exchange"], when: Phase) -> Proceed:
        self._standing += 1
        try:
            said = await self._ask(self, verb, when, self._sent)
        finally:
            self._standing -= 1
        self._share = said.share
        self._changed = time.monotonic()
        if said.dead:
            if when == "middle":
                await self._let_server_notice()
            raise Over
        if said.action is not None:
            self._carried(said.number)  # from here on nothing can keep it from happening
            await self._act(said.action, when, said.made)
        return said

    async def _act(self, action: Disturb, when: Phase, made: bool) -> None:
        if when == "after" and action.share:
            await self._cut_answer(action.share)
        if action.how == "slow":
            await asyncio.sleep(0 if made else action.seconds)
        elif action.how == "trickled":
            self._trickled = True
        elif action.how == "silent":
            await self._be_silent(made)
        else:
            if when == "middle":
                await self._let_server_notice()
            await self._break(action)

    async def _break(self, action: Disturb) -> None:
        if action.how == "closed":
            with contextlib.suppress(OSError):
                self._say_no_more()
            await self._until_client_ends(SERVER_S)
        else:
            self._reset()
        raise Over

    async def _be_silent(self, made: bool) -> None:
        """Take what the client says and let nothing through (or `made`: to what lets nothing through)."""
        self._silent = True
        if made and self._to_server is not None:
            self._to_server.write(self._held)
        await self._until_client_ends(SILENCE_S)
        self._reset()
        raise Over

    async def _until_client_ends(self, seconds: float) -> None:
        """Wait until the client hangs up; what it says meanwhile is lost."""
        self._discards = True
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(seconds):
                if self._reading not in (None, asyncio.current_task()):
                    await self._client_ended.wait()
                while await self._from_client.read(_CHUNK_BYTES):
                    pass

    async def _let_server_notice(self) -> None:
        """End what the server gets, and wait until it is done with the part that it got."""
        self._discards = True
        assert self._to_server is not None
        with contextlib.suppress(OSError):
            self._to_server.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SERVER_S):
                await self._server_ended.wait()

    def _say_no_more(self) -> None:
        """End what the client gets; TLS has no half of a connection."""
        if self._to_client.can_write_eof():
            self._to_client.write_eof()
        else:
            self._to_client.close()

    def _reset(self) -> None:
        """End the client's side with RST."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._to_client.transport.abort()

    async def _upward(self) -> None:
        assert self._to_server is not None
        self._reading = asyncio.current_task()
        try:
            while data := await self._from_client.read(_CHUNK_BYTES):
                if self._discards:
                    continue
                await (self._send(data) if self._turn == "client" else self._exchange(data))
        finally:
            self._client_ended.set()
        if not self._discards:
            self._to_server.write_eof()

    async def _exchange(self, data: bytes) -> None:
        """Let the first bytes of an exchange go on; where it will be cut, wait for all of them first."""
        assert self._to_server is not None
        self._turn, self._sent, self._held = "held", len(data), data
        await self._stop("exchange", "before")
        if self._share:
            data += await _whole(self._from_client)
            part = data[: max(1, int(len(data) * self._share))]
            self._to_server.write(part)
            await self._to_server.drain()
            self._sent, data = len(part), data[len(part) :]
            await self._stop("exchange", "middle")
        self._turn, self._sent = "client", 0
        await self._send(data)

    async def _send(self, data: bytes) -> None:
        assert self._to_server is not None
        self._sent += len(data)
        self._to_server.write(data)
        await self._to_server.drain()

    async def _downward(self) -> None:
        assert self._from_server is not None
        try:
            while data := await self._from_server.read(_CHUNK_BYTES):
                if self._discards:
                    continue
                if self._turn in ("client", "connect"):
                    verb: Literal["connect", "exchange"] = "exchange" if self._turn == "client" else "connect"
                    self._turn, self._held = "server", data
                    await self._stop(verb, "after")
                await self._return(data)
        except ConnectionResetError:
            self._reset()
            raise
        finally:
            self._server_ended.set()
        if not self._discards:
            self._say_no_more()

    async def _cut_answer(self, share: float) -> None:
        """Let a part of the answer through; what happens to the connection then is the caller's."""
        assert self._from_server is not None
        answer = self._held + await _whole(self._from_server)
        self._to_client.write(answer[: max(1, int(len(answer) * share))])
        await self._to_client.drain()

    async def _return(self, data: bytes) -> None:
        self._changed = time.monotonic()
        for piece in self._pieces(data):
            self._to_client.write(piece)
            await self._to_client.drain()
            if self._trickled:
                await asyncio.sleep(_TRICKLED_S)

    def _pieces(self, data: bytes) -> list[bytes]:
        """Split what comes a few bytes at a time; after the first pieces the rest comes at once."""
        if not self._trickled:
            return [data]
        end = _TRICKLED_BYTES * _TRICKLED_PIECES
        return [*(data[i : i + _TRICKLED_BYTES] for i in range(0, min(end, len(data)), _TRICKLED_BYTES)), data[end:]]


async def _whole(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until its sender waits for the other side, or has ended."""
    data = b""
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while True:
            async with asyncio.timeout(QUIET_S):
                part = await reader.read(_CHUNK_BYTES)
            if not part:
                break
            data += part
    return data
