"""SQLite: every statement that writes, and every commit, on a watched or private database passes the gate.

The C types cannot be patched, so a class of ours is put between them and everything that derives from them: it is
the factory of ``connect``, the name ``sqlite3.Connection``, and the new base of classes that agents derived before.
What the C code does behind an overridden method's back (``with connection:``, ``Connection.execute``,
``executescript``) is spelled out here.
"""

import functools
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, Literal

from ...values.exploration import counted
from .. import patching
from ..crossing import Crossing
from ..gate import Gate
from ..scheduling.clock import Clock
from . import sqlite_clock
from .reads import CONTENT, Reads
from .rereading import Rereading
from .scope import Scope, database_path
from .sqlite_busy import BusyHandler
from .statements import attaches, effect_of, statements, table_read

_BASES = (sqlite3.Connection, sqlite3.Cursor)
_TIMEOUT_S = 5.0  # of ``sqlite3.connect``
_LEGACY = -1  # sqlite3.LEGACY_TRANSACTION_CONTROL of Python 3.12


def originals() -> list[object]:
    """Return the functions and classes that agents may have imported by name."""
    return [sqlite3.connect, *_BASES]


def install(gate: Gate, scope: Scope, reads: Reads, clock: Clock, rereading: Rereading) -> None:
    """Put the gate before every effect on databases in scope. For a child process: there is no way back."""
    seam = _Seam(gate, scope, reads, clock, rereading)
    cursor = _cursor_class(seam)
    connection = _connection_class(seam, cursor)
    for base, seen in zip(_BASES, (connection, cursor), strict=True):
        _adopt(base, seen)
        named = _named(base, seen)
        patching.replace(sqlite3, base.__name__, functools.partial(_instead, named))
        setattr(sqlite3.dbapi2, base.__name__, named)
    plain: Any = sqlite3.connect

    @functools.wraps(plain)
    def connect(database: Any, *args: Any, **kwargs: Any) -> Any:
        if len(args) > 4:
            factory = sqlite3.Connection if args[4] is _BASES[0] else args[4]
            return plain(database, *args[:4], factory, *args[5:], **kwargs)
        if kwargs.get("factory", _BASES[0]) is _BASES[0]:
            kwargs["factory"] = sqlite3.Connection
        return plain(database, *args, **kwargs)

    patching.replace(sqlite3, "connect", lambda original: connect)
    sqlite3.dbapi2.connect = connect


def _instead(replacement: type, original: object) -> type:
    return replacement


def _adopt(base: type, seen: type) -> None:
    """Make classes that derive from `base` derive from `seen`; one that cannot is counted by the audit hook."""
    derived: Any
    for derived in base.__subclasses__():
        if derived is not seen:
            with suppress(TypeError):
                derived.__bases__ = tuple(seen if parent is base else parent for parent in derived.__bases__)


def _named(base: type, seen: type) -> type:
    """Return the class that takes the name of `base`; objects made before are still instances of it."""

    class Meta(type):
        """The type of the class that stands for a C type."""

        def __instancecheck__(cls, instance: Any) -> bool:
            return isinstance(instance, base) if cls is named else super().__instancecheck__(instance)

    named = Meta(base.__name__, (seen,), {"__module__": base.__module__})
    return named


class _Seam:
    """The state that connections and cursors of one process share."""

    def __init__(self, gate: Gate, scope: Scope, reads: Reads, clock: Clock, rereading: Rereading) -> None:
        self._gate, self._scope, self._reads, self._clock = gate, scope, reads, clock
        self._rereading = rereading
        self._names: dict[int, str] = {}
        self._busy = BusyHandler(gate, clock)

    def opening(self, connection: Any, database: Any, uri: bool) -> AbstractContextManager[object]:
        """Pass where a connection is opened, which is a point where that creates the database."""
        name = self._scope.database(database, uri) if self._gate.active else None
        self._names.pop(id(connection), None)
        self._busy.forget(connection)
        if name is None:
            return nullcontext()
        self._names[id(connection)] = name
        path = database_path(database, uri) or ""
        self._rereading.opening(connection, path)
        self._reads.ask("read", CONTENT, path)
        with self._gate.untraced():
            # SQLite makes the file when it is opened, not with the first statement.
            creates = not os.path.exists(path)
        return self._gate.crossing("sqlite", "open", name) if creates else self._gate.untraced()

    def prepare(self, connection: Any, timeout_s: float) -> None:
        """Get a connection in scope ready."""
        if id(connection) in self._names:
            with self._gate.untraced():
                sqlite_clock.install(connection, self._clock)
                self._busy.install(connection, max(0, int(timeout_s * 1000)))

    def passing(self, connection: Any, effect: tuple[str, str] | None) -> AbstractContextManager[Crossing | None]:
        """Pass with a statement; one that only reads can wait for a lock, and is no point."""
        name = self._names.get(id(connection))
        if effect is None or name is None or not self._gate.active:
            return self._busy.raising
        return self._blocking_effect(f"{name}:{effect[1]}" if effect[1] else name, effect[0])

    @contextmanager
    def _blocking_effect(self, target: str, verb: str) -> Iterator[Crossing]:
        with self._busy.raising, self._gate.blocking_effect("sqlite", verb, target) as crossing:
            yield crossing

    def execute(self, connection: Any, sql: Any, plain: Callable[[Any], Any]) -> Any:
        """Carry a statement out by `plain`."""
        self.attaching(sql)
        with self.passing(connection, effect_of(sql)) as crossing:
            return _told(crossing, self._busy.carry_out(connection, sql, plain))

    def reading(self, cursor: Any, sql: Any) -> None:
        """Pass the gate before a query that reads the agent's own writes, if such reads are points now."""
        name = self._names.get(id(cursor.connection))
        table = table_read(sql) if name is not None and self._rereading.on else ""
        if table:
            self._rereading.query(cursor, f"{name}:{table}")

    def attaching(self, sql: Any) -> None:
        """Record that a statement may open any other database: no hook is told which."""
        if attaches(sql) and self._gate.active:
            self._gate.recorder.everything()

    def each(self, connection: Any, effect: tuple[str, str] | None, rows: Iterable[Any]) -> Iterator[Any]:
        """Yield rows, each a statement of its own: SQLite has carried out one when it asks for the next."""
        for row in rows:
            with self.passing(connection, effect):
                yield row


def _told(crossing: Crossing | None, cursor: Any) -> Any:
    """Set the outcome of the crossing to the number of rows that a statement has changed; returns the cursor."""
    if crossing is not None and getattr(cursor, "rowcount", -1) >= 0:
        crossing.outcome = counted(cursor.rowcount, "row")
    return cursor


def _commits_by_itself(connection: Any) -> bool:
    """Return whether every statement is a transaction of its own."""
    mode = getattr(connection, "autocommit", _LEGACY)
    return mode is True or (mode == _LEGACY and connection.isolation_level is None and not connection.in_transaction)


def _leave(connection: Any, *, failed: bool) -> None:
    """End the block of a connection as its C code does."""
    if getattr(connection, "autocommit", _LEGACY) is True:
        return
    if failed:
        connection.rollback()
        return
    try:
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _connection_class(seam: _Seam, cursor_class: type) -> type:
    base: Any = sqlite3.Connection

    class Connection(base):  # type: ignore[misc]
        """A connection whose writes and commits are points."""

        __slots__ = ()

        def __init__(self, database: Any, *args: Any, **kwargs: Any) -> None:
            uri = args[6] if len(args) > 6 else kwargs.get("uri", False)
            with seam.opening(self, database, bool(uri)):
                super().__init__(database, *args, **kwargs)
            seam.prepare(self, args[0] if args else kwargs.get("timeout", _TIMEOUT_S))

        def cursor(self, factory: Any = _BASES[1]) -> Any:
            return super().cursor(sqlite3.Cursor if factory is _BASES[1] else factory)

        def execute(self, sql: Any, *parameters: Any) -> Any:
            return self.cursor().execute(sql, *parameters)

        def executemany(self, sql: Any, *parameters: Any) -> Any:
            return self.cursor().executemany(sql, *parameters)

        def executescript(self, script: str) -> Any:
            return self.cursor().executescript(script)

        def commit(self) -> None:
            with seam.passing(self, ("commit", "") if self.in_transaction else None):
                super().commit()

        def rollback(self) -> None:
            with seam.passing(self, ("rollback", "") if self.in_transaction else None):
                super().rollback()

        def backup(self, target: Any, **kwargs: Any) -> None:
            with seam.passing(target, ("backup", "")):
                super().backup(target, **kwargs)

        def __exit__(self, kind: Any, error: Any, trace: Any) -> Literal[False]:
            _leave(self, failed=kind is not None)
            return False

    return Connection


def _cursor_class(seam: _Seam) -> type:
    base: Any = sqlite3.Cursor

    class Cursor(base):  # type: ignore[misc]
        """A cursor whose statements are points."""

        __slots__ = ()

        def execute(self, sql: Any, *parameters: Any) -> Any:
            plain = super().execute
            seam.reading(self, sql)
            return seam.execute(self.connection, sql, lambda sql: plain(sql, *parameters))

        def executemany(self, sql: Any, rows: Any, /) -> Any:
            effect = effect_of(sql)
            if effect and _commits_by_itself(self.connection):
                # Each row is a transaction of its own: a crash can come between any two.
                return super().executemany(sql, seam.each(self.connection, effect, rows))
            with seam.passing(self.connection, effect) as crossing:
                return _told(crossing, super().executemany(sql, rows))

        def executescript(self, script: str) -> Any:
            connection = self.connection
            legacy = getattr(connection, "autocommit", _LEGACY) == _LEGACY
            if not legacy or not isinstance(script, str):
                return self._run(script) if isinstance(script, str) else super().executescript(script)
            if connection.in_transaction:
                connection.commit()
            # As the C code does: no statement of a script opens a transaction by itself.
            previous = connection.isolation_level
            connection.isolation_level = None
            try:
                return self._run(script)
            finally:
                connection.isolation_level = previous

        def _run(self, script: str) -> Any:
            for statement in statements(script):
                self.execute(statement)
            return self

    return Cursor
