"""The behaviour of each toxic on the chunks that come. When one returns, the connection is closed behind it.

A new toxic is a function here and a line in `BEHAVIOURS`, and its attributes in `rollproof.network.toxics`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from random import Random

from .link import Stage

_FOREVER_S = 10.0 * 365 * 24 * 3600
Attributes = Mapping[str, int]


async def noop(stage: Stage, attributes: Attributes, dice: Callable[[], Random]) -> None:
    """Pass everything through."""
    while (chunk := await stage.inbox.first()) is not None:
        await stage.send(chunk)
        stage.inbox.take()


async def latency(stage: Stage, attributes: Attributes, dice: Callable[[], Random]) -> None:
    """Pass each chunk on so long after it arrived; the end of the stream is not delayed."""
    delay_ms, jitter_ms = attributes["latency"], attributes["jitter"]
    while (chunk := await stage.inbox.first()) is not None:
        late_ms = delay_ms + (dice().randrange(-jitter_ms, jitter_ms) if jitter_ms > 0 else 0)
        wait_s = late_ms / 1000 - (_now() - chunk.arrived_s)
        await stage.hold(max(wait_s, 0))
        await stage.send(chunk._replace(arrived_s=chunk.arrived_s + wait_s))
        stage.inbox.take()


async def bandwidth(stage: Stage, attributes: Attributes, dice: Callable[[], Random]) -> None:
    """Pass so many KB a second through, in pieces of a tenth of a second; none at rate 0."""
    rate, wait_s = attributes["rate"], 0.0
    while (chunk := await stage.inbox.first()) is not None:
        if rate == 0:
            await stage.hold(_FOREVER_S)
        wait_s += len(chunk.data) / (rate * 1000)
        while len(chunk.data) > rate * 100:
            await stage.hold(0.1)
            await stage.send(chunk._replace(data=chunk.data[: rate * 100]))
            chunk = chunk._replace(data=chunk.data[rate * 100 :])
            stage.inbox.put_back(chunk)
            wait_s -= 0.1
        began = _now()
        await stage.hold(max(wait_s, 0))
        wait_s -= _now() - began
        await stage.send(chunk)
        stage.inbox.take()


async def slow_close(stage: Stage, attributes: Attributes, dice: Callable[[], Random]) -> None:
    """Pass everything through but the end, which comes late."""
    await noop(stage, attributes, dice)
    await asyncio.sleep(attributes["delay"] / 1000)


async def timeout(stage: Stage, attributes: Attributes, dice: Callable[[], Random]) -> None:
    """Pass nothing through, and close when nothing came for so long; never, at 0."""
    patience_s = attributes["timeout"] / 1000 if attributes["timeout"] > 0 else None
    while True:
        try:
            async with asyncio.timeout(patience_s):
                chunk = await stage.inbox.first()
        except TimeoutError:
            return
        if chunk is None:
            return
        stage.inbox.take()


async def reset_peer(stage: Stage, attributes: Attributes, dice: Callable[[], Random]) -> None:
    """Close at the first chunk, which is dropped, or at the end; waits first, and cannot be interrupted then.

    That a reset comes of it is the sockets' doing: see `connection.linger_for_nothing`.
    """
    await stage.inbox.first()
    stage.deaf = True
    await asyncio.sleep(attributes["timeout"] / 1000)


async def slicer(stage: Stage, attributes: Attributes, dice: Callable[[], Random]) -> None:
    """Cut each chunk into pieces of about the same size, with a pause after each."""
    average, variation = attributes["average_size"], attributes["size_variation"]
    while (chunk := await stage.inbox.first()) is not None:
        for begin, end in pieces(0, len(chunk.data), average, variation, dice):
            await stage.send(chunk._replace(data=chunk.data[begin:end]))
            stage.inbox.put_back(chunk._replace(data=chunk.data[end:]))
            await stage.hold(attributes["delay"] / 1_000_000)
        stage.inbox.take()


def pieces(start: int, end: int, average: int, variation: int, dice: Callable[[], Random]) -> Iterator[tuple[int, int]]:
    """Yield start and end of each piece: a chunk is halved, more or less, until a piece is small enough."""
    if end - start - average <= variation:
        yield start, end
        return
    middle = start + (end - start) // 2 + (dice().randrange(-variation, variation) if variation else 0)
    yield from pieces(start, middle, average, variation, dice)
    yield from pieces(middle, end, average, variation, dice)


async def limit_data(stage: Stage, attributes: Attributes, dice: Callable[[], Random]) -> None:
    """Pass so many bytes of a connection through, and close right behind the last of them."""
    while (chunk := await stage.inbox.first()) is not None:
        left = max(attributes["bytes"] - stage.passed_bytes, 0)
        data = chunk.data[:left]
        if data:
            await stage.send(chunk._replace(data=data))
            stage.passed_bytes += len(data)
        stage.inbox.take()
        if stage.passed_bytes >= attributes["bytes"]:
            return


def _now() -> float:
    return asyncio.get_running_loop().time()


BEHAVIOURS: Mapping[str, Callable[[Stage, Attributes, Callable[[], Random]], Awaitable[None]]] = {
    behaviour.__name__: behaviour
    for behaviour in (noop, latency, bandwidth, slow_close, timeout, reset_peer, slicer, limit_data)
}
CAPACITY = {"latency": 1024}
"""How many chunks a toxic may keep waiting; 1 where nothing is said."""
