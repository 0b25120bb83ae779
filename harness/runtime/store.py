"""One SQLite database for everything that must outlive the process.

Any number of processes may share the file, each with a `Store` of its own: transactions take turns, and a reader sees
what is committed. A `Store` belongs to one thread.

    from rollproof.runtime import Store

    with Store("agent.db") as store:
        with store.transaction():           # all of it, or nothing; it waits for other writers
            store.write("CREATE TABLE IF NOT EXISTS prices (name TEXT PRIMARY KEY, cents INTEGER)")
            store.write("INSERT INTO prices VALUES (?, ?)", "panel", 1200)
        assert store.read("SELECT cents FROM prices") == [(1200,)]

The parts share one file, so that one transaction can move several together: a step is entered, its checkpoint saved and
its lease checked, or none of it happened. An application's own tables may live in the same file, and then take part.

States of the file: missing or empty (nothing was ever run) → of layout `VERSION`, with the tables that were written so
far. A table is made inside the first transaction that writes to it, so a process killed at any moment leaves it whole
or not at all, and reading never creates anything.

The parts ask for no more than `Storage`; another database behind it changes no part.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from .files import AnyPath

VERSION = 3
"""The `PRAGMA user_version` of a database of this layout."""

TABLES = {
    "journal": "seq INTEGER PRIMARY KEY, run TEXT NOT NULL, event TEXT NOT NULL, detail TEXT NOT NULL, "
    "at TEXT NOT NULL, hash TEXT NOT NULL",
    "checkpoints": "run TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL, sha256 TEXT NOT NULL, "
    "PRIMARY KEY (run, version)",
    "leases": "name TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL, expires_at REAL NOT NULL",
    "tokens": "id INTEGER PRIMARY KEY, token INTEGER NOT NULL",
    "outbox": "key TEXT PRIMARY KEY, run TEXT NOT NULL, topic TEXT NOT NULL, body TEXT NOT NULL, "
    "state TEXT NOT NULL, attempts INTEGER NOT NULL, cancels TEXT NOT NULL, behind TEXT NOT NULL, "
    "owner TEXT NOT NULL, due_at REAL NOT NULL, refused INTEGER NOT NULL, failing_since REAL NOT NULL, "
    "late TEXT NOT NULL, sha256 TEXT NOT NULL",
    "dead_letters": "key TEXT PRIMARY KEY, run TEXT NOT NULL, kind TEXT NOT NULL, input TEXT NOT NULL, "
    "reason TEXT NOT NULL, attempts INTEGER NOT NULL",
    "moves": "place TEXT PRIMARY KEY, staged TEXT NOT NULL, sha256 TEXT NOT NULL",
    "versions": "name TEXT NOT NULL, version INTEGER NOT NULL, sha256 TEXT NOT NULL, run TEXT NOT NULL, "
    "PRIMARY KEY (name, version)",
    "ended": "run TEXT PRIMARY KEY, seq INTEGER NOT NULL, at REAL NOT NULL",
    "approvals": "plan TEXT PRIMARY KEY, body TEXT NOT NULL, state TEXT NOT NULL, by_whom TEXT NOT NULL",
}
"""The columns of each table of this layout."""
INDEXES = {
    "journal": ("journal (run)",),
    "leases": ("leases (holder)",),
    "outbox": ("outbox (run)", "outbox (topic, owner, due_at) WHERE state IN ('ready', 'sending')"),
    "dead_letters": ("dead_letters (run)",),
    "ended": ("ended (seq)",),
}
"""The indexes of tables that only grow."""

_WRITTEN = re.compile(r"(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM) (\w+)", re.IGNORECASE)


class Storage(Protocol):
    """What the parts ask of a database: serialisable transactions, statements with `?`, and a path for messages."""

    @property
    def path(self) -> Path:
        """The path, for messages and for the file beside it with the proofs of life (see `alive`)."""

    def transaction(self) -> AbstractContextManager[None]:
        """Do everything in the block, or nothing of it."""

    def write(self, statement: str, *values: Any) -> int:
        """Change rows inside the open transaction, and say how many."""

    def read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read rows; a table that was never written has none."""

    def new_connection(self) -> AbstractContextManager[Storage]:
        """Return another connection to the same database, for another thread; it is closed with the block."""


class StoreError(Exception):
    """The database cannot be used as it is, or was used in a way that could lose something."""


class Store(AbstractContextManager["Store"]):
    """The database of one agent, opened when it is first needed and closed at the end of the `with` block."""

    def __init__(self, path: AnyPath, *, busy_s: float = 5.0) -> None:
        """Name the file, whose folder exists; `busy_s` is how long to wait for another process's transaction.

        Raises:
            StoreError: It would not outlive the process: `:memory:`.
        """
        self.path = Path(path).absolute()  # the same file wherever the agent goes
        if str(path) in ("", ":memory:"):
            raise StoreError(f"{str(path)!r} is no file, and a store must outlive the process; such as 'agent.db'")
        self._busy_s = busy_s
        self._connection: sqlite3.Connection | None = None

    def __exit__(self, *error: object) -> None:
        """Close the connection, which discards an open transaction."""
        self.close()

    def close(self) -> None:
        """Close the file; closing twice is closing once."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def new_connection(self) -> Store:
        """Return another connection to the same database, for another thread."""
        return Store(self.path, busy_s=self._busy_s)

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
        if connection.in_transaction:
            raise StoreError(
                f"a transaction on {self.path} is open already: end it first, and await nothing within one"
            )
        try:
            connection.execute("BEGIN IMMEDIATE")
            if self._version(connection) == 0:
                connection.execute(f"PRAGMA user_version = {VERSION}")
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
        self._make_table(self._connection, statement)
        return self._connection.execute(statement, values).rowcount

    def read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read rows; there are none in a table that was never written.

        Raises:
            StoreError: The file is no database, or of a newer layout, or its folder does not exist.
        """
        if self._connection is None and not self.path.exists():
            self._refuse_no_folder()
            return []
        connection = self._connect()
        if not self._version(connection):
            return []
        try:
            return connection.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            if str(error).removeprefix("no such table: ") in TABLES:
                return []
            raise

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self._refuse_no_folder()
            self._connection = sqlite3.connect(self.path, timeout=self._busy_s, isolation_level=None)
        return self._connection

    def _refuse_no_folder(self) -> None:
        if not self.path.parent.is_dir():
            raise StoreError(
                f"there is no folder {self.path.parent} for {self.path.name}: make it first, or mend the path"
            )
        if self.path.is_dir():
            raise StoreError(f"{self.path} is a folder; name a file in it, such as {self.path / 'agent.db'}")

    def _version(self, connection: sqlite3.Connection) -> int:
        try:
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        except sqlite3.OperationalError:
            raise
        except sqlite3.ProgrammingError as error:
            raise StoreError(
                f"a Store belongs to the thread that opened it; another takes store.new_connection() ({error})"
            ) from error
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.path} is no SQLite database ({error}); was another file meant?") from error
        if version > VERSION:
            raise StoreError(f"{self.path} has layout {version}, this release knows up to {VERSION}; use a newer one")
        if 0 < version < VERSION:
            raise StoreError(
                f"{self.path} has layout {version}, this release writes {VERSION}; settle its runs with the release "
                "that made it, and begin a new file"
            )
        return version

    def _make_table(self, connection: sqlite3.Connection, statement: str) -> None:
        """Make the table of ours that a statement is about to write, if it is the first one to do so."""
        match = _WRITTEN.match(statement)
        table = match.group(1) if match else ""
        known = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        if table in TABLES and not connection.execute(known, (table,)).fetchone():
            connection.execute(f"CREATE TABLE {table} ({TABLES[table]})")
            for number, columns in enumerate(INDEXES.get(table, ())):
                connection.execute(f"CREATE INDEX {table}_{number} ON {columns}")
