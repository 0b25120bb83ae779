"""How the functions of a step are called: at once, or awaited on an event loop; all else is the same for both.

The parts that carry a run are written once, as coroutines. `Direct` never suspends one, so `finished` gets its result
without any loop; `Awaited` lets an event loop go on with other things while a step waits. Nothing here is shared, by
processes or by tasks: each call of a saga has its own.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from .steps import Run

T = TypeVar("T")


class Calls(Protocol):
    """What calls the functions of steps."""

    async def act(self, work: Callable[[Run], Any], run: Run) -> Any:
        """Take a step, unless it is wished that none is taken any more."""

    async def call(self, work: Callable[[Run], Any], run: Run) -> Any:
        """Undo a step, or look at it; nothing but its end stops this."""

    async def pause(self, seconds: float) -> None:
        """Wait before an undo is tried again."""

    async def wait(self, seconds: float) -> None:
        """Wait for somebody else before anything is begun."""


class Direct:
    """Calls functions that are no coroutine functions."""

    async def act(self, work: Callable[[Run], Any], run: Run) -> Any:
        """Take a step."""
        return await self.call(work, run)

    async def call(self, work: Callable[[Run], Any], run: Run) -> Any:
        """Call a function.

        Raises:
            TypeError: It returned something to be awaited.
        """
        result = work(run)
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()
            kind = type(result).__name__
            raise TypeError(f"step {run.step!r} returned a {kind} and did nothing: AsyncSaga waits for those")
        return result

    async def pause(self, seconds: float) -> None:
        """Wait, and let nothing else happen in this thread."""
        time.sleep(seconds)

    async def wait(self, seconds: float) -> None:
        """Wait as `pause` does."""
        if seconds:
            time.sleep(seconds)


class Awaited:
    """Calls functions of either kind on the event loop that runs; for one call of an `AsyncSaga`."""

    def __init__(self) -> None:
        """Begin with nothing under way."""
        self._acting: asyncio.Future[Any] | None = None
        self._cancelled = False

    async def act(self, work: Callable[[Run], Any], run: Run) -> Any:
        """Take a step, which cancelling stops."""
        if self._cancelled:
            raise asyncio.CancelledError
        result = work(run)
        return await self._stoppable(result) if inspect.isawaitable(result) else result

    async def call(self, work: Callable[[Run], Any], run: Run) -> Any:
        """Call a function to its end."""
        result = work(run)
        return await result if inspect.isawaitable(result) else result

    async def pause(self, seconds: float) -> None:
        """Wait, and let other tasks go on."""
        await asyncio.sleep(seconds)

    async def wait(self, seconds: float) -> None:
        """Wait, and let other tasks go on; cancelling ends it, since nothing is begun."""
        if self._cancelled:
            raise asyncio.CancelledError
        if seconds:
            await self._stoppable(asyncio.sleep(seconds))

    async def to_its_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Let work come to its own end, however often this task is cancelled meanwhile.

        Raises:
            asyncio.CancelledError: The task was cancelled, and the work ended without being done.
            Exception: What ended the work.
        """
        task = asyncio.ensure_future(work)
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                self._cancel()
            except BaseException:
                if not task.done():
                    raise
                break  # that of the work, which its result raises
        return task.result()

    async def _stoppable(self, result: Awaitable[T]) -> T:
        self._acting = task = asyncio.ensure_future(result)
        try:
            return await task
        finally:
            self._acting = None

    def _cancel(self) -> None:
        """Stop the act that is under way, and take no other; what is being undone goes on."""
        self._cancelled = True
        if self._acting is not None:
            self._acting.cancel()


def finished(work: Coroutine[Any, Any, T]) -> T:
    """Give the result of work that never suspends, as it is with `Direct`."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    raise AssertionError("work that was called directly suspended")
