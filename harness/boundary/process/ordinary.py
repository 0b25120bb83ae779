"""Prepare the test's own process: an event loop, credentials where an agent looks for them, seams."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


def in_a_loop(awaitable: Any) -> Any:
    """Await it in a new loop, and return its result; in another thread if this one runs a loop (an async test)."""
    import asyncio  # most tests await nothing
    from concurrent.futures import ThreadPoolExecutor

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_await(awaitable))
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _await(awaitable)).result()


async def _await(awaitable: Any) -> Any:
    return await awaitable


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables where they are missing, and take them away again."""
    added = [name for name in values if name not in os.environ]
    os.environ.update({name: values[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
