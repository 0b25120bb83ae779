"""The seam under aiohttp: a connection is a line to one function, in memory.

The client runs unmodified above the making of a connection: its own parser reads the answer, and an error is what it
makes itself of a connection that is lost, or silent until its own timers end.
"""

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext

from ...values.http import HttpRequest, HttpResponse
from ..adapters import aiohttp_connections
from ..late_imports import when_imported
from .http1 import Http1Server, base_of
from .transport import TransportFault

Answer = Callable[[HttpRequest], HttpResponse]
Later = Callable[[HttpRequest], Awaitable[HttpResponse]]
Permits = Callable[[str, int | None], bool]
Silence = Callable[[], AbstractContextManager[None]]
Told = Callable[[BaseException], object]
_SOON_S = 0.05
"""Until a connection is cut, so that the client first takes what came before."""
_FOR_EVER_S = 600.0
"""Until the system gives up a connection on which nothing comes, where the client has no time limit."""


def install(
    answer: Answer, permits: Permits, later: Later | None = None, silence: Silence = nullcontext
) -> Callable[[], None]:
    """Answer every request of aiohttp by `answer`, from when it is imported; returns a function that undoes it.

    Where there is `later`, it is awaited instead, in the task that makes the request. Connections to a host and port
    that `permits` names are real. `silence` is entered while a client waits for what does not come.
    """

    async def at_once(request: HttpRequest) -> HttpResponse:
        return answer(request)

    def connect(scheme: str, host: str, port: int, refused: aiohttp_connections.Refused) -> MemoryTransport | None:
        if permits(host, port):
            return None
        return MemoryTransport(Http1Server(base_of(scheme, host, port)), later or at_once, refused, silence)

    return when_imported(aiohttp_connections.MODULE, lambda: aiohttp_connections.connect_by(connect))


class MemoryTransport(asyncio.Transport):
    """Stands for the transport of a client's connection; `refused` makes its own error for one that is refused."""

    _protocol: asyncio.Protocol

    def __init__(
        self, server: Http1Server, answer: Later, refused: aiohttp_connections.Refused, silence: Silence
    ) -> None:
        super().__init__()
        self._server, self._answer, self._refused, self._silence = server, answer, refused, silence
        self._silent = ExitStack()
        self._loop = asyncio.get_running_loop()
        self._request: HttpRequest | None = None
        self._written = asyncio.Event()
        self._closing = self._paused = False
        self._end: asyncio.TimerHandle | None = None

    def begin(self, protocol: asyncio.Protocol) -> None:
        """Be the transport of this protocol from now on."""
        self._protocol = protocol
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take what the client writes."""
        self._request = self._server.receive(bytes(data)) or self._request
        if self._request is not None or self._server.is_asked_to_go_on:
            self._written.set()

    def wake(self) -> None:
        """Let the client look, though it has not written a whole request: its connection is over."""
        self._written.set()

    async def answered(self) -> Told:
        """Return when the client may look for the answer to what it wrote; takes the error that it finds instead."""
        await self._written.wait()
        self._written.clear()
        request, self._request = self._request, None
        if self._server.is_asked_to_go_on:
            self._protocol.data_received(self._server.go_on())
        elif request is not None:
            try:
                answer = await self._answer(request)
            except TransportFault as fault:
                return self._meets(fault)
            self._say(answer)
        return _nobody

    def get_write_buffer_size(self) -> int:
        """Return 0: all that is written is taken at once."""
        return 0

    def pause_reading(self) -> None:
        """Lose no connection until the client has taken what came before."""
        self._paused = True

    def resume_reading(self) -> None:
        """Go on."""
        self._paused = False

    def is_closing(self) -> bool:
        """Return whether one of both sides has hung up."""
        return self._closing

    def close(self) -> None:
        """Hang up."""
        if not self._closing:
            self._ends()
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """Hang up."""
        self.close()

    def _say(self, answer: HttpResponse) -> None:
        self._protocol.data_received(self._server.said(answer))
        if answer.broken == "cut":
            self._end = self._loop.call_later(_SOON_S, self._lose, None)
        elif answer.broken == "stalled":
            self._says_nothing()

    def _meets(self, fault: TransportFault) -> Told:
        """Let the client meet a fault; returns what is told the error that it makes of it."""
        if fault.reason == "refused":
            refused = self._refused(_error(errno.ECONNREFUSED))
            fault.becomes(refused)
            raise refused from _error(errno.ECONNREFUSED)
        if fault.reason == "reset":
            self._lose(_error(errno.ECONNRESET))
        else:
            self._says_nothing()
        # A deadline, the client's or the agent's, cancels what waits, and is a TimeoutError further out.
        return lambda error: fault.becomes(TimeoutError() if isinstance(error, asyncio.CancelledError) else error)

    def _says_nothing(self) -> None:
        self._silent.enter_context(self._silence())
        self._end = self._loop.call_later(_FOR_EVER_S, self._lose, _error(errno.ETIMEDOUT))

    def _lose(self, error: OSError | None) -> None:
        if self._paused:
            self._end = self._loop.call_later(_SOON_S, self._lose, error)
        elif not self._closing:
            self._ends()
            self._protocol.connection_lost(error)

    def _ends(self) -> None:
        self._closing = True
        self._silent.close()
        if self._end is not None:
            self._end.cancel()


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _nobody(error: BaseException) -> None:
    pass
