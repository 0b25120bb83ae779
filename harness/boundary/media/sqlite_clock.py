"""The virtual clock inside SQL: ``CURRENT_TIMESTAMP``, ``datetime('now')`` and their kin."""

import functools
import sqlite3
import threading
from datetime import UTC, datetime
from typing import Any

from ..scheduling.clock import Clock

_TIME_FUNCTIONS = ("date", "time", "datetime", "julianday", "unixepoch")
_KEYWORDS = (("current_timestamp", "datetime"), ("current_date", "date"), ("current_time", "time"))
_Connection, _Cursor, _connect = sqlite3.Connection, sqlite3.Cursor, sqlite3.connect
_helper_lock = threading.Lock()


@functools.cache
def _helper() -> sqlite3.Connection:
    """Return a connection in memory that computes what SQLite's own time functions would."""
    return _connect(":memory:", check_same_thread=False)


def install(connection: sqlite3.Connection, clock: Clock) -> None:
    """Move the clock inside SQL, and spare the disk: a killed process loses nothing that was written."""
    if not connection.in_transaction:  # as ``autocommit=False`` is at once: SQLite refuses this there
        _Connection.cursor(connection, _Cursor).execute("PRAGMA synchronous=OFF")

    def evaluated(function: str, leading: tuple[Any, ...], arguments: tuple[Any, ...]) -> Any:
        now = datetime.fromtimestamp(clock.now(), UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        if not arguments or (isinstance(arguments[0], str) and arguments[0].lower() == "now"):
            arguments = (now, *arguments[1:])
        values = (*leading, *arguments)
        with _helper_lock:
            return _helper().execute(f"SELECT {function}({','.join('?' * len(values))})", values).fetchone()[0]

    for name in _TIME_FUNCTIONS:
        connection.create_function(name, -1, lambda *a, f=name: evaluated(f, (), a), deterministic=True)
    connection.create_function("strftime", -1, lambda f, *a: evaluated("strftime", (f,), a), deterministic=True)
    for name, function in _KEYWORDS:
        connection.create_function(name, 0, lambda f=function: evaluated(f, (), ()), deterministic=True)
