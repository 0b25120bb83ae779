"""threading, queue and concurrent.futures: locks of one's own in place of Python's, timed waits, the end of a process.

3.13: joins and the locks of dying threads went to C (`_shutdown_locks_lock`, `_wait_for_tstate_lock` are no more).
3.14: `RLock.locked` is there, and a condition asks its lock for it. A build without the GIL was not tried.
3.15: not known.
"""

import _thread
import queue
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from .part import Adapter, find, found

ADAPTER = Adapter("Python", "3.11", "3.14")
plain_lock: Any = _thread.allocate_lock
plain_rlock: Any = _thread.RLock
PlainQueue: Any = found("_queue:SimpleQueue") or queue.SimpleQueue
"""Python's own, for the harness itself, whatever stands in `threading` and `queue`."""
worker = found("concurrent.futures.thread:_worker")
joining = found("threading:Thread._wait_for_tstate_lock")
ending = found("threading:_shutdown")
"""Functions in which threads wait for work, until Python 3.12 for a thread's end, and at the end of a process for all
threads; None where nobody knows them.
"""

WAITING = ADAPTER.part(
    "",
    "_queue:SimpleQueue",
    "concurrent.futures.thread:_worker(work_queue)",
    "threading:Thread._wait_for_tstate_lock?",
    costs="threads that wait for work count as able to go first: these orders cannot come, which is counted",
)
COUNTING = ADAPTER.part("which threads native code starts is not known: they may act beside others", "_thread:_count")
ENDING = ADAPTER.part("what threads do at the end of a process is not tried", "threading:_shutdown")


_elsewhere: list[int] = []


def begin_alone() -> None:
    """Note that this process has one thread: Python goes on counting those of the process that it was forked from."""
    _elsewhere[:] = [_counted()]


def started() -> int:
    """Return the number of threads beside the main one, those of native code included."""
    return _counted() - sum(_elsewhere)


def _counted() -> int:
    return int(find("_thread:_count")()) if COUNTING.works else threading.active_count() - 1


def wait_for_others() -> None:
    """Wait for the threads that a process waits for at its end."""
    if ENDING.works:
        find("threading:_shutdown")()


def _asks_its_lock() -> bool:
    """Return whether a condition uses the methods of its lock that `ForCondition` offers."""
    asked = ForCondition()
    condition: Any = threading.Condition(asked)  # type: ignore[arg-type]
    before = condition._release_save, condition._acquire_restore, condition._is_owned
    return before == (asked._release_save, asked._acquire_restore, asked._is_owned)


LOCKS = ADAPTER.part(
    "the order in which threads get locks is left to the machine",
    "threading:_allocate_lock",
    "threading:_active_limbo_lock",
    "threading:_shutdown_locks_lock?",
    "threading:Condition#_release_save",
    "threading:Condition#_acquire_restore",
    "threading:Condition#_is_owned",
    "_thread:RLock._is_owned",
    "_thread:RLock._release_save",
    "_thread:RLock._acquire_restore",
    "_thread:RLock._recursion_count?",
    probe=lambda: _asks_its_lock(),
)


class Forked:
    """A lock that is made anew in a forked process, as `threading` wants it of those that it keeps."""

    __slots__ = ()

    def made_anew(self) -> None:
        """Become a new lock that no thread has."""
        raise NotImplementedError

    def _at_fork_reinit(self) -> None:
        self.made_anew()


class ForCondition:
    """The methods that a condition calls on a reentrant lock; `plain` is Python's own lock."""

    __slots__ = ()
    plain: Any

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock."""
        raise NotImplementedError

    def release(self) -> None:
        """Give the lock back."""
        raise NotImplementedError

    def locked(self) -> bool:
        """Return whether a thread has the lock."""
        raise NotImplementedError

    def given_back(self) -> None:
        """Note that the lock was given back, however often it had been taken. Called by `_release_save`."""

    def _is_owned(self) -> bool:
        return bool(self.plain._is_owned())

    def _release_save(self) -> Any:
        state = self.plain._release_save()
        self.given_back()
        return state

    def _acquire_restore(self, state: Any) -> None:
        self.acquire()
        # Only the first one can wait; from then on the thread has the lock.
        for _ in range(state[0] - 1):
            self.plain.acquire()

    def _recursion_count(self) -> int:
        return int(self.plain._recursion_count())


def replaceable() -> Iterator[tuple[ModuleType, str]]:
    """Yield (module, name) of each function that makes a lock, a condition's signal, a reentrant lock or a queue."""
    yield from ((threading, "Lock"), (threading, "_allocate_lock"), (threading, "RLock"), (queue, "SimpleQueue"))


def keep_internals_plain() -> None:
    """Give `threading` plain locks for itself: the scheduler asks it for all threads, and would wait for itself.

    For a forked process: each fork makes these locks anew.
    """
    for name, make in (("_active_limbo_lock", plain_rlock), ("_shutdown_locks_lock", plain_lock)):
        if hasattr(threading, name):
            setattr(threading, name, make())


CLOCK = ADAPTER.part("timed waits of conditions, semaphores and queues take real time", "threading:_time", "queue:time")


def tell_time(monotonic: Callable[[], float]) -> None:
    """Make timed waits read this clock. For a child process: there is no way back."""
    if CLOCK.works:
        for module, name in ((threading, "_time"), (queue, "time")):
            setattr(module, name, monotonic)


GLANCES = ADAPTER.part(
    "whether others go on while a thread looks at a condition is left to the machine",
    "threading:Condition._is_owned",
    "threading:Condition._release_save",
    "threading:Condition._acquire_restore",
)


def at_a_glance(pause: Callable[[], bool]) -> None:
    """Call `pause` instead of a wait at a condition with a timeout of 0: other threads go on, and none can notify it.

    For a child process: there is no way back.
    """
    condition: Any = threading.Condition
    wait_by_lock = condition.wait

    def wait(self: Any, timeout: float | None = None) -> bool:
        if timeout is None or timeout > 0 or not self._is_owned():
            return bool(wait_by_lock(self, timeout))
        saved = self._release_save()
        try:
            return pause()
        finally:
            self._acquire_restore(saved)

    if GLANCES.works:
        condition.wait = wait
