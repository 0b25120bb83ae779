"""Calls of a step's functions: at once, or awaited on an event loop; all else is the same for both.

The parts that carry a run are written once, as coroutines. `BlockingInvoker` never suspends one, so `run_blocking` gets
its result without any loop; `AsyncioInvoker` lets an event loop go on with other things while a step waits. Nothing
here is shared, by processes or by tasks: each call of a saga has its own invoker.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from .steps import Run

T = TypeVar("T")


class Invoker(Protocol):
    """Calls the functions of steps, waits, and does blocking work, for one call of a saga."""

    async def act(self, work: Callable[[Run], Any], run: Run) -> Any:
        """Take a step; a call that was cancelled takes none any more."""

    async def call(self, work: Callable[[Run], Any], run: Run) -> Any:
        """Undo a step, or look at it, to its end; cancelling does not stop this."""

    async def block(self, work: Callable[[], T]) -> T:
        """Do work that blocks and uses no `Store`, to its end; cancelling does not stop this."""

    async def pause(self, seconds: float) -> None:
        """Wait before an undo is tried again."""

    async def wait(self, seconds: float) -> None:
        """Wait for another process before anything is begun; cancelling ends this."""


class BlockingInvoker:
    """Calls plain functions in the caller's thread, and blocks it."""

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

    async def block(self, work: Callable[[], T]) -> T:
        """Do the work in this thread."""
        return work()

    async def pause(self, seconds: float) -> None:
        """Wait, and let nothing else happen in this thread."""
        time.sleep(seconds)

    async def wait(self, seconds: float) -> None:
        """Wait as `pause` does."""
        if seconds:
            time.sleep(seconds)


class AsyncioInvoker:
    """Calls plain and coroutine functions on the running event loop; for one call of an `AsyncSaga`."""

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

    async def block(self, work: Callable[[], T]) -> T:
        """Do the work in another thread, and let other tasks go on; only the end of the loop stops the wait for it."""
        return await asyncio.to_thread(work)

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
        """Wait until work has come to its own end, however often this task is cancelled meanwhile.

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
        """Stop the act that is under way, and take no other; an undo that is under way goes on."""
        self._cancelled = True
        if self._acting is not None:
            self._acting.cancel()


def run_blocking(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends, as none does with a `BlockingInvoker`, and give its result."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    raise AssertionError("a coroutine suspended, and there is no event loop")
