"""Threads take turns at the gate, in an order that does not depend on how fast each of them is.

A turn is given when every other thread has come to rest: where it waits for its turn, for a moment, or for somebody
else. Of those that wait for a turn, who came before the fewest turns had been given goes first, then by the place
and by the thread's number. Who starts a thread, or hands work to one, goes on when that one has come to rest.

A signal handler, or a finalizer, may have effects while its own thread waits here: it then waits in that one's stead.
One that waits for another thread to have effects waits for ever there.
"""

import functools
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from .brief import Brief, within


class _Candidate:
    """A thread that waits for its turn; it is woken when it has it, when it is to give it, or for nothing."""

    __slots__ = ("key", "thread", "wait", "wake")

    def __init__(self, key: tuple[bool, int, tuple[str, ...], int], thread: int) -> None:
        self.key, self.thread = key, thread
        news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.wait, self.wake = news.get, functools.partial(news.put, None)


class Turns:
    """Who may cross now, and who goes next.

    Args:
        settle: returns when no other thread of this process computes.
        number: returns the number of the current thread; those started earlier have lower ones.
    """

    def __init__(self, settle: Callable[[], None], number: Callable[[], int]) -> None:
        self._settle, self._number = settle, number
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

    def _take(self, own: int, place: tuple[str, ...]) -> None:
        if self._holder == own:
            self._depth += 1
        elif (mine := self._candidates.get(own)) is not None:
            try:
                self._await(mine)
                self._depth += 1
            finally:
                mine.wake()  # once for this handler, and once for whom it waited
        else:
            try:
                if not self._take_alone(own):
                    self._take_among(_Candidate((bool(place), self._given, place, self._number()), own))
            except BaseException:  # a Ctrl-C
                self._withdraw(own)
                raise

    def _take_alone(self, own: int) -> bool:
        with self._changing:
            alone = self._holder is None and not self._candidates and threading.active_count() < 2
            if alone:
                self._holder, self._depth = own, 1
            return alone

    def _take_among(self, me: _Candidate) -> None:
        with self._changing:
            self._candidates[me.thread] = me
            self._name_a_chooser()
        self._await(me)
        del self._candidates[me.thread]

    def _await(self, me: _Candidate) -> None:
        while self._holder != me.thread:
            if self._chooser is me:
                self._choose(me)
            else:
                me.wait()

    def _choose(self, me: _Candidate) -> None:
        self._settle()
        with self._changing:
            if self._chooser is me:  # no handler has chosen meanwhile
                chosen = min(self._candidates.values(), key=lambda candidate: candidate.key)
                self._chooser, self._holder, self._depth = None, chosen.thread, 1
                self._given += 1
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
            for candidate in list(self._candidates.values()):
                candidate.wake()

    def _name_a_chooser(self) -> None:
        if self._candidates and self._chooser is None and self._holder is None:
            self._chooser = next(iter(self._candidates.values()))
            self._chooser.wake()


def install(turns: Turns, active: Callable[[], bool], begins: Callable[[threading.Thread], object]) -> None:
    """Let who starts a thread, or hands work to one, go on when it has come to rest. For a child process.

    Args:
        turns: of the gate.
        active: says whether the agent is at work.
        begins: is told of each thread that begins.
    """
    handing = threading.local()

    def settled(plain: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(plain)
        def hand_over(*args: Any, **kwargs: Any) -> Any:
            nested, handing.over = getattr(handing, "over", False), True
            try:
                result = plain(*args, **kwargs)
            finally:
                handing.over = nested
            if not nested and active():
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

    threading.Thread.start = settled(numbered(threading.Thread.start))  # type: ignore[method-assign]
    ThreadPoolExecutor.submit = settled(ThreadPoolExecutor.submit)  # type: ignore[method-assign]
    queue.Queue.put = settled(queue.Queue.put)  # type: ignore[method-assign]
