"""The actor that reaches an effect, and the other actors of the process that could reach one of their own now.

Two effects are in flight together where neither waits for the other. An actor that waits for another one's result, for
a timer that is not there, or for work to do, cannot come first; one that waits for the token, for a lock or for a time
may.
"""

import asyncio
import functools
import inspect
import itertools
import os
import selectors
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

from ...values.places import Frame, line_of
from ...values.points import ANY_TASK, ActorId, ActorKind
from ..adapters import aiosqlite, anyio_tasks, python_threads
from ..adapters.python_asyncio import collecting, running_loop, waits_for_tasks
from ..adapters.python_bytecode import stands_at_a_lock
from ..process.places import calling
from .locks import Want

Wanted = Callable[[int | None], Want | None]
"""What a thread waits for; None where it is not known."""

_FRAMES = 8
_HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep


class Actors:
    """Threads and tasks of this process, numbered in the order in which they are first met."""

    def __init__(self) -> None:
        self._threads, self._tasks = _Numbers(), _Numbers()
        self._threads.of(threading.current_thread())  # the first, whoever crosses first

    def me(self) -> ActorId:
        """Return the id of the actor that runs now."""
        task = asyncio.current_task() if running_loop() is not None else None
        return self.number(threading.current_thread()), 0 if task is None else self._tasks.of(task)

    def others(self, wanted: Wanted) -> frozenset[ActorId]:
        """Return the ids of all other actors that do not wait for another one."""
        current = threading.current_thread()
        frames = sys._current_frames()
        # A thread that just begins, or ends, has no frame.
        threads = [t for t in threading.enumerate() if t is not current and t.ident in frames]
        found = {(self.number(t), ANY_TASK) for t in threads if not _waits(frames[t.ident or 0], wanted(t.ident))}
        if running_loop() is not None:
            own, mine = self.number(current), asyncio.current_task()
            found |= {(own, self._tasks.of(t)) for t in asyncio.all_tasks() if t is not mine and not _depends(t)}
        return frozenset(found)

    def at_plain_locks(self, wanted: Wanted) -> Iterator[str]:
        """Yield the places where other threads, all at rest, wait for a lock of Python's own."""
        current = threading.get_ident()
        for ident, frame in sys._current_frames().items():
            if ident != current and wanted(ident) is None and _at_a_lock(frame.f_code, frame.f_lasti):
                library = Frame(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname)
                yield line_of(calling(frame) or (library,))

    def number(self, thread: threading.Thread) -> int:
        """Return the number of a thread; a new one gets the next."""
        return self._threads.of(thread)


def actor_kind(awaits: bool) -> ActorKind:
    """Return the kind of the actor that runs now; `awaits` says that it is a task that awaits its effect."""
    current = threading.current_thread()
    if current is threading.main_thread():
        return "task" if awaits else "main"
    return "awaited" if aiosqlite.works_for_a_task(current) else "thread"


class _Numbers:
    """Numbers, from 1, that are never given twice."""

    def __init__(self) -> None:
        self._known: weakref.WeakKeyDictionary[object, int] = weakref.WeakKeyDictionary()
        self._next = itertools.count(1)

    def of(self, one: object) -> int:
        """Return the number of a thread or task."""
        number = self._known.get(one)
        return self._known.setdefault(one, next(self._next)) if number is None else number


def _waits(frame: FrameType, want: Want | None) -> bool:
    """Return whether a thread can go on only after another one has acted."""
    codes = {one.f_code for one in _callers(frame)}
    if codes & _GO_ON:
        return False
    return frame.f_code in _WAIT if want is None else want.signal and not want.ready()


@functools.cache
def _at_a_lock(code: CodeType, instruction: int) -> bool:
    """Return whether code stands where it enters a block or calls ``acquire``: a thread rests there for a lock."""
    if code.co_filename.startswith(_HERE) or code in _WAIT:
        return False
    return stands_at_a_lock(code, instruction)


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    for _ in range(_FRAMES):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def _codes(*functions: Any) -> set[CodeType]:
    return {inspect.unwrap(function).__code__ for function in functions if function is not None}


_GO_ON = _codes(threading.Semaphore.acquire)
"""Code that waits for what comes by itself, or for a semaphore, which is as a lock."""
_SELECTORS = (selectors.EpollSelector, selectors.PollSelector, selectors.SelectSelector)
_WAIT = _codes(
    threading.Thread.join,
    python_threads.joining,
    python_threads.ending,
    python_threads.worker,  # at a queue that was made before
    *(selector.select for selector in _SELECTORS),
)
"""Code that waits, in C, for the end of a thread, for events of a loop, or for work."""
_DEPEND = _codes(
    *(kind.wait for kind in (asyncio.Event, asyncio.Condition, asyncio.Barrier)),
    *(asyncio.Queue.get, asyncio.wait_for, asyncio.to_thread, asyncio.TaskGroup.__aexit__),
    collecting,
)
"""Code in which a task waits for what other tasks or threads must do first."""


def goes_on_by_itself(function: Callable[..., Any]) -> None:
    """Register a function that waits for a virtual time: its thread goes on by itself."""
    _GO_ON.update(_codes(function))


def _depends(task: "asyncio.Task[Any]") -> bool:
    """Return whether a task can go on only after another task or thread has acted."""
    if waits_for_tasks(task):
        return True
    coroutine: Any = task.get_coro()
    while getattr(coroutine, "cr_await", None) is not None and hasattr(coroutine.cr_await, "cr_code"):
        coroutine = coroutine.cr_await
    code = getattr(coroutine, "cr_code", None)
    return code in _DEPEND or anyio_tasks.waits_for_its_group(code)
