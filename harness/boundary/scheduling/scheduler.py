"""The cooperative scheduler: threads pass the gate one at a time, in an order that does not depend on their speed.

The token is given when every other thread is at rest: it waits for the token, for a time, or for another thread. Of the
threads that wait for it, the one that came when it had been given the fewest times goes first; where several did, their
place decides, then their number. A thread that starts another one, or hands work to it, goes on when that one has come
to rest. A thread that waited for a lock, or for a signal of another thread, needs the token to go on, too (`locks`): so
one thread runs at a time.

A signal handler, or a finalizer, may have effects while its own thread waits here: it then waits in place of its
thread. A handler that waits for another thread to have effects waits for ever there.
"""

import asyncio
import functools
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from ..adapters import python_threads
from ..adapters.python_asyncio import running_loop
from ..adapters.python_threads import PlainQueue
from .critical_section import CriticalSection, in_critical_section
from .locks import Want
from .preemption import Preemptions, Wait

# Whether it is at a point, how often the token had been given when it came, the point, the number of the thread.
_Key = tuple[bool, int, tuple[str, ...], int]


class Waiter:
    """A waiting thread. Woken when it gets the token, when it must pick the next holder, or spuriously.

    Where it waits for a lock or a signal, its `want`, it gets no token before that can be taken.
    """

    __slots__ = ("key", "thread", "wait", "wake", "want")

    def __init__(self, key: _Key, thread: int, want: Want | None = None) -> None:
        self.key, self.thread, self.want = key, thread, want
        # Python's own queue: one of ours would wake its reader by this scheduler.
        news: Any = PlainQueue()
        self.wait, self.wake = news.get, functools.partial(news.put, None)

    @property
    def ready(self) -> bool:
        """Return whether the thread could go on if it got the token now."""
        return self.want is None or self.want.ready()

    def hear(self, seconds: float | None) -> None:
        """Wait until the thread is woken, or for so many real seconds, None for ever."""
        with suppress(queue.Empty):
            self.wait(seconds != 0, seconds or None)  # for 0 seconds a look, without waiting


class SchedulerHost(Protocol):
    """The part of the gate that the scheduler calls."""

    wait: Wait
    preemptions: Preemptions

    @property
    def active(self) -> bool:
        """Return whether the agent is at work."""
        ...

    def settled(self) -> None:
        """Return when no other thread of this process computes."""
        ...

    def number(self) -> int:
        """Return the number of the current thread; those started earlier have lower ones."""
        ...

    def poll(self) -> None:
        """Count a wait that timed out."""
        ...


class Scheduler:
    """Gives one token to one thread at a time, in an order that does not depend on the threads' speed."""

    def __init__(self, host: SchedulerHost) -> None:
        self._host = host
        self._changing = CriticalSection()
        self._waiters: dict[int, Waiter] = {}
        self._chooser: Waiter | None = None
        self._holder: int | None = None
        self._depth = self._given = 0

    @contextmanager
    def token(self, *place: str) -> Iterator[None]:
        """Hold the token for the block.

        `place` is the point to be passed, and decides among threads that came together.

        Without a place, only let the other threads come to rest, and go on ahead of all that wait to cross.
        """
        own = threading.get_ident()
        if in_critical_section():  # in the middle of what others wait for, who would have to end first
            yield
            return
        self._take(own, place)
        try:
            yield
        finally:
            with self._changing:
                self._depth -= 1
                if not self._depth:
                    self._holder = None
                    self._name_a_chooser()

    def obtain(self, want: Want, timeout_s: float | None) -> bool:
        """Wait until `want` is taken, and go on with the token.

        Returns False when `timeout_s` virtual seconds are over.
        """
        own = threading.get_ident()
        known = self._holder == own or own in self._waiters  # a handler, or what an effect itself calls
        # A signal handler or finalizer within our own steps must not wait for the token: its holder may wait for us.
        if in_critical_section() or known or not self._host.active:
            return _wait_plainly(self._host, want, timeout_s)
        # ahead of effects: which of them are in flight together is known when each thread has come to its own
        me = Waiter((False, self._given, (), self._host.number()), own, want)
        try:
            with self._changing:
                self._waiters[own] = me
                self._name_a_chooser()
            obtained = self._await_want(me, want, timeout_s)
        finally:
            self._withdraw(own)
        if not obtained:
            self._host.poll()
        return obtained

    def _await_want(self, me: Waiter, want: Want, timeout_s: float | None) -> bool:
        if timeout_s is None:
            while not self._obtained(me, None):
                pass
            return True
        wait = functools.partial(self._host.wait, timeout_s, functools.partial(self._obtained, me))
        # A lock may be held by a preempted actor, which is let go then. Nobody holds a signal.
        return wait() if want.signal else self._host.preemptions.anew(wait)

    def _obtained(self, me: Waiter, seconds: float | None) -> bool:
        """Wait up to `seconds` to be woken.

        Returns whether the thread then has the token and has taken what it wants.
        """
        if self._holder != me.thread:
            if self._chooser is me:
                self._choose(me)
            else:
                me.hear(seconds)
        if self._holder != me.thread:
            return False
        assert me.want is not None
        if me.want.take():
            return True  # the token is given back when the wait is over
        with self._changing:
            # Native code may take a plain lock between the look and this; give the token to somebody else.
            self._holder = None
            self._name_a_chooser()
        return False

    def changed(self) -> None:
        """Wake one waiter to pick the next holder, if any lock that is waited for is free now."""
        if self._waiters:
            with self._changing:
                self._name_a_chooser()

    def wants(self, thread: int | None) -> Want | None:
        """Return the lock, signal or item that a thread waits for.

        None for one that waits for the token, or does not wait here.
        """
        waiter = self._waiters.get(thread or 0)
        return None if waiter is None else waiter.want

    def others(self) -> bool:
        """Return whether any other thread of the process is not waiting in the scheduler.

        Counted are those, too, that `threading` did not start.
        """
        threads = 1 + python_threads.started()
        return threads > len({*self._waiters, threading.get_ident()})

    def _take(self, own: int, place: tuple[str, ...]) -> None:
        mine = self._waiters.get(own)
        if self._holder == own:
            self._depth += 1
        # A signal handler, or a finalizer, within its own thread's wait: it waits in place of that.
        elif mine is not None and mine.want is None:
            try:
                self._await(mine)
                self._depth += 1
            finally:
                mine.wake()  # once for this handler, and once for whom it waited
        else:
            try:
                if not self._take_alone(own):
                    self._take_among(Waiter((bool(place), self._given, place, self._host.number()), own), mine)
            except BaseException:  # a Ctrl-C
                self._withdraw(own)
                for waiter in list(self._waiters.values()):
                    # The interrupted thread may have been woken to choose: wake all, or nobody would.
                    waiter.wake()  # its news may have been for another one
                raise

    def _take_alone(self, own: int) -> bool:
        with self._changing:
            # Most processes have one thread: no lock, no look at /proc for these.
            alone = self._holder is None and not self._waiters and threading.active_count() < 2
            if alone:
                self._holder, self._depth = own, 1
            return alone

    def _take_among(self, me: Waiter, interrupted: Waiter | None) -> None:
        """Wait for the token.

        `interrupted` is this thread's own wait for a lock, if a signal handler runs within it.
        """
        with self._changing:
            if interrupted is not None and self._chooser is interrupted:
                self._chooser = None
            self._waiters[me.thread] = me
            self._name_a_chooser()
        self._await(me)
        with self._changing:
            del self._waiters[me.thread]
            if interrupted is not None:
                self._waiters[me.thread] = interrupted

    def _await(self, me: Waiter) -> None:
        while self._holder != me.thread:
            if self._chooser is me:
                self._choose(me)
            else:
                me.wait()

    def _choose(self, me: Waiter) -> None:
        # Choose only when every other thread rests: who waits then does not depend on how fast each of them was.
        self._host.settled()
        with self._changing:
            if self._chooser is me:  # no handler has chosen meanwhile
                self._chooser = None
                ready = [waiter for waiter in self._waiters.values() if waiter.ready]
                if ready:
                    # By the number of tokens given when it came, then by place, then by number: never by the order of
                    # arrival.
                    chosen = min(ready, key=lambda waiter: waiter.key)
                    self._holder, self._depth = chosen.thread, 1
                    self._given += chosen.want is None  # threads that were woken together come together to an effect
                    chosen.wake()

    def _withdraw(self, own: int) -> None:
        with self._changing:
            mine = self._waiters.pop(own, None)
            if mine is not None and self._chooser is mine:
                self._chooser = None
            if self._holder == own:
                self._holder = None
            self._name_a_chooser()

    def _name_a_chooser(self) -> None:
        if self._waiters and self._chooser is None and self._holder is None:
            # One of those that wait chooses: whoever gives the token back goes on with the agent's work at once.
            self._chooser = next((waiter for waiter in self._waiters.values() if waiter.ready), None)
            if self._chooser is not None:
                self._chooser.wake()


def _wait_plainly(host: SchedulerHost, want: Want, timeout_s: float | None) -> bool:
    """Wait until `want` is taken, without the token; returns False when `timeout_s` virtual seconds are over."""
    if timeout_s is None:
        return want.wait(-1)
    if host.wait(timeout_s, lambda seconds: want.wait(seconds) if seconds else want.take()):
        return True
    host.poll()
    return False


def install(scheduler: Scheduler, active: Callable[[], bool], begins: Callable[[threading.Thread], object]) -> None:
    """Make a thread that starts another one, or hands work to it, wait until that one rests.

    For a child process: there is no way back.

    Args:
        scheduler: of the gate.
        active: says whether the agent is at work.
        begins: is told of each thread that begins.
    """
    handing = threading.local()

    def settled(plain: Callable[..., Any], to_another: Callable[..., bool] = lambda *args: True) -> Callable[..., Any]:
        @functools.wraps(plain)
        def hand_over(*args: Any, **kwargs: Any) -> Any:
            # `submit` starts a thread: together they hand over once.
            nested, handing.over = getattr(handing, "over", False), True
            try:
                result = plain(*args, **kwargs)
            finally:
                handing.over = nested
            # Whoever has the token knows that all others have come to rest, the one that got the work among them.
            if not nested and active() and to_another(*args):
                with scheduler.token():
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
        return loop.is_running() and running_loop() is not loop

    # Else the machine would decide which of both comes to its next point first, and a repetition could differ.
    threading.Thread.start = settled(numbered(threading.Thread.start))  # type: ignore[method-assign]
    ThreadPoolExecutor.submit = settled(ThreadPoolExecutor.submit)  # type: ignore[method-assign]
    queue.Queue.put = settled(queue.Queue.put)  # type: ignore[method-assign]
    loops: Any = asyncio.BaseEventLoop
    loops.call_soon_threadsafe = settled(loops.call_soon_threadsafe, of_another)
