"""Let others go first: a thread or task waits at its point until effects of others have passed, or cannot come.

The wait is one in virtual time. When nothing else in the process can happen any more its moment comes, and it gives
up: the other order cannot be had.
"""

import asyncio
from collections.abc import Callable

from ..values.points import Who
from .brief import Brief
from .locks import plain_lock

_PATIENCE_S = 30.0
Wait = Callable[[float, Callable[[float], bool]], bool]


class _Hold:
    """One who waits; `come` is called when enough others have passed."""

    def __init__(self, who: Who, others: int, come: Callable[[], object]) -> None:
        self._who, self._others, self._come = who, others, come
        self._passed: set[Who] = set()

    def passed(self, who: Who) -> None:
        """Count another one."""
        before = len(self._passed)
        if who != self._who:
            self._passed.add(who)
        if before < self._others == len(self._passed):
            self._come()


class Holding:
    """Those who wait at their points in this process."""

    def __init__(self) -> None:
        self._holds: list[_Hold] = []
        self._lock = Brief()

    def passed(self, me: Callable[[], Who]) -> None:
        """Tell everybody who waits that an effect has passed, and whose."""
        with self._lock:
            holds = list(self._holds)
        for hold in holds:
            hold.passed(me())

    def thread(self, who: Who, others: int, wait: Wait) -> bool:
        """Wait in this thread; says whether the others came."""
        closed = plain_lock()
        closed.acquire()
        hold = _Hold(who, others, closed.release)
        self._enter(hold)
        try:
            return wait(
                _PATIENCE_S, lambda seconds: closed.acquire(True, seconds) if seconds else closed.acquire(False)
            )
        finally:
            self._holds.remove(hold)

    async def task(self, who: Who, others: int) -> bool:
        """Wait in this task, while others of the loop go on; says whether the others came."""
        loop = asyncio.get_running_loop()
        come = loop.create_future()

        def open_() -> None:
            if not come.done():
                come.set_result(None)

        hold = _Hold(who, others, lambda: loop.call_soon_threadsafe(open_))
        self._enter(hold)
        try:
            done, _ = await asyncio.wait({come}, timeout=_PATIENCE_S)
        finally:
            self._holds.remove(hold)
        return bool(done)

    def _enter(self, hold: _Hold) -> None:
        with self._lock:
            self._holds.append(hold)
