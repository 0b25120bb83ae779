"""aiosqlite: the thread in which it carries out what a task awaits.

Before 0.22 a connection was that thread itself, which is not known here.
"""

import threading
from typing import Any

from .part import Adapter, found

ADAPTER = Adapter("aiosqlite", "0.22", "1")
WORKER = ADAPTER.part(
    "cancelling a task that awaits {library} is not tried",
    "aiosqlite.core:_connection_worker_thread",
    "threading:Thread#_target",
)


def works_for_a_task(thread: threading.Thread) -> bool:
    """Return whether a thread carries out what a task awaits."""
    function: Any = getattr(thread, "_target", None)
    return getattr(function, "__module__", "") == "aiosqlite.core" and (
        WORKER.works and function is found("aiosqlite.core:_connection_worker_thread")
    )
