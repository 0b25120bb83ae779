"""Effects that may wait for another thread: they go on while their threads do not hold the token."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ...values.real_time import BLOCKING_EFFECT_S

_real_monotonic, _real_sleep = time.monotonic, time.sleep


class BlockingEffects:
    """The threads whose effect has started and released the token: it can block on another thread."""

    def __init__(self) -> None:
        self._threads: set[int] = set()

    def begin(self) -> None:
        """Note that the current thread's effect has started."""
        self._threads.add(threading.get_ident())

    def end(self) -> None:
        """Note that the current thread's effect has ended."""
        self._threads.discard(threading.get_ident())

    @contextmanager
    def blocked(self) -> Iterator[None]:
        """Within an effect, wait for a lock of another thread: for the block the effect does not count as in flight."""
        blocking = threading.get_ident() in self._threads
        self.end()
        try:
            yield
        finally:
            if blocking:
                self.begin()

    def others(self) -> bool:
        """Return whether an effect of another thread is on its way."""
        return bool(self._threads - {threading.get_ident()})

    def wait_for_all(self) -> bool:
        """Wait, in real time and not for long, for the effects that are on their way in other threads.

        One that waits for a lock of this thread's, unseen, will not end; the others end within this time.
        Returns whether all have ended.
        """
        end = _real_monotonic() + BLOCKING_EFFECT_S
        while self.others() and _real_monotonic() < end:
            _real_sleep(0.0002)
        return not self.others()
