"""The step whose function runs now, by its name: for logs, and for what looks at an agent from outside.

With several processes: each knows its own step only. Tasks carry the name, and so does `asyncio.to_thread`; a
thread that a step starts itself does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

STEP: ContextVar[str] = ContextVar("rollproof_saga_step", default="")
"""The name of the step that is acted, undone or looked at here; "" for none."""


@contextmanager
def running(name: str) -> Iterator[None]:
    """Count the block as the running function of the step with this name."""
    token = STEP.set(name)
    try:
        yield
    finally:
        with suppress(ValueError):  # a coroutine that nobody awaits any more is closed in another context
            STEP.reset(token)
