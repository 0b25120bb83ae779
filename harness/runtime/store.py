"""One SQLite database for everything that must outlive the process.

The journal, the checkpoints and the leases share one file, so that one transaction can move all three together: a step
is entered, its checkpoint saved and its lease checked, or none of it happened.

States of the file: missing or empty (nothing was ever run) → complete. The tables are made inside the first transaction
that writes, so a process killed at any moment leaves one of the two, and reading never creates anything.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

VERSION = 1
"""What `PRAGMA user_version` says in a database of this layout."""

TABLES = (
    """CREATE TABLE journal (
        seq INTEGER PRIMARY KEY, run TEXT NOT NULL, event TEXT NOT NULL, detail TEXT NOT NULL, hash TEXT NOT NULL
    )""",
    """CREATE TABLE checkpoints (
        run TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL, sha256 TEXT NOT NULL,
        PRIMARY KEY (run, version)
    )""",
    """CREATE TABLE leases (
        name TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL, expires_at REAL NOT NULL
    )""",
)


class StoreError(Exception):
    """The database cannot be used as it is, or was used in a way that could lose something."""


class Store:
    """The database of one agent, opened when it is first needed and closed at the end of the `with` block."""

    def __init__(self, path: Path, *, busy_s: float = 5.0) -> None:
        """Name the file, whose folder exists; wait `busy_s` seconds for another process that is writing."""
        self.path = path
        self._busy_s = busy_s
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        """Open nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection, which discards a transaction that is still open."""
        self.close()

    def close(self) -> None:
        """Let go of the file; closing twice is closing once."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do everything in the block, or nothing of it.

        `BEGIN IMMEDIATE` takes the write lock before the first read: what the block reads still holds when it commits.
        After an error the connection is closed instead of rolled back, since a rollback can fail too, and later reads
        would then believe what was never committed.

        Raises:
            sqlite3.Error: From any statement. After one from the commit itself, read again before believing either end.
        """
        connection = self._connect()
        try:
            connection.execute("BEGIN IMMEDIATE")
            if self._version(connection) == 0:
                self._make_tables(connection)
            yield
            connection.execute("COMMIT")
        except BaseException:
            self.close()
            raise

    def write(self, statement: str, *values: Any) -> int:
        """Change rows inside the open transaction, and say how many it changed.

        Raises:
            StoreError: There is no open transaction.
        """
        if self._connection is None or not self._connection.in_transaction:
            raise StoreError(f"{statement.split()[0]} outside a transaction; wrap it in `with store.transaction():`")
        return self._connection.execute(statement, values).rowcount

    def read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read rows; there are none in a database that was never written."""
        if self._connection is None and not self.path.exists():
            return []
        connection = self._connect()
        return connection.execute(query, values).fetchall() if self._version(connection) else []

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self.path, timeout=self._busy_s, isolation_level=None)
        return self._connection

    def _version(self, connection: sqlite3.Connection) -> int:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > VERSION:
            raise StoreError(f"{self.path} has layout {version}, this release knows up to {VERSION}; use a newer one")
        return version

    def _make_tables(self, connection: sqlite3.Connection) -> None:
        for table in TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA user_version = {VERSION}")
