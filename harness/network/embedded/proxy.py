"""One proxy: a port that listens, the toxics that new and live connections go through, and the connections."""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from .addresses import Address, BadAddress, Port, resolve, written
from .connection import Connection, Record
from .dialing import dial
from .link import Link, Stream
from .refusals import cannot_listen
from .toxics import Toxics

REMEMBERED = 10_000
"""How many connections of a proxy are remembered; the oldest are forgotten first."""


class _Door:
    """The port of a proxy while it is enabled, and the task that waits there for the next client.

    Args:
        enter: leads one client on; the next one waits meanwhile.
    """

    def __init__(self, enter: Callable[[socket.socket, Address], Awaitable[None]]) -> None:
        self._enter = enter
        self._port: Port | None = None
        self._accepting: asyncio.Task[None] | None = None

    def open(self, listen: str) -> str:
        """Listen, and return the address. The port stays the same, unless another process has taken it meanwhile."""
        if self._port is None:
            self._port = Port.bind(listen)
        self._port.listen()
        self._accepting = asyncio.get_running_loop().create_task(self._accept(self._port))
        return written(self._port.address)

    async def close(self) -> None:
        """Listen no longer; the port stays taken."""
        assert self._accepting is not None
        self._accepting.cancel()
        await asyncio.wait([self._accepting])
        assert self._port is not None
        self._port.rest()

    def release(self) -> None:
        """Release the port."""
        if self._port is not None:
            self._port.close()
            self._port = None

    async def _accept(self, port: Port) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, address = await loop.sock_accept(port.socket)
            except OSError:  # no file descriptor is left; one may be soon
                await asyncio.sleep(0.1)
                continue
            await self._enter(client, address[:2])


class Proxy:
    """A name, where it listens, and where it leads."""

    def __init__(self, name: str, listen: str, upstream: str, seed: str) -> None:
        self.name, self.listen, self.upstream = name, listen, upstream
        self.enabled = False
        self.toxics = Toxics(self._links)
        self.records: deque[Record] = deque(maxlen=REMEMBERED)
        self._seed = seed
        self._door = _Door(self._enter)
        self._live: set[Connection] = set()
        self._lock = asyncio.Lock()

    def document(self) -> dict[str, Any]:
        """Return the proxy as the API shows it."""
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "Logger": {},
            "toxics": self.toxics.documents(),
        }

    def differs(self, listen: str, upstream: str) -> bool:
        """Return whether it listens or leads elsewhere; port 0 is always elsewhere.

        Raises:
            Refusal: where `listen` means nothing.
        """
        try:
            return self.listen != written(resolve(listen)) or self.upstream != upstream
        except BadAddress as error:
            raise cannot_listen(str(error)) from None

    async def start(self) -> None:
        """Listen, unless it does; its port is the one it had, as long as that is where it listens."""
        async with self._lock:
            self._start()

    async def end(self, why: str) -> None:
        """Listen no longer, close all connections, and let the port go."""
        async with self._lock:
            await self._stop(why)
            self._door.release()

    async def update(self, listen: str, upstream: str, enabled: bool) -> None:
        """Listen or lead elsewhere, be enabled or disabled; where it cannot listen it is left disabled."""
        async with self._lock:
            if self.differs(listen, upstream):
                await self._stop("proxy updated")
                if self.listen != written(resolve(listen)):
                    self._door.release()
                self.listen, self.upstream = listen, upstream
            if enabled and not self.enabled:
                self._start()
            elif self.enabled and not enabled:
                await self._stop("proxy disabled")

    def _links(self, stream: Stream) -> Iterator[Link]:
        """Yield one direction of each live connection."""
        return (connection.links[stream] for connection in list(self._live))

    def _start(self) -> None:
        if self.enabled:
            return
        self.listen = self._door.open(self.listen)
        self.enabled = True

    async def _stop(self, why: str) -> None:
        if not self.enabled:
            return
        self.enabled = False
        await self._door.close()
        for connection in list(self._live):
            connection.close(why)

    async def _enter(self, client: socket.socket, address: Address) -> None:
        number = self.records[-1].number + 1 if self.records else 1
        record = Record(number, written(address))
        self.records.append(record)
        await self._connect(client, record)

    async def _connect(self, client: socket.socket, record: Record) -> None:
        """Lead one client to the upstream; the next one waits meanwhile, as in Toxiproxy."""
        with contextlib.ExitStack() as unless_connected:
            unless_connected.callback(record.end, "proxy stopped")
            unless_connected.callback(client.close)
            try:
                upstream = await dial(self.upstream)
            except (OSError, BadAddress, ValueError, OverflowError):
                record.end("upstream refused")
                return
            unless_connected.callback(upstream.close)
            async with self.toxics.lock:
                connection = Connection(client, upstream, record, self._seed, self._live.discard)
                unless_connected.pop_all()
                self._live.add(connection)
                try:
                    await connection.open(self.toxics.all())
                except OSError:  # the client is gone already
                    connection.close("client reset")
