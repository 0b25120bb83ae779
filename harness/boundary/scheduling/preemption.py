"""Preempt an actor: it waits at its point until other actors have had an effect, or cannot have one.

The wait is one in virtual time. When nothing else in the process can happen any more its time comes, and it gives up:
the interleaving is impossible. It also gives up if the others can go on only by giving up themselves: their wait for a
lock times out, or they poll without end.
"""

import asyncio
from collections.abc import Callable

from ...values.points import ActorId
from ...values.rare import rare
from ..adapters.python_threads import plain_lock
from .critical_section import CriticalSection

_PATIENCE_S = 5.0  # in virtual time
Wait = Callable[[float, Callable[[float], bool]], bool]


class _Preempted:
    """A preempted actor. `end` is called once: when enough other effects have passed, or when waiting is given up."""

    def __init__(self, who: ActorId, others: int, end: Callable[[], object]) -> None:
        self._who, self._others, self._end = who, others, end
        self._passed: set[ActorId] = set()
        self._ended = False

    def passed(self, who: ActorId) -> None:
        """Count an effect of another actor."""
        if who != self._who:
            self._passed.add(who)
        if self.came:
            self.end()

    @property
    def came(self) -> bool:
        """Return whether as many others as wanted have had an effect."""
        return len(self._passed) >= self._others

    def end(self) -> None:
        """Resume the actor."""
        if not self._ended:
            self._ended = True
            self._end()


class Preemptions:
    """The preempted threads and tasks of this process."""

    def __init__(self) -> None:
        self._waiting: list[_Preempted] = []
        self._lock = CriticalSection()

    def passed(self, me: Callable[[], ActorId]) -> None:
        """Tell all preempted actors that an effect of `me` has passed."""
        with self._lock:
            waiting = list(self._waiting)
        for preempted in waiting:
            # Not within the lock: to wake a task of another loop is to wait until that loop rests.
            preempted.passed(me())

    def give_up(self) -> bool:
        """Resume all preempted actors, though no other effect has passed; returns whether there were any."""
        with self._lock:
            waiting = list(self._waiting)
        for preempted in waiting:
            rare("who is held is let go, for others cannot come")
            preempted.end()
        return bool(waiting)

    def anew(self, wait: Callable[[], bool]) -> bool:
        """Wait with a timeout.

        If it ends while an actor is preempted (it may hold the lock), release that one and wait once more.

        `wait` returns whether what it waits for came.
        """
        return wait() or (self.give_up() and wait())

    def thread(self, who: ActorId, others: int, wait: Wait) -> bool:
        """Block this thread until `others` actors have had an effect; returns whether they have."""
        closed = plain_lock()
        closed.acquire()
        preempted = _Preempted(who, others, closed.release)
        self._enter(preempted)
        try:
            wait(_PATIENCE_S, lambda seconds: closed.acquire(True, seconds) if seconds else closed.acquire(False))
        finally:
            self._waiting.remove(preempted)
        return preempted.came

    async def task(self, who: ActorId, others: int) -> bool:
        """Suspend this task until `others` actors have had an effect; returns whether they have."""
        loop = asyncio.get_running_loop()
        come = loop.create_future()

        def open_() -> None:
            if not come.done():
                come.set_result(None)

        preempted = _Preempted(who, others, lambda: loop.call_soon_threadsafe(open_))
        self._enter(preempted)
        try:
            await asyncio.wait({come}, timeout=_PATIENCE_S)
        finally:
            self._waiting.remove(preempted)
        return preempted.came

    def _enter(self, preempted: _Preempted) -> None:
        with self._lock:
            self._waiting.append(preempted)
