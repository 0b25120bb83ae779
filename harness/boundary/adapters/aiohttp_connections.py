"""aiohttp: how a connection is made, and where the answer to a request is waited for.

4.0: not known.
"""

import asyncio
import functools
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any, Protocol

from .part import Adapter, find

ADAPTER = Adapter("aiohttp", "3.12", "4")
MODULE = "aiohttp.connector"
"""The module of the class that connects: with it, all that is used here has been imported."""
_CREATE, _HANDLER = f"{MODULE}:TCPConnector._create_connection", "aiohttp.client_proto:ResponseHandler"


def _awaits() -> bool:
    return all(iscoroutinefunction(find(name)) for name in (_CREATE, f"{_HANDLER}.read"))


CONNECTING = ADAPTER.part(
    "requests of {library} are not answered",
    f"{_CREATE}(req)",
    f"{_HANDLER}.read",
    f"{_HANDLER}.set_exception",
    f"{_HANDLER}.connection_made",
    f"{_HANDLER}.connection_lost",
    f"{_HANDLER}.data_received",
    "aiohttp.client_reqrep:ClientRequest.url",
    "aiohttp.client_reqrep:ClientRequest.is_ssl",
    "aiohttp.client_reqrep:ClientRequest.connection_key",
    "aiohttp.client_exceptions:ClientConnectorError",
    probe=_awaits,
)


class ConnectionEnd(Protocol):
    """The other end of a client's connection, in the place of its transport."""

    def begin(self, protocol: asyncio.Protocol) -> None:
        """Become the transport of this protocol, and tell it that the connection is made."""
        ...

    async def answered(self) -> Callable[[BaseException], object]:
        """Wait until the client may read its answer; returns a function that takes the error of a read that fails."""
        ...

    def wake(self) -> None:
        """Release `answered` without a whole request: the connection is over."""
        ...


Refused = Callable[[OSError], Exception]


def connect_by(connect: Callable[[str, str, int, Refused], ConnectionEnd | None]) -> Callable[[], None]:
    """Replace the method that makes a connection; returns a function that undoes it.

    `connect` gets scheme, host, port, and a function that makes the library's own error for a refused connection.
    Where it returns None, the connection is made as ever.
    """
    if not CONNECTING.works:
        return lambda: None
    owner: Any = find(f"{MODULE}:TCPConnector")
    plain, refusal = find(_CREATE), find("aiohttp.client_exceptions:ClientConnectorError")
    answering = _answering(find(_HANDLER))

    @functools.wraps(plain)
    async def create_connection(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        def refused(error: OSError) -> Exception:
            made: Exception = refusal(req.connection_key, error)
            return made

        line = connect("https" if req.is_ssl() else "http", req.url.raw_host, req.url.port, refused)
        if line is None:
            return await plain(self, req, *args, **kwargs)
        protocol = answering(line)
        line.begin(protocol)
        return protocol

    def undo() -> None:
        owner._create_connection = plain

    owner._create_connection = create_connection
    return undo


def _answering(handler: Any) -> Callable[[ConnectionEnd], asyncio.Protocol]:
    """Return the class of a protocol that waits for its `ConnectionEnd` in the task that reads the answer."""

    class Answering(handler):  # type: ignore[misc]
        def __init__(self, line: ConnectionEnd) -> None:
            super().__init__(loop=asyncio.get_running_loop())
            self._line = line

        async def read(self) -> Any:
            instead = await self._line.answered()
            try:
                return await super().read()
            except BaseException as error:
                instead(error)
                raise

        def set_exception(self, *args: Any, **kwargs: Any) -> None:
            super().set_exception(*args, **kwargs)
            self._line.wake()

        def connection_lost(self, exc: BaseException | None) -> None:
            super().connection_lost(exc)
            self._line.wake()

    return Answering
