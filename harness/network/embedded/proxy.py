"""One proxy: a port that listens, the toxics that new and live connections go through, and the connections."""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from ..toxics import ATTRIBUTES, deadly
from .addresses import BadAddress, Port, resolve, written
from .bodies import Object
from .connection import STREAMS, Connection, Record
from .dialing import dial
from .link import Link, Stream, Toxic
from .refusals import Refusal, bad_body, cannot_listen, exists, not_found

REMEMBERED = 10_000
"""How many connections of a proxy are remembered; the oldest are forgotten first."""


class Proxy:
    """A name, where it listens, and where it leads."""

    def __init__(self, name: str, listen: str, upstream: str, seed: str) -> None:
        self.name, self.listen, self.upstream = name, listen, upstream
        self.enabled = False
        self.toxics = Toxics(self)
        self.records: deque[Record] = deque(maxlen=REMEMBERED)
        self._seed, self._count = seed, 0
        self._port: Port | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._live: set[Connection] = set()
        self._lock = asyncio.Lock()

    def document(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "Logger": {},
            "toxics": self.toxics.documents(),
        }

    def links(self, stream: Stream) -> Iterator[Link]:
        """Yield that direction of all live connections."""
        return (connection.links[stream] for connection in list(self._live))

    def differs(self, listen: str, upstream: str) -> bool:
        """Say whether it listens or leads elsewhere; port 0 is always elsewhere.

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

    async def stop(self, why: str) -> None:
        """Listen no longer, close all connections, and keep the port."""
        async with self._lock:
            await self._stop(why)

    async def end(self, why: str) -> None:
        """Stop, and let the port go."""
        async with self._lock:
            await self._stop(why)
            self._release()

    async def update(self, listen: str, upstream: str, enabled: bool) -> None:
        """Listen or lead elsewhere, be enabled or disabled; where it cannot listen it is left disabled."""
        async with self._lock:
            if self.differs(listen, upstream):
                await self._stop("proxy updated")
                if self.listen != written(resolve(listen)):
                    self._release()
                self.listen, self.upstream = listen, upstream
            if enabled and not self.enabled:
                self._start()
            elif self.enabled and not enabled:
                await self._stop("proxy disabled")

    def _start(self) -> None:
        if self.enabled:
            return
        if self._port is None:
            self._port = Port.bind(self.listen)
        self._port.listen()
        self.listen = written(self._port.address)
        self._accepting = asyncio.get_running_loop().create_task(self._accept(self._port))
        self.enabled = True

    async def _stop(self, why: str) -> None:
        if not self.enabled:
            return
        self.enabled = False
        assert self._accepting is not None
        self._accepting.cancel()
        await asyncio.wait([self._accepting])
        assert self._port is not None
        self._port.rest()
        for connection in list(self._live):
            connection.close(why)

    def _release(self) -> None:
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
            self._count += 1
            record = Record(self._count, written(address[:2]))
            self.records.append(record)
            await self._connect(client, record)

    async def _connect(self, client: socket.socket, record: Record) -> None:
        """Lead one client to the upstream; the next one waits meanwhile, as in Toxiproxy."""
        with contextlib.ExitStack() as unless_connected:
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


class Toxics:
    """The toxics of a proxy, in order; a change goes through all live connections before it is answered."""

    def __init__(self, proxy: Proxy) -> None:
        self.lock = asyncio.Lock()
        self._proxy = proxy
        self._chains: dict[Stream, list[Toxic]] = {stream: [] for stream in STREAMS}

    def all(self) -> list[Toxic]:
        """Return them: upstream first, each stream in the order they were added."""
        return [toxic for stream in STREAMS for toxic in self._chains[stream]]

    def documents(self) -> list[dict[str, object]]:
        """Return them as the API shows them."""
        return [document(toxic) for toxic in self.all()]

    def named(self, name: str) -> Toxic:
        """Return one of them.

        Raises:
            Refusal: where there is none.
        """
        for toxic in self.all():
            if toxic.name == name:
                return toxic
        raise not_found("toxic")

    async def add(self, body: Object) -> Toxic:
        """Add the toxic that a request describes."""
        async with self.lock:
            toxic = self._described(body)
            self._chains[toxic.direction].append(toxic)
            await self._everywhere(toxic, lambda link: link.add(toxic))
            return toxic

    async def update(self, name: str, body: Object) -> Toxic:
        """Change attributes and toxicity, and nothing else."""
        async with self.lock:
            toxic = self.named(name)
            attributes = _attributes(toxic.type, body, toxic.attributes)
            toxic.toxicity = body.number("toxicity", toxic.toxicity)
            toxic.attributes = attributes
            await self._everywhere(toxic, lambda link: link.update(toxic))
            return toxic

    async def remove(self, name: str) -> None:
        """Take one out."""
        async with self.lock:
            await self._remove(self.named(name))

    async def clear(self) -> None:
        """Take all of them out."""
        async with self.lock:
            for toxic in self.all():
                await self._remove(toxic)

    async def _remove(self, toxic: Toxic) -> None:
        self._chains[toxic.direction].remove(toxic)
        await self._everywhere(toxic, lambda link: link.remove(toxic))

    async def _everywhere(self, toxic: Toxic, change: Callable[[Link], Awaitable[None]]) -> None:
        await asyncio.gather(*(change(link) for link in self._proxy.links(toxic.direction)))

    def _described(self, body: Object) -> Toxic:
        type, stream = body.text("type", ""), body.text("stream", "downstream")
        name, toxicity = body.text("name", "") or f"{type}_{stream}", body.number("toxicity", 1.0)
        body.within("attributes")
        directions: dict[str, Stream] = {one: one for one in STREAMS}
        if stream.lower() not in directions:
            raise Refusal(400, "stream was invalid, can be either upstream or downstream")
        if type not in ATTRIBUTES:
            raise Refusal(400, "invalid toxic type")
        if any(toxic.name == name for toxic in self.all()):
            raise exists("toxic")
        return Toxic(name, type, stream, directions[stream.lower()], toxicity, _attributes(type, body, {}))


def document(toxic: Toxic) -> dict[str, object]:
    """Return a toxic as the API shows it."""
    return {
        "attributes": toxic.attributes,
        "name": toxic.name,
        "type": toxic.type,
        "stream": toxic.stream,
        "toxicity": int(toxic.toxicity) if toxic.toxicity.is_integer() else toxic.toxicity,
    }


def _attributes(type: str, body: Object, before: dict[str, int]) -> dict[str, int]:
    given = body.within("attributes")
    found = {name: given.integer(name, before.get(name, 0)) for name in ATTRIBUTES[type]}
    wrong = deadly(type, found)
    if wrong:
        raise bad_body(wrong)
    return found
