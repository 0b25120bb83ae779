"""Locks for a few steps. A signal handler, or a finalizer, that comes within them must not wait for another thread."""

import threading

from ..adapters.python_threads import plain_rlock

_local = threading.local()


class CriticalSection:
    """A reentrant lock of the harness's own.

    `in_critical_section` says whether the current thread holds any of them.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = plain_rlock()  # Python's own, whoever else is given another one

    def __enter__(self) -> None:
        # Counted before the lock is held: a handler that comes in between must not wait either.
        _local.depth = getattr(_local, "depth", 0) + 1
        try:
            self._lock.acquire()
        except BaseException:  # a Ctrl-C
            _local.depth -= 1
            raise

    def __exit__(self, *raised: object) -> None:
        try:
            self._lock.release()
        finally:
            _local.depth -= 1


def in_critical_section() -> bool:
    """Return whether the current thread holds a `CriticalSection`."""
    return bool(getattr(_local, "depth", 0))
