"""Locks and queues of `threading` and `queue` whose waiting threads are woken by the harness, not by the kernel.

A thread that has to wait goes on when it gets the token, which is given when all others have come to rest
(`scheduler`). So one thread runs at a time, and which one finds a lock free is no matter of luck. A lock that is free
needs no token. Kin: the schedulers of CHESS, loom and shuttle.
"""

import queue
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import GenericAlias, ModuleType
from typing import Any, ClassVar, Protocol

from .. import patching
from ..adapters import python_threads
from ..adapters.python_threads import PlainQueue, plain_lock, plain_rlock

_NEVER = -1


@dataclass(frozen=True, slots=True)
class Want:
    """A lock, a signal or an item of a queue that a thread waits for.

    Attributes:
        take: takes it without waiting; returns whether that was possible.
        ready: returns whether it can be taken now.
        wait: waits for it as Python does and takes it, for so many seconds, -1 for ever; returns whether it came.
        signal: whether it comes only when another thread says that something has happened; a lock is given back.
    """

    take: Callable[[], bool]
    ready: Callable[[], bool]
    wait: Callable[[float], bool]
    signal: bool


class Scheduler(Protocol):
    """Wakes the waiting threads of a process one at a time."""

    def obtain(self, want: Want, timeout_s: float | None) -> bool:
        """Wait until `want` is taken, None for ever; returns False when the time is up."""
        ...

    def changed(self) -> None:
        """Wake a waiting thread, if one can go on: a lock was given back, or an item put in."""
        ...


_schedulers: list[Scheduler] = []
"""The scheduler of this process; empty where the agent does not run."""


def originals() -> list[object]:
    """Return the classes and functions that agents may have imported by name."""
    return list(_ORIGINALS.values())


def make_ours() -> Callable[[], None]:
    """Replace the lock and queue classes of `threading` and `queue` in the test's process.

    Returns a function that undoes it.

    An agent's modules make some when they are imported. These act as Python's own until its processes are forked.
    """
    before = [(module, name, getattr(module, name)) for module, name, _ in _replacements()]
    for module, name, ours in _replacements():
        setattr(module, name, ours)

    def undo() -> None:
        for module, name, original in before:
            setattr(module, name, original)

    return undo


def install() -> None:
    """Replace locks and queues that are made from now on by ours, also where somebody bound Python's own by name.

    For a process of the agent: there is no way back.
    """
    for module, name, ours in _replacements():
        setattr(module, name, _ORIGINALS[module, name])
        patching.replace(module, name, partial(_instead, ours))


def schedule(scheduler: Scheduler) -> None:
    """Hand the waking of this process's threads to `scheduler`. For a process of the agent: there is no way back."""
    _schedulers[:] = [scheduler]


def _instead(ours: type, original: object) -> type:
    return ours


def _changed() -> None:
    for scheduler in _schedulers:
        scheduler.changed()


def _obtain(want: Want, timeout_s: float) -> bool:
    if not _schedulers:
        return want.wait(timeout_s)
    return _schedulers[0].obtain(want, None if timeout_s == _NEVER else timeout_s)


class _ScheduledLock(python_threads.Forked):
    """A lock whose waiting threads are woken by the scheduler; `plain` is Python's own, which keeps the owner."""

    __slots__ = ("__weakref__", "plain")
    _make: ClassVar[Callable[[], Any]]
    _signal = False

    def __init__(self) -> None:
        self.plain = type(self)._make()

    def acquire(self, blocking: bool = True, timeout: float = _NEVER) -> bool:
        """Take the lock; returns False where it is held, for `timeout` seconds if the caller waits."""
        plain = self.plain
        # A look that does not wait changes no order: it needs no token.
        if not blocking or (timeout != _NEVER and timeout <= 0):
            return bool(plain.acquire(blocking, timeout))
        take, wait = partial(plain.acquire, False), partial(plain.acquire, True)
        # Free locks cost nothing: while one thread runs at a time, no other can be about to take this one.
        return take() or _obtain(Want(take, self._free, wait, self._signal), timeout)

    def release(self) -> None:
        """Give the lock back."""
        # The plain lock first: a thread that is woken for it must find it free.
        self.plain.release()
        _changed()

    def locked(self) -> bool:
        """Return whether a thread has the lock."""
        return not self._free()

    def _free(self) -> bool:
        raise NotImplementedError

    def made_anew(self) -> None:
        """Become a new lock that no thread holds."""
        self.plain = type(self)._make()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *raised: object) -> None:
        self.release()

    def __reduce__(self) -> Any:
        raise TypeError(f"cannot pickle {type(self.plain).__qualname__!r} object")

    def __repr__(self) -> str:
        return repr(self.plain)


class Lock(_ScheduledLock):
    """Stands for ``threading.Lock``."""

    __slots__ = ()
    _make = staticmethod(plain_lock)

    def _free(self) -> bool:
        return not self.plain.locked()


class Signal(Lock):
    """A lock that one thread gives back to tell another that something has happened.

    Each wait of a ``threading.Condition`` makes one.
    """

    __slots__ = ()
    _signal = True


class RLock(_ScheduledLock, python_threads.ForCondition):
    """Stands for ``threading.RLock``."""

    __slots__ = ()
    _make = staticmethod(plain_rlock)

    def _free(self) -> bool:
        return repr(self.plain).startswith("<unlocked")  # it has no ``locked`` before Python 3.14

    def given_back(self) -> None:
        """Wake a thread that waits."""
        _changed()


class SimpleQueue:
    """Stands for ``queue.SimpleQueue``."""

    __slots__ = ("__weakref__", "_plain")
    __class_getitem__: Any = classmethod(GenericAlias)

    def __init__(self) -> None:
        self._plain: Any = PlainQueue()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an item in; never waits."""
        self._plain.put(item)
        _changed()

    def put_nowait(self, item: Any) -> None:
        """Put an item in."""
        self.put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the oldest item out, as ``queue.SimpleQueue.get`` does."""
        plain, taken = self._plain, list[Any]()
        if not block or not plain.empty() or (timeout is not None and timeout <= 0):
            return plain.get(block, timeout)

        def take() -> bool:
            try:
                taken.append(plain.get_nowait())
            except queue.Empty:
                return False
            return True

        def wait(seconds: float) -> bool:
            with suppress(queue.Empty):
                taken.append(plain.get(True, None if seconds == _NEVER else seconds))
            return bool(taken)

        if not _obtain(Want(take, self._filled, wait, signal=True), _NEVER if timeout is None else timeout):
            raise queue.Empty
        return taken[0]

    def get_nowait(self) -> Any:
        """Take the oldest item out where there is one."""
        return self._plain.get_nowait()

    def empty(self) -> bool:
        """Return whether there is no item."""
        return bool(self._plain.empty())

    def qsize(self) -> int:
        """Return the number of items."""
        return int(self._plain.qsize())

    def _filled(self) -> bool:
        return not self._plain.empty()

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle '_queue.SimpleQueue' object")


_ORIGINALS = {
    (module, name): getattr(module, name) for module, name in python_threads.replaceable() if hasattr(module, name)
}


def _replacements() -> Iterator[tuple[ModuleType, str, type]]:
    if python_threads.LOCKS.works:
        for (module, name), kind in zip(_ORIGINALS, (Lock, Signal, RLock, SimpleQueue), strict=True):
            yield module, name, kind
