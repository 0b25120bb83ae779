"""Locks for a few steps. A signal handler, or a finalizer, that comes within them must not wait for another thread."""

import threading

from ..adapters.python_threads import plain_rlock

_local = threading.local()


class CriticalSection:
    """A lock that its thread may take again; `in_critical_section` says whether the current thread has any of them."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = plain_rlock()  # Python's own, whoever else is given another one

    def __enter__(self) -> None:
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
    """Say whether the current thread is within such steps."""
    return bool(getattr(_local, "depth", 0))
