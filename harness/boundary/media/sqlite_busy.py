"""SQLite's busy handler: a wait for a lock passes in virtual time, and the scheduler says who gets it.

SQLite waits as its busy handler says. Its own one sleeps in real time, so that the machine decides which thread gets a
lock next. Ours has the same delays in virtual time: it comes back when nothing else in the process can happen first.
Python does not offer the handler, so SQLite itself is asked, through ctypes.
"""

import re
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

from ..adapters import python_sqlite
from ..gate import Gate
from ..scheduling.clock import Clock, nothing_happens

_DELAYS_MS = (1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100)
"""Of SQLite's own handler; the last one again and again."""
_TIMEOUT = re.compile(
    r"\s*pragma\s+(?:\w+\.)?busy_timeout\s*(?P<set>[=(]\s*['\"]?(?P<ms>[+-]?\d+).*)?;?\s*$",
    re.IGNORECASE | re.DOTALL,
)


class Raising(threading.local):
    """Raises an exception that came within the busy handler (a Ctrl-C), after SQLite has reported a timeout."""

    problem: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is not None and issubclass(kind, sqlite3.OperationalError) and self.problem is not None:
            problem, self.problem = self.problem, None
            try:
                raise problem from None
            finally:
                # This frame is in its traceback: with it, and the cursors of all its frames, it would be a cycle, which
                # the collector may free in a thread that then waits in C for the connection that this one waits with.
                del problem


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
        self._callback = python_sqlite.HANDLER(self._busy)

    def install(self, connection: sqlite3.Connection, timeout_ms: int) -> None:
        """Make `connection` wait for a lock up to `timeout_ms` of virtual time, 0 not at all."""
        if python_sqlite.set_busy_handler(connection, self._callback):
            self._timeouts_ms[id(connection)] = timeout_ms
        else:
            self._gate.left_to_the_machine("locks of SQLite")

    def forget(self, connection: sqlite3.Connection) -> None:
        """Forget the timeout kept for this id: an earlier connection may have had it."""
        self._timeouts_ms.pop(id(connection), None)

    def carry_out(self, connection: sqlite3.Connection, sql: object, plain: Callable[[object], Any]) -> Any:
        """Carry a statement out by `plain`; one that sets or asks for the busy timeout sets or gets this handler's."""
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
            return self._gate.preemptions.anew(lambda: self._waited(known, count))
        except BaseException as problem:
            # No exception passes SQLite's C code: it is raised again when SQLite has reported a timeout.
            self.raising.problem = problem
            return 0

    def _waited(self, known: int, count: int) -> bool:
        """Wait before try `count`; returns False where the time is up, which then begins anew."""
        delay_ms = self._delay_ms(known, count)
        if delay_ms <= 0:
            self._begun[known] = count
            return False
        with self._gate.blocking_effects.blocked():
            self._clock.wait(delay_ms / 1000, nothing_happens)
        return True

    def _delay_ms(self, known: int, count: int) -> int:
        """Return the milliseconds to wait before try `count`, from 0; 0 or less if the time is up."""
        if count == 0:
            self._begun[known] = 0
        count -= self._begun[known]
        last = len(_DELAYS_MS) - 1
        waited = sum(_DELAYS_MS[:count]) + max(0, count - last - 1) * _DELAYS_MS[last]
        return min(_DELAYS_MS[min(count, last)], self._timeouts_ms.get(known, 0) - waited)
