"""Threads take turns at the gate, in an order that does not depend on how fast each of them is.

A turn is given when every other thread has come to rest: where it waits for its turn, for a moment, or for somebody
else. Of those that wait for a turn, who came before the fewest turns had been given goes first, then by the place
and by the thread's number. Who starts a thread, or hands work to one, goes on when that one has come to rest. A thread
that waited for a lock, or for a signal of another thread, goes on by a turn, too (`locks`): so one runs at a time.

A signal handler, or a finalizer, may have effects while its own thread waits here: it then waits in that one's stead.
One that waits for another thread to have effects waits for ever there.
"""

import asyncio
import functools
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from .brief import Brief, within
from .holding import Holding, Wait
from .locks import PlainQueue, Want

_KEY = tuple[bool, int, tuple[str, ...], int]


class _Candidate:
    """A thread that waits for its turn; it is woken when it has it, when it is to give it, or for nothing.

    One that wants what others have is not given a turn before it can be taken.
    """

    __slots__ = ("key", "thread", "wait", "wake", "want")

    def __init__(self, key: _KEY, thread: int, want: Want | None = None) -> None:
        self.key, self.thread, self.want = key, thread, want
        news: Any = PlainQueue()
        self.wait, self.wake = news.get, functools.partial(news.put, None)

    @property
    def ready(self) -> bool:
        return self.want is None or self.want.ready()

    def hear(self, seconds: float | None) -> None:
        """Wait until it is woken, for so many real seconds, None for ever."""
        with suppress(queue.Empty):
            self.wait(seconds != 0, seconds or None)


class Course(Protocol):
    """What turns need of the gate of a process."""

    wait: Wait
    holding: Holding

    @property
    def active(self) -> bool:
        """Whether the agent is at work."""
        ...

    def settled(self) -> None:
        """Return when no other thread of this process computes."""
        ...

    def number(self) -> int:
        """Return the number of the current thread; those started earlier have lower ones."""
        ...

    def poll(self) -> None:
        """Count a wait that ended without what it was for."""
        ...


class Turns:
    """Who may cross now, and who goes next."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._changing = Brief()
        self._candidates: dict[int, _Candidate] = {}
        self._chooser: _Candidate | None = None
        self._holder: int | None = None
        self._depth = self._given = 0

    @contextmanager
    def mine(self, *place: str) -> Iterator[None]:
        """Have the turn, to cross at `place`; without one, ahead of all others, only to let them come to rest."""
        own = threading.get_ident()
        if within():  # in the middle of what others wait for, who would have to end first
            yield
            return
        self._take(own, place)
        try:
            yield
        finally:
            self._give_back()

    def obtain(self, want: Want, timeout_s: float | None) -> bool:
        """Wait until what is wanted is taken, and go on when all others rest; returns False when the time is up."""
        own = threading.get_ident()
        known = self._holder == own or own in self._candidates  # a handler, or what an effect itself calls
        if within() or known or not self._course.active:
            return self._wait_plainly(want, timeout_s)
        # ahead of effects: who is in flight together is known when each has come to its own
        me = _Candidate((False, self._given, (), self._course.number()), own, want)
        try:
            with self._changing:
                self._candidates[own] = me
                self._name_a_chooser()
            if timeout_s is None:
                while not self._obtained(me, None):
                    pass
                obtained = True
            else:
                obtained = self._course.wait(timeout_s, functools.partial(self._obtained, me))
                while not obtained and not want.signal and self._course.holding.give_up():
                    obtained = self._course.wait(timeout_s, functools.partial(self._obtained, me))
        finally:
            self._withdraw(own)
        if not obtained:
            self._course.poll()
        return obtained

    def _wait_plainly(self, want: Want, timeout_s: float | None) -> bool:
        if timeout_s is None:
            return want.wait(-1)
        if self._course.wait(timeout_s, lambda seconds: want.wait(seconds) if seconds else want.take()):
            return True
        self._course.poll()
        return False

    def _obtained(self, me: _Candidate, seconds: float | None) -> bool:
        """Wait for news, so many seconds, and see whether they are that the thread has its turn and what it wants."""
        if self._holder != me.thread:
            if self._chooser is me:
                self._choose(me)
            else:
                me.hear(seconds)
        if self._holder != me.thread:
            return False
        assert me.want is not None
        if me.want.take():
            return True  # the turn is given back when the wait is over
        with self._changing:
            self._holder = None  # somebody was faster, who takes no turns
            self._name_a_chooser()
        return False

    def changed(self) -> None:
        """Look whether what a thread waits for is there now."""
        if self._candidates:
            with self._changing:
                self._name_a_chooser()

    def wants(self, thread: int | None) -> Want | None:
        """Return what a thread waits for; None where it waits for its turn, or for nothing that is known."""
        candidate = self._candidates.get(thread or 0)
        return None if candidate is None else candidate.want

    def _take(self, own: int, place: tuple[str, ...]) -> None:
        mine = self._candidates.get(own)
        if self._holder == own:
            self._depth += 1
        elif mine is not None and mine.want is None:
            try:
                self._await(mine)
                self._depth += 1
            finally:
                mine.wake()  # once for this handler, and once for whom it waited
        else:
            try:
                if not self._take_alone(own):
                    self._take_among(_Candidate((bool(place), self._given, place, self._course.number()), own), mine)
            except BaseException:  # a Ctrl-C
                self._withdraw(own)
                for candidate in list(self._candidates.values()):
                    candidate.wake()  # its news may have been for another one
                raise

    def _take_alone(self, own: int) -> bool:
        with self._changing:
            alone = self._holder is None and not self._candidates and threading.active_count() < 2
            if alone:
                self._holder, self._depth = own, 1
            return alone

    def _take_among(self, me: _Candidate, interrupted: _Candidate | None) -> None:
        """Wait for a turn; `interrupted` is the wait for a lock in the middle of which a handler came."""
        with self._changing:
            if interrupted is not None and self._chooser is interrupted:
                self._chooser = None
            self._candidates[me.thread] = me
            self._name_a_chooser()
        self._await(me)
        with self._changing:
            del self._candidates[me.thread]
            if interrupted is not None:
                self._candidates[me.thread] = interrupted

    def _await(self, me: _Candidate) -> None:
        while self._holder != me.thread:
            if self._chooser is me:
                self._choose(me)
            else:
                me.wait()

    def _choose(self, me: _Candidate) -> None:
        self._course.settled()
        with self._changing:
            if self._chooser is me:  # no handler has chosen meanwhile
                self._chooser = None
                ready = [candidate for candidate in self._candidates.values() if candidate.ready]
                if ready:
                    chosen = min(ready, key=lambda candidate: candidate.key)
                    self._holder, self._depth = chosen.thread, 1
                    self._given += chosen.want is None  # whoever was woken together comes together to its effect
                    chosen.wake()

    def _give_back(self) -> None:
        with self._changing:
            self._depth -= 1
            if not self._depth:
                self._holder = None
                self._name_a_chooser()

    def _withdraw(self, own: int) -> None:
        with self._changing:
            mine = self._candidates.pop(own, None)
            if mine is not None and self._chooser is mine:
                self._chooser = None
            if self._holder == own:
                self._holder = None
            self._name_a_chooser()

    def _name_a_chooser(self) -> None:
        if self._candidates and self._chooser is None and self._holder is None:
            self._chooser = next((candidate for candidate in self._candidates.values() if candidate.ready), None)
            if self._chooser is not None:
                self._chooser.wake()


def install(turns: Turns, active: Callable[[], bool], begins: Callable[[threading.Thread], object]) -> None:
    """Let who starts a thread, or hands work to one, go on when it has come to rest. For a child process.

    Args:
        turns: of the gate.
        active: says whether the agent is at work.
        begins: is told of each thread that begins.
    """
    handing = threading.local()

    def settled(plain: Callable[..., Any], to_another: Callable[..., bool] = lambda *args: True) -> Callable[..., Any]:
        @functools.wraps(plain)
        def hand_over(*args: Any, **kwargs: Any) -> Any:
            nested, handing.over = getattr(handing, "over", False), True
            try:
                result = plain(*args, **kwargs)
            finally:
                handing.over = nested
            if not nested and active() and to_another(*args):
                with turns.mine():
                    pass
            return result

        return hand_over

    def numbered(plain: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
        @functools.wraps(plain)
        def start(self: threading.Thread) -> None:
            begins(self)
            plain(self)

        return start

    def of_another(loop: Any, *args: Any) -> bool:
        return loop._thread_id not in (None, threading.get_ident())

    threading.Thread.start = settled(numbered(threading.Thread.start))  # type: ignore[method-assign]
    ThreadPoolExecutor.submit = settled(ThreadPoolExecutor.submit)  # type: ignore[method-assign]
    queue.Queue.put = settled(queue.Queue.put)  # type: ignore[method-assign]
    loops: Any = asyncio.BaseEventLoop
    loops.call_soon_threadsafe = settled(loops.call_soon_threadsafe, of_another)
