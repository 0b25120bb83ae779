"""Waiting for a lock of SQLite's: in virtual time, and in the order of turns.

SQLite waits as its busy handler says. Its own one sleeps in real time, so that who gets a lock next is the machine's
affair. Ours has the same delays in virtual time: it comes back when nothing else in the process can happen first.
Python does not offer the handler, so SQLite itself is asked, through ctypes.
"""

import _sqlite3
import ctypes
import functools
import re
import sqlite3
import sys
import threading
from collections.abc import Callable
from typing import Any

from .clock import Clock, nothing_happens
from .gate import Gate

_DELAYS_MS = (1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100)
"""Of SQLite's own handler; the last one again and again."""
_TESTED = sys.implementation.name == "cpython" and (3, 11) <= sys.version_info[:2] <= (3, 14)
_TIMEOUT = re.compile(
    r"\s*pragma\s+(?:\w+\.)?busy_timeout\s*(?P<set>[=(]\s*['\"]?(?P<ms>[+-]?\d+).*)?;?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_HANDLER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


@functools.cache
def _busy_handler() -> Any:
    """Return SQLite's function that sets the handler; None where it is not to be had."""
    try:
        function = ctypes.CDLL(getattr(_sqlite3, "__file__", None)).sqlite3_busy_handler
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_void_p, _HANDLER, ctypes.c_void_p)
    return function if _TESTED else None


class Raising(threading.local):
    """Raises what came in the middle of a wait, such as a Ctrl-C: SQLite hears of it as of a time that is up."""

    problem: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is not None and issubclass(kind, sqlite3.OperationalError) and self.problem is not None:
            problem, self.problem = self.problem, None
            raise problem from None


class BusyHandler:
    """The busy handler of all connections in scope.

    Attributes:
        raising: to be entered around whatever can wait for a lock.
    """

    def __init__(self, gate: Gate, clock: Clock) -> None:
        self._gate, self._clock = gate, clock
        self._timeouts_ms: dict[int, int] = {}
        self._begun: dict[int, int] = {}  # at which try the wait of a connection began
        self.raising = Raising()
        self._callback = _HANDLER(self._busy)

    def install(self, connection: sqlite3.Connection, timeout_ms: int) -> None:
        """Let `connection` wait so long, 0 not at all, in virtual time."""
        set_handler, known = _busy_handler(), id(connection)
        if set_handler is None:
            self._gate.left_to_the_machine("locks of SQLite")
            return
        self._timeouts_ms[known] = timeout_ms
        # the first field of Python's object is SQLite's own one
        database = ctypes.c_void_p.from_address(known + object.__basicsize__)
        set_handler(database, self._callback, known)

    def forget(self, connection: sqlite3.Connection) -> None:
        """Know nothing of a connection that is new: an earlier one may have had its id."""
        self._timeouts_ms.pop(id(connection), None)

    def carry_out(self, connection: sqlite3.Connection, sql: object, plain: Callable[[object], Any]) -> Any:
        """Carry a statement out by `plain`. One that sets the timeout sets ours; one that asks for it is told ours."""
        match = _TIMEOUT.match(sql) if isinstance(sql, str) else None
        known = self._timeouts_ms.get(id(connection))
        if match is None or known is None:
            return plain(sql)
        if not match["set"]:
            return plain(f"SELECT {known} AS timeout")
        done = plain(sql)
        self.install(connection, max(0, int(match["ms"])))  # SQLite has put its own handler back
        return done

    def _busy(self, known: int, count: int) -> int:
        """Wait before SQLite tries for the lock once more; returns 0 where it is not to."""
        try:
            return self._gate.holding.anew(lambda: self._waited(known, count))
        except BaseException as problem:
            self.raising.problem = problem
            return 0

    def _waited(self, known: int, count: int) -> bool:
        """Wait before try `count`; returns False where the time is up, which then begins anew."""
        delay_ms = self._delay_ms(known, count)
        if delay_ms <= 0:
            self._begun[known] = count
            return False
        with self._gate.flying.blocked():
            self._clock.wait(delay_ms / 1000, nothing_happens)
        return True

    def _delay_ms(self, known: int, count: int) -> int:
        """Return how long to wait before try `count`, from 0; 0 or less where the time is up."""
        if count == 0:
            self._begun[known] = 0
        count -= self._begun[known]
        last = len(_DELAYS_MS) - 1
        waited = sum(_DELAYS_MS[:count]) + max(0, count - last - 1) * _DELAYS_MS[last]
        return min(_DELAYS_MS[min(count, last)], self._timeouts_ms.get(known, 0) - waited)
