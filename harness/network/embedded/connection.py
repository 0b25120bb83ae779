"""One connection through a proxy: two sockets, a link each way, and what is written down about it."""

import asyncio
import random
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from .behaviours import BEHAVIOURS, CAPACITY
from .link import STREAMS, Behaviour, Chunk, Inbox, Link, Receiver, Stage, Stream, Toxic

_LINGER_FOR_NOTHING = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Record:
    """The record of a connection, while it lives and after.

    `ended` says what ended it first: ``client closed``, ``upstream reset``, ``toxic NAME``, ``upstream refused``,
    ``proxy disabled`` …; empty while it lives.
    """

    number: int
    client: str
    read: dict[Stream, int] = field(default_factory=lambda: dict.fromkeys(STREAMS, 0))
    written: dict[Stream, int] = field(default_factory=lambda: dict.fromkeys(STREAMS, 0))
    ended: str = ""

    def document(self) -> dict[str, object]:
        """Return the record as the API shows it; bytes as read from the one side and as written to the other."""
        return {
            "number": self.number,
            "client": self.client,
            "from_client": self.read["upstream"],
            "to_upstream": self.written["upstream"],
            "from_upstream": self.read["downstream"],
            "to_client": self.written["downstream"],
            "ended": self.ended,
        }

    def end(self, why: str) -> None:
        """Record the reason of the end; the first one stays."""
        self.ended = self.ended or why


class Endpoint(asyncio.Protocol):
    """One of the two sockets. What it reads goes into the link of its own stream, the other link writes to it."""

    link: Link

    def __init__(
        self, name: str, reads: Stream, writes: Stream, connection: "Connection", opened: socket.socket
    ) -> None:
        self.socket = opened
        self.room = asyncio.Event()
        self.room.set()
        self.is_lost = False
        self._name, self._reads, self._writes, self._connection = name, reads, writes, connection
        self._transport: asyncio.Transport | None = None
        self._early: list[Chunk] = []
        self._finished = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Write the bytes that the other side sent before this connection was open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        for chunk in self._early:
            self.push(chunk)
        self._early.clear()
        if self._finished:
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Feed received bytes into the link."""
        self._connection.record.read[self._reads] += len(data)
        self.link.feed(data)

    def eof_received(self) -> bool:
        """Lead the end into the link; the socket stays, until the other direction ends too."""
        self._connection.record.end(f"{self._name} closed")
        self.link.end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass the end of the connection on to the link, whichever side has ended it."""
        self.is_lost = True
        self._connection.record.end(f"{self._name} {'reset' if isinstance(exc, ConnectionError) else 'closed'}")
        self.link.end()
        self._connection.lost()

    def pause_writing(self) -> None:
        """Have no room: the other side does not read."""
        self.room.clear()
        self._connection.other(self).link.regulate()

    def resume_writing(self) -> None:
        """Have room again."""
        self.room.set()
        self._connection.other(self).link.regulate()

    def push(self, chunk: Chunk) -> None:
        """Write a chunk."""
        if self._transport is None:
            self._early.append(chunk)
        elif not self._transport.is_closing():
            self._connection.record.written[self._writes] += len(chunk.data)
            self._transport.write(chunk.data)

    def finish(self) -> None:
        """Close the socket after what was written, for reading too: there is no half-close in Toxiproxy."""
        self._finished = True
        if self._transport is not None:
            self._transport.close()

    def read_on(self, welcome: bool) -> None:
        """Read on, or let the other side wait."""
        if self._transport is not None and not self._transport.is_closing():
            if welcome:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def abort(self) -> None:
        """Close the socket at once; what was not sent yet was not written."""
        if self.is_lost:
            return
        if self._transport is None:
            self.socket.close()
            self.connection_lost(None)
        else:
            self._connection.record.written[self._writes] -= self._transport.get_write_buffer_size()
            self._transport.abort()


class Connection:
    """A client's socket and the upstream's, with the toxics between them.

    Args:
        over: called once when both sockets are gone.
        seed: what the dice of its toxics start from.
    """

    def __init__(
        self,
        client: socket.socket,
        upstream: socket.socket,
        record: Record,
        seed: str,
        over: Callable[["Connection"], None],
    ) -> None:
        self.record = record
        self._seed, self._over = seed, over
        self._dice: dict[Stream, random.Random] = {}
        self._client = Endpoint("client", "upstream", "downstream", self, client)
        self._upstream = Endpoint("upstream", "downstream", "upstream", self, upstream)
        self._client.link = Link(self._client, self._upstream, self._stage)
        self._upstream.link = Link(self._upstream, self._client, self._stage)
        self.links: Mapping[Stream, Link] = {"upstream": self._client.link, "downstream": self._upstream.link}

    async def open(self, toxics: Iterable[Toxic]) -> None:
        """Put the toxics in place and start to read."""
        endpoints = (self._upstream, self._client)
        for toxic in toxics:
            if toxic.type == "reset_peer":
                linger_for_nothing(*(endpoint.socket for endpoint in endpoints))
            await self.links[toxic.direction].add(toxic)
        for endpoint in endpoints:
            await asyncio.get_running_loop().connect_accepted_socket(partial(_itself, endpoint), endpoint.socket)

    def close(self, why: str) -> None:
        """Close both sockets at once."""
        self.record.end(why)
        self._client.abort()
        self._upstream.abort()

    def other(self, endpoint: Endpoint) -> Endpoint:
        """Return the socket on the other side."""
        return self._upstream if endpoint is self._client else self._client

    def lost(self) -> None:
        """Handle the end of a socket; with the second one the connection is over."""
        if self._client.is_lost and self._upstream.is_lost:
            for link in self.links.values():
                link.cancel()
            self._over(self)

    def _stage(self, toxic: Toxic, out: Receiver, eased: Callable[[], None]) -> Stage:
        inbox = Inbox(eased, CAPACITY.get(toxic.type, 1))
        return Stage(toxic, partial(self._behaviour, toxic), inbox, out)

    def _behaviour(self, toxic: Toxic) -> Behaviour:
        """Roll the dice of a toxic; returns its behaviour, or that of doing nothing."""
        dice = partial(self._dice_of, toxic.direction)
        name = toxic.type if toxic.toxicity >= 1 or dice().random() < toxic.toxicity else "noop"

        async def behave(stage: Stage) -> None:
            await BEHAVIOURS[name](stage, toxic.attributes, dice)
            if not stage.inbox.ended:
                self.record.end(f"toxic {toxic.name}")

        return behave

    def _dice_of(self, stream: Stream) -> random.Random:
        """Return the dice of one direction, made when they are needed first: most connections never do."""
        if stream not in self._dice:
            self._dice[stream] = random.Random(f"{self._seed}/{self.record.number}/{stream}")
        return self._dice[stream]


def _itself(endpoint: Endpoint) -> Endpoint:
    return endpoint


def linger_for_nothing(*sockets: socket.socket) -> None:
    """Make closing these sockets reset them, and drop what was not sent."""
    for one in sockets:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_FOR_NOTHING)
