"""Threads take turns at the gate, in an order that does not depend on how fast each of them is.

A turn is given when every other thread has come to rest: where it waits for its turn, for a moment, or for somebody
else. Of those that wait for a turn, who came before the fewest turns had been given goes first, then by the place
and by the thread's number. Who starts a thread or hands work to one goes on when that one has come to rest.
"""

import functools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any


class _Candidate:
    """A thread that waits for its turn; `woken` is released when it is given, or when this one is to give it."""

    __slots__ = ("key", "thread", "woken")

    def __init__(self, key: tuple[bool, int, tuple[str, ...], int], thread: int) -> None:
        self.key, self.thread, self.woken = key, thread, threading.Lock()
        self.woken.acquire()


class Turns:
    """Who may cross now, and who goes next.

    Args:
        settle: returns when no other thread of this process computes.
        number: returns the number of the current thread; those started earlier have lower ones.
    """

    def __init__(self, settle: Callable[[], None], number: Callable[[], int]) -> None:
        self._settle, self._number = settle, number
        self._lock = threading.Lock()
        self._candidates: list[_Candidate] = []
        self._chooser: _Candidate | None = None
        self._holder: int | None = None
        self._depth = self._given = 0

    @contextmanager
    def mine(self, *place: str) -> Iterator[None]:
        """Have the turn, to cross at `place`; without a place, only to let the others come to rest first."""
        self._take(place)
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                with self._lock:
                    self._holder = None
                    self._name_a_chooser()

    def _take(self, place: tuple[str, ...]) -> None:
        own = threading.get_ident()
        if self._holder == own:
            self._depth += 1
            return
        number = self._number()
        with self._lock:
            if self._holder is None and not self._candidates and threading.active_count() < 2:
                self._holder, self._depth = own, 1
                return
            me = _Candidate((bool(place), self._given, place, number), own)
            self._candidates.append(me)
            self._name_a_chooser()
        try:
            while True:
                me.woken.acquire()
                if self._holder == own:
                    return
                self._choose()
        except BaseException:  # a Ctrl-C
            self._withdraw(me)
            raise

    def _choose(self) -> None:
        self._settle()
        with self._lock:
            chosen = min(self._candidates, key=lambda candidate: candidate.key)
            self._candidates.remove(chosen)
            self._chooser = None
            self._holder, self._depth, self._given = chosen.thread, 1, self._given + 1
        chosen.woken.release()

    def _name_a_chooser(self) -> None:
        if self._candidates and self._chooser is None and self._holder is None:
            self._chooser = self._candidates[0]
            self._chooser.woken.release()

    def _withdraw(self, me: _Candidate) -> None:
        with self._lock:
            if me in self._candidates:
                self._candidates.remove(me)
            if self._chooser is me:
                self._chooser = None
            if self._holder == me.thread:
                self._holder = None
            self._name_a_chooser()


def install(turns: Turns, active: Callable[[], bool], begins: Callable[[threading.Thread], object]) -> None:
    """Let who starts a thread, or hands work to one, go on when it has come to rest. For a child process.

    Args:
        turns: of the gate.
        active: says whether the agent is at work.
        begins: is told of each thread that begins.
    """

    def settled(plain: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(plain)
        def begin(self: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(self, threading.Thread):
                begins(self)
            begun = plain(self, *args, **kwargs)
            if active():
                with turns.mine():
                    pass
            return begun

        return begin

    for kind, name in ((threading.Thread, "start"), (ThreadPoolExecutor, "submit")):
        setattr(kind, name, settled(getattr(kind, name)))
