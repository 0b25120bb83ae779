"""One connection between an agent and a service: the bytes of each side go on to the other, and are held in each phase.

Only when each side sends is looked at, so that it works for every protocol. The errors of a network that Toxiproxy
cannot make at an exact time (RST towards the client above all, see `Disturb`) are made here.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from ..values.actions import Disturb
from ..values.points import Phase
from ..values.protocol import Proceed
from ..values.real_time import ANSWER_S, JUST_NOW_S, SERVER_S, SILENCE_S
from .sides import CHUNK_BYTES, Client, Server, whole

Question = Callable[["Connection", Literal["connect", "exchange"], Phase, int], Awaitable[Proceed]]


class Over(Exception):
    """The connection has ended."""


@dataclass(slots=True)
class _Exchange:
    """State of one exchange: the side whose turn it is, the client's bytes passed on so far, and the stalled side."""

    turn: Literal["connect", "held", "client", "server"] = "connect"
    sent: int = 0
    held: bytes = b""


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
        self.number, self._ask, self._carried = number, ask, carried
        self._client = Client(*client, tls)
        self._server: Server | None = None
        self._exchange = _Exchange()
        self._standing = 0
        self._silent = self._discards = False
        self._changed = time.monotonic()

    @property
    def busy(self) -> bool:
        """Return whether something is still on its way to the client, as far as can be told from outside."""
        since = time.monotonic() - self._changed
        if self._silent:
            return False
        return (
            self._standing > 0
            or self._server is None
            or since < (ANSWER_S if self._exchange.turn == "client" else JUST_NOW_S)
        )

    async def relay(self, host: str, port: int) -> None:
        """Relay until both sides have ended."""
        pumps: list[asyncio.Task[None]] = []
        try:
            await self._client.secure()
            said = await self._stop("connect", "before")
            self._server = server = await self._dial(*(said.via or (host, port)))
            pumps = [asyncio.create_task(self._upward(server)), asyncio.create_task(self._downward(server))]
            await asyncio.gather(*pumps)
        except (Over, OSError):
            pass
        finally:
            for pump in pumps:
                pump.cancel()
            self.end()

    def end(self) -> None:
        """Hang up on both sides; a client that answers no farewell of TLS is not waited for."""
        self._client.end()
        if self._server is not None:
            self._server.writer.close()

    async def _dial(self, host: str, port: int) -> Server:
        try:
            return Server(*await asyncio.open_connection(host, port))
        except OSError:
            self._client.reset()
            raise Over from None

    async def _stop(self, verb: Literal["connect", "exchange"], when: Phase) -> Proceed:
        self._standing += 1
        try:
            said = await self._ask(self, verb, when, self._exchange.sent)
        finally:
            self._standing -= 1
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
            self._client.trickled = True
        elif action.how == "silent":
            await self._be_silent(made)
        else:
            if when == "middle":
                await self._let_server_notice()
            await self._break(action)

    async def _break(self, action: Disturb) -> None:
        if action.how == "closed":
            with contextlib.suppress(OSError):
                self._client.say_no_more()
            await self._until_client_ends(SERVER_S)
        else:
            self._client.reset()
        raise Over

    async def _be_silent(self, made: bool) -> None:
        """Read the client's bytes and pass nothing on; `made` is the stalled connection, if the caller has one."""
        self._silent = True
        if made and self._server is not None:
            self._server.writer.write(self._exchange.held)
        await self._until_client_ends(SILENCE_S)
        self._client.reset()
        raise Over

    async def _until_client_ends(self, seconds: float) -> None:
        """Wait until the client closes; bytes of either side are dropped until then."""
        self._discards = True
        await self._client.wait_for_end(seconds)

    async def _let_server_notice(self) -> None:
        """Close the way to the server, and wait until it has handled the part that it received."""
        self._discards = True
        assert self._server is not None
        await self._server.notice_end()

    async def _upward(self, server: Server) -> None:
        self._client.read_by_this_task()
        try:
            while data := await self._client.reader.read(CHUNK_BYTES):
                if self._discards:
                    continue
                if self._exchange.turn == "client":
                    self._exchange.sent += len(data)
                    await server.send(data)
                else:
                    await self._begin_exchange(server, data)
        finally:
            self._client.ended.set()
        if not self._discards:
            server.writer.write_eof()

    async def _begin_exchange(self, server: Server, data: bytes) -> None:
        """Pass the first bytes of an exchange on; where it will be cut, wait for all of them first."""
        self._exchange = _Exchange("held", len(data), data)
        share = (await self._stop("exchange", "before")).share  # that goes on before its middle; 0 for all of it
        if share:
            data += await whole(self._client.reader)
            part = data[: max(1, int(len(data) * share))]
            await server.send(part)
            self._exchange.sent, data = len(part), data[len(part) :]
            await self._stop("exchange", "middle")
        self._exchange.turn, self._exchange.sent = "client", len(data)
        await server.send(data)

    async def _downward(self, server: Server) -> None:
        try:
            while data := await server.reader.read(CHUNK_BYTES):
                if self._discards:
                    continue
                turn = self._exchange.turn
                if turn in ("client", "connect"):
                    self._exchange.turn, self._exchange.held = "server", data
                    await self._stop("exchange" if turn == "client" else "connect", "after")
                self._changed = time.monotonic()
                await self._client.give(data)
        except ConnectionResetError:
            self._client.reset()
            raise
        finally:
            server.ended.set()
        if not self._discards:
            self._client.say_no_more()

    async def _cut_answer(self, share: float) -> None:
        """Pass a part of the answer on; the caller decides how the connection ends."""
        assert self._server is not None
        answer = self._exchange.held + await whole(self._server.reader)
        await self._client.give_whole(answer[: max(1, int(len(answer) * share))])
