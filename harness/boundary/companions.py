"""Who is at work in this process when an effect is reached, and who else could reach an effect of its own now.

Two effects are in flight together where neither waits for the other. Who waits for another one's result, for a timer
that is not there, or for work to do, does not come first whatever happens; who waits for its turn, for a lock or for a
moment may.
"""

import asyncio
import itertools
import sys
import threading
import weakref
from collections.abc import Iterator
from linecache import getline
from types import FrameType
from typing import Any

from ..values.points import ANY_TASK, Who

_FRAMES = 8


class Companions:
    """Numbers threads and tasks in the order in which they are first met."""

    def __init__(self) -> None:
        self._threads, self._tasks = _Numbers(), _Numbers()
        self._threads.of(threading.current_thread())  # the first, whoever crosses first

    def me(self) -> Who:
        """Return who is running now."""
        task = asyncio.current_task() if asyncio._get_running_loop() is not None else None
        return self.number(threading.current_thread()), 0 if task is None else self._tasks.of(task)

    def others(self) -> frozenset[Who]:
        """Return everybody else who may go on by itself."""
        current = threading.current_thread()
        frames = sys._current_frames()
        threads = [t for t in threading.enumerate() if t is not current and t.ident in frames]
        found = {(self.number(t), ANY_TASK) for t in threads if not _waits(frames[t.ident or 0])}
        if asyncio._get_running_loop() is not None:
            own, mine = self.number(current), asyncio.current_task()
            found |= {(own, self._tasks.of(t)) for t in asyncio.all_tasks() if t is not mine and not _depends(t)}
        return frozenset(found)

    def number(self, thread: threading.Thread) -> int:
        """Return the number of a thread; a new one gets the next."""
        return self._threads.of(thread)


class _Numbers:
    """Numbers, from 1, that are never given twice."""

    def __init__(self) -> None:
        self._known: weakref.WeakKeyDictionary[object, int] = weakref.WeakKeyDictionary()
        self._next = itertools.count(1)

    def of(self, one: object) -> int:
        """Return the number of a thread or task."""
        number = self._known.get(one)
        return self._known.setdefault(one, next(self._next)) if number is None else number


def _waits(frame: FrameType) -> bool:
    """Say whether a thread waits for something that another one must do first."""
    stack = list(_callers(frame))
    inner, names = stack[0], [_place(one) for one in stack]
    if ("clock.py", "wait_until") in names:
        return False  # for a moment, which comes by itself
    if ("threading.py", "acquire") in names:
        return False  # for a semaphore, as for a lock
    if names[0] in (("threading.py", "wait"), ("selectors.py", "select"), ("thread.py", "_worker")):
        return True
    if names[0][0] == "threading.py" and names[0][1] in ("join", "_wait_for_tstate_lock"):
        return True
    return ".get(" in getline(inner.f_code.co_filename, inner.f_lineno)  # of a queue in C, which has no frame


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    for _ in range(_FRAMES):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def _place(frame: FrameType) -> tuple[str, str]:
    code = frame.f_code
    return code.co_filename.rpartition("/")[2], code.co_name


_DEPENDENT = {("locks.py", "wait"), ("queues.py", "get"), ("tasks.py", "wait_for"), ("tasks.py", "_wait")}
_DEPENDENT |= {("taskgroups.py", "__aexit__"), ("threads.py", "to_thread"), ("_asyncio.py", "__aexit__")}


def _depends(task: "asyncio.Task[Any]") -> bool:
    """Say whether a task waits for what other tasks or threads must do first."""
    waits_for = getattr(task, "_fut_waiter", None)
    if isinstance(waits_for, asyncio.Task) or type(waits_for).__name__ == "_GatheringFuture":
        return True
    coroutine: Any = task.get_coro()
    while getattr(coroutine, "cr_await", None) is not None and hasattr(coroutine.cr_await, "cr_code"):
        coroutine = coroutine.cr_await
    code = getattr(coroutine, "cr_code", None)
    return code is not None and (code.co_filename.rpartition("/")[2], code.co_name) in _DEPENDENT
