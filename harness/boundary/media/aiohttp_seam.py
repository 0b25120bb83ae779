"""The seam under aiohttp: a connection leads to one function, in memory.

The client runs unmodified above the making of a connection: its own parser reads the answer, and an error is what it
makes itself of a connection that is lost, or silent until its own timers end.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext

from ...values.http import HttpRequest, HttpResponse
from ..adapters import aiohttp_connections
from ..late_imports import when_imported
from .http1 import Http1Server, base_of
from .transport import FOR_EVER_S, TransportFault, socket_error, system_error

Answer = Callable[[HttpRequest], HttpResponse]
Later = Callable[[HttpRequest], Awaitable[HttpResponse]]
Permits = Callable[[str, int | None], bool]
Silence = Callable[[], AbstractContextManager[None]]
Told = Callable[[BaseException], object]
_SOON_S = 0.05
"""Until a connection is cut, so that the client first takes what came before."""


def install(
    answer: Answer, permits: Permits, later: Later | None = None, silence: Silence = nullcontext
) -> Callable[[], None]:
    """Answer every request of aiohttp by `answer`, from when it is imported; returns a function that undoes it.

    Where there is `later`, it is awaited instead, in the task that makes the request. Connections to a host and port
    that `permits` names are real. `silence` is entered while a client waits for an answer that a fault keeps away.
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

    def __init__(
        self, server: Http1Server, answer: Later, refused: aiohttp_connections.Refused, silence: Silence
    ) -> None:
        super().__init__()
        self._server, self._answer, self._refused = server, answer, refused
        self._ending = _Ending(silence)
        self._request: HttpRequest | None = None
        self._written = asyncio.Event()

    def begin(self, protocol: asyncio.Protocol) -> None:
        """Become the transport of this protocol, and tell it that the connection is made."""
        self._ending.protocol = protocol
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes that the client writes."""
        self._request = self._server.receive(bytes(data)) or self._request
        if self._request is not None or self._server.is_asked_to_go_on:
            self._written.set()

    def wake(self) -> None:
        """Release `answered` without a whole request: the connection is over."""
        self._written.set()

    async def answered(self) -> Told:
        """Wait until the client may read its answer; returns a function that takes the error of a read that fails."""
        await self._written.wait()
        self._written.clear()
        request, self._request = self._request, None
        if self._server.is_asked_to_go_on:
            self._ending.protocol.data_received(self._server.go_on())
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
        """Delay the end of the connection until the client reads on."""
        self._ending.waits = True

    def resume_reading(self) -> None:
        """End the connection, if its end was delayed."""
        self._ending.waits = False

    def is_closing(self) -> bool:
        """Return whether either side has hung up."""
        return self._ending.has_come

    def close(self) -> None:
        """Close the connection."""
        self._ending.hang_up()

    def abort(self) -> None:
        """Close the connection."""
        self._ending.hang_up()

    def _say(self, answer: HttpResponse) -> None:
        self._ending.protocol.data_received(self._server.said(answer))
        if answer.broken == "cut":
            self._ending.comes_soon()
        elif answer.broken == "stalled":
            self._ending.comes_never()

    def _meets(self, fault: TransportFault) -> Told:
        """Carry a fault out at the client; returns a function that takes the error which the client makes of it."""
        if fault.reason == "refused":
            refused = self._refused(socket_error("refused"))
            fault.becomes(refused)
            raise refused from socket_error("refused")
        if fault.reason == "reset":
            self._ending.comes(socket_error("reset"))
        else:
            self._ending.comes_never()
        # A deadline, the client's or the agent's, cancels what waits, and is a TimeoutError further out.
        return lambda error: fault.becomes(TimeoutError() if isinstance(error, asyncio.CancelledError) else error)


class _Ending:
    """The end of a connection: by an error, silently after a time, or by the client's own hanging up.

    Attributes:
        protocol: the client's, which is told of the end.
        waits: whether the client has not taken all bytes yet that came before.
        has_come: whether the connection is over.
    """

    protocol: asyncio.Protocol

    def __init__(self, silence: Silence) -> None:
        self._loop = asyncio.get_running_loop()
        self._silence, self._silent = silence, ExitStack()
        self._timer: asyncio.TimerHandle | None = None
        self.waits = self.has_come = False

    def comes(self, error: OSError | None) -> None:
        """End with an error, None for a server that hangs up; a little later if the client has bytes to take."""
        if self.waits:
            self._timer = self._loop.call_later(_SOON_S, self.comes, error)
        elif not self.has_come:
            self._over()
            self.protocol.connection_lost(error)

    def comes_soon(self) -> None:
        """Hang up as the other side as soon as the client waits for more."""
        self._timer = self._loop.call_later(_SOON_S, self.comes, None)

    def comes_never(self) -> None:
        """Be silent for good: the client's own timers end its wait."""
        self._silent.enter_context(self._silence())
        self._timer = self._loop.call_later(FOR_EVER_S, self.comes, system_error(errno.ETIMEDOUT))

    def hang_up(self) -> None:
        """End because the client hangs up."""
        if not self.has_come:
            self._over()
            self._loop.call_soon(self.protocol.connection_lost, None)

    def _over(self) -> None:
        self.has_come = True
        self._silent.close()
        if self._timer is not None:
            self._timer.cancel()


def _nobody(error: BaseException) -> None:
    pass
