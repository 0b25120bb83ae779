"""One direction of one connection: what is read from a source goes through a chain of stages to a destination.

A stage runs one toxic. It looks at the first chunk that came and takes it only when it lets it go, so nothing is lost
where it is interrupted: toxics come and go while data flows, as in Toxiproxy.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

Stream = Literal["upstream", "downstream"]
STREAMS: tuple[Stream, Stream] = ("upstream", "downstream")
CHUNK_BYTES = 32 * 1024


class Chunk(NamedTuple):
    """Bytes that were read together, and when, in the loop's seconds."""

    data: bytes
    arrived_s: float


@dataclass(eq=False, slots=True)
class Toxic:
    """A toxic of a proxy; connections share it. `stream` is as it was typed, `direction` what it means."""

    name: str
    type: str
    stream: str
    direction: Stream
    toxicity: float
    attributes: dict[str, int] = field(default_factory=dict)


class Receiver(Protocol):
    """The receiver of chunks: the next stage, or the socket at the end."""

    room: asyncio.Event

    def push(self, chunk: Chunk) -> None:
        """Accept a chunk, with room or without."""

    def finish(self) -> None:
        """Accept that nothing more will come."""


Behaviour = Callable[["Stage"], Awaitable[None]]
"""What a toxic does with what comes; when it returns, the connection is closed behind it."""


class Inbox:
    """The chunks that wait before a stage.

    Args:
        eased: called when chunks were taken.
        capacity: how many chunks may wait before whoever pushes should stop.
    """

    def __init__(self, eased: Callable[[], None], capacity: int) -> None:
        self.room = asyncio.Event()
        self.room.set()
        self.ended = False
        self._eased, self._capacity = eased, capacity
        self._chunks: deque[Chunk] = deque()
        self._filled = asyncio.Event()

    def add(self, chunk: Chunk) -> None:
        """Accept a chunk."""
        self._chunks.append(chunk)
        self._filled.set()
        self._regulate()

    def finish(self) -> None:
        """Accept that nothing more will come."""
        self.ended = True
        self._filled.set()

    async def first(self) -> Chunk | None:
        """Wait for a chunk and return it, without taking it; None at the end of the stream."""
        while not self._chunks:
            if self.ended:
                return None
            self._filled.clear()
            await self._filled.wait()
        return self._chunks[0]

    def take(self) -> Chunk:
        """Take the first chunk."""
        chunk = self._chunks.popleft()
        self._regulate()
        return chunk

    def put_back(self, rest: Chunk) -> None:
        """Put the rest of the first chunk in its place."""
        self._chunks[0] = rest

    def take_all(self) -> Iterator[Chunk]:
        """Take all that waits."""
        while self._chunks:
            yield self.take()

    def close(self) -> None:
        """Drop waiting bytes; there is no room for later ones."""
        self._chunks.clear()
        self.room.clear()

    def _regulate(self) -> None:
        if len(self._chunks) < self._capacity:
            self.room.set()
            self._eased()
        else:
            self.room.clear()


class Stage:
    """A place in the chain where one toxic runs.

    Args:
        behave: rolls the dice of the toxic's toxicity and returns what is to be done; asked at each start.
    """

    def __init__(self, toxic: Toxic, behave: Callable[[], Behaviour], inbox: Inbox, out: Receiver) -> None:
        self.toxic, self.inbox, self.out = toxic, inbox, out
        self.room = inbox.room
        self.passed_bytes = 0
        self.deaf = self.closed = False
        self._behave = behave
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run the toxic, or nothing, as the dice say."""
        self._task = asyncio.get_running_loop().create_task(self._run(self._behave()))

    async def interrupt(self) -> bool:
        """Stop running, to be started again or taken out; returns whether the stage is still open."""
        if self._task is not None and not self.closed:
            if not self.deaf:
                self._task.cancel()
            await asyncio.wait([self._task])
        return not self.closed

    def cancel(self) -> None:
        """Stop for good: both sockets are gone."""
        if self._task is not None:
            self._task.cancel()

    def push(self, chunk: Chunk) -> None:
        """Accept a chunk."""
        if not self.closed:
            self.inbox.add(chunk)

    def finish(self) -> None:
        """Accept that nothing more will come."""
        self.inbox.finish()

    async def send(self, chunk: Chunk) -> None:
        """Push a chunk on as soon as there is room for it."""
        await self.out.room.wait()
        self.out.push(chunk)

    async def hold(self, seconds: float) -> None:
        """Keep the first chunk waiting; interrupted, it goes on at once."""
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.out.push(self.inbox.take())
            raise

    def close(self) -> None:
        """End the stream here: waiting and later bytes are dropped."""
        self.closed = True
        self.inbox.close()
        self.out.finish()

    async def _run(self, behave: Behaviour) -> None:
        await behave(self)
        self.close()


class Source(Protocol):
    """A socket that is read from."""

    def read_on(self, welcome: bool) -> None:
        """Read, or leave it to the kernel to tell the other side to wait."""


class Link:
    """The chain between two sockets. Without a toxic it is empty, and what is read is written at once."""

    def __init__(self, source: Source, sink: Receiver, stage: Callable[[Toxic, Receiver, Callable[[], None]], Stage]):
        self._source, self._sink, self._make = source, sink, stage
        self._stages: list[Stage] = []
        self._ended = False

    def feed(self, data: bytes) -> None:
        """Take received bytes in."""
        now = asyncio.get_running_loop().time()
        if not self._stages:
            self._sink.push(Chunk(data, now))
        else:
            head = self._stages[0]
            for start in range(0, len(data), CHUNK_BYTES):
                head.push(Chunk(data[start : start + CHUNK_BYTES], now))
        self.regulate()

    def end(self) -> None:
        """Handle the end of the source, or its break: behind the chain the two cannot be told apart."""
        if not self._ended:
            self._ended = True
            self._head.finish()

    def regulate(self) -> None:
        """Read from the source while there is room for it."""
        self._source.read_on(self._head.room.is_set())

    def cancel(self) -> None:
        """End the chain: both sockets are gone."""
        for stage in self._stages:
            stage.cancel()

    async def add(self, toxic: Toxic) -> None:
        """Put a toxic at the end of the chain."""
        before = self._stages[-1] if self._stages else None
        is_open = await before.interrupt() if before else not self._ended
        stage = self._make(toxic, self._sink, self.regulate)
        self._stages.append(stage)
        if is_open:
            stage.start()
        else:
            stage.closed = True
        if before and is_open:
            before.out = stage
            before.start()

    async def update(self, toxic: Toxic) -> None:
        """Run a toxic anew whose attributes changed."""
        stage = self._stage(toxic)
        if stage and await stage.interrupt():
            stage.start()

    async def remove(self, toxic: Toxic) -> None:
        """Remove a toxic; bytes that it held go on at once. A timeout toxic has dropped its bytes, so the link closes
        instead.
        """
        stage = self._stage(toxic)
        if stage is None or not await stage.interrupt():
            return
        if toxic.type == "timeout":
            stage.close()
            return
        index = self._stages.index(stage)
        before = self._stages[index - 1] if index else None
        before_is_open = await before.interrupt() if before else False
        for chunk in stage.inbox.take_all():
            stage.out.push(chunk)
        if stage.inbox.ended:
            stage.out.finish()
        self._stages.remove(stage)
        if before and before_is_open:
            before.out = stage.out
            before.start()
        self.regulate()

    @property
    def _head(self) -> Receiver:
        return self._stages[0] if self._stages else self._sink

    def _stage(self, toxic: Toxic) -> Stage | None:
        return next((stage for stage in self._stages if stage.toxic is toxic), None)
