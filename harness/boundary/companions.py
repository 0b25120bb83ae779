"""Who else is at work in this process when an effect is reached: then its order is one of several."""

import asyncio
import threading
import weakref
from typing import Any


class Companions:
    """Finds out whether effects come from tasks or threads that work side by side."""

    def __init__(self) -> None:
        self._threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()

    def found(self) -> str:
        """Return "tasks" or "threads" where another one is at work now, "" where this one is alone."""
        thread = threading.current_thread()
        if thread is not threading.main_thread():
            self._threads.add(thread)
            return "threads" if any(other is not thread and other.is_alive() for other in self._threads) else ""
        if asyncio._get_running_loop() is None:
            return ""
        own = asyncio.current_task()
        return "tasks" if own is not None and any(_may_go_on(task) for task in asyncio.all_tasks() - {own}) else ""


def _may_go_on(task: "asyncio.Task[Any]") -> bool:
    """Say whether a task can do something by itself: it does not just wait for other tasks."""
    waits_for = getattr(task, "_fut_waiter", None)
    return not isinstance(waits_for, asyncio.Task) and type(waits_for).__name__ != "_GatheringFuture"
