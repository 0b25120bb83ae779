"""Read the rows of an SQLite database from its bytes, as SQLite itself would recover them.

A database is never opened where it lies: that would roll a hot journal back, or drop a living writer's locks.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from mmap import ACCESS_READ, mmap
from urllib.parse import quote

from ...values.contents import Content, Stored, size_of, start_of
from ...values.owners import temporary_folder
from ...values.rows import REMEMBERED_ROWS_BYTES, ROW_BYTES, Rows
from ...values.world import Row, TableShape
from .contents import write
from .leaves import NotAsItShouldBe, Pages
from .raw import SIBLINGS
from .remembering import Remembered
from .shared_rows import SharedRows, Table

SUFFIXES = (".db", ".sqlite", ".sqlite3", ".db3")
_HEADER = b"SQLite format 3\0"
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")


@dataclass(frozen=True, slots=True)
class Tables:
    """Rows of each table in the order of their rowid, the references in them, and the schema as text."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    shapes: dict[str, TableShape] = field(default_factory=dict)
    schema: str = ""


_Parts = tuple[Content, Content | None, Content | None]
_cache: Remembered[_Parts, Tables | None] = Remembered(64 << 20)
_shared = SharedRows(REMEMBERED_ROWS_BYTES)

_Opened = tuple[sqlite3.Connection, "Pages | None"]


def is_database(name: str, content: Content, has_sibling: bool = False) -> bool:
    """Say whether a file is an SQLite database: by its header or, while it is empty, by its name or its journal."""
    if size_of(content):
        return start_of(content, len(_HEADER)) == _HEADER
    return has_sibling or name.endswith(SUFFIXES)


def read_tables(content: Content, wal: Content | None = None, journal: Content | None = None) -> Tables | None:
    """Return the tables of a database once its ``-wal`` or hot ``-journal`` is recovered; None where it is corrupt."""
    journal = journal if _is_hot(journal) else None
    parts = (content, wal or None, journal)
    return _cache.get(parts, lambda: _recover(parts), lambda tables: _size(parts, tables))


def log_of(content: Content, wal: Content | None = None, journal: Content | None = None) -> str:
    """Return "idle" or "needed: …" by what a copy without log or journal would lack; "" where there is none.

    A copy of a database without its log has other rows than SQLite sees.
    """
    if not wal and not _is_hot(journal):
        return ""
    alone, whole = read_tables(content), read_tables(content, wal, journal)
    if alone == whole:
        return "idle"
    return f"needed: {'corrupt' if alone is None else {table: len(rows) for table, rows in alone.rows.items()}}"


def _is_hot(journal: Content | None) -> bool:
    return journal is not None and start_of(journal, len(_JOURNAL_MAGIC)) == _JOURNAL_MAGIC


def _size(parts: _Parts, tables: Tables | None) -> int:
    """Return about how many bytes a database takes with its rows; those in parts are counted where they are shared."""
    rows = (
        0
        if tables is None
        else sum((8 if isinstance(each, Rows) else ROW_BYTES) * len(each) for each in tables.rows.values())
    )
    return 1024 + sum(size_of(part or b"") for part in parts) + rows


def _recover(parts: _Parts) -> Tables | None:
    content, wal, journal = parts
    if not content and wal is None and journal is None:
        return Tables()
    alone = wal is None and journal is None
    if isinstance(content, Stored):
        opening = _where_it_lies(content) if alone else _in_folder(parts)
    else:
        opening = _in_memory(content) if alone else _in_folder(parts)
    try:
        with opening as (connection, pages):
            return _tables(connection, pages)
    except sqlite3.Error:
        return None


@contextmanager
def _in_memory(content: bytes) -> Iterator[_Opened]:
    """Open a database without a log; one in WAL mode is told that it is not, since memory has no shared one."""
    if content[18:20] == b"\2\2":
        content = content[:18] + b"\1\1" + content[20:]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(content)
        yield connection, _pages(content)


@contextmanager
def _where_it_lies(content: Stored) -> Iterator[_Opened]:
    """Open what we keep of a database without a log: nobody changes that, and SQLite needs no lock."""
    address = f"file:{quote(content.path)}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as connection, _mapped(content.path) as data:
        yield connection, _pages(data)


@contextmanager
def _in_folder(parts: _Parts) -> Iterator[_Opened]:
    """Open a copy beside copies of its logs, so that SQLite itself recovers it."""
    kept = [os.path.dirname(part.path) for part in parts if isinstance(part, Stored)]
    folder = temporary_folder("copy", next(iter(kept), None))
    try:
        path = os.path.join(folder, "copy.db")
        for suffix, part in zip(("", *SIBLINGS), parts, strict=True):
            if part is not None:
                write(path + suffix, part)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # a hot journal is rolled back now
            is_whole = _leaves_no_log(connection)
            with _mapped(path) as data:
                yield connection, _pages(data) if is_whole else None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _leaves_no_log(connection: sqlite3.Connection) -> bool:
    """Return whether all of a log is in the database itself now; without a log it is."""
    try:
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.Error:
        return False
    return not busy


@contextmanager
def _mapped(path: str) -> Iterator[mmap | bytes]:
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            yield b""
            return
        with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            yield data


def _pages(data: bytes | mmap) -> Pages | None:
    try:
        return Pages.of(data)
    except NotAsItShouldBe:
        return None


def _tables(connection: sqlite3.Connection, pages: Pages | None) -> Tables:
    master = connection.execute("SELECT type, name, sql, rootpage FROM sqlite_master ORDER BY type, name").fetchall()
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    schema = "\n".join(f"{sql};" for _, _, sql, _ in master if sql)
    rows = {}
    for kind, name, sql, root in master:
        if kind == "table" and not name.startswith("sqlite_"):
            found = _shared.read(connection, Table(_quote(name), root, sql), pages) if pages and root else None
            found = _rows(connection, name) if found is None else found
            if found is not None:
                rows[name] = found
    text = f"user_version = {version}\n{schema}" if version or master else ""  # as of a file that is still empty
    return Tables(rows, _shapes(connection, list(rows)), text)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _rows(connection: sqlite3.Connection, table: str) -> list[Row] | None:
    """Return all rows; None for a virtual table whose module is not here (its shadow tables hold the data)."""
    try:
        cursor = connection.execute(f"SELECT * FROM {_quote(table)} ORDER BY rowid")
    except sqlite3.OperationalError as error:
        if "no such module" in str(error):
            return None
        cursor = connection.execute(f"SELECT * FROM {_quote(table)}")  # WITHOUT ROWID: in the order of its key
    columns = [column[0] for column in cursor.description]
    try:
        values = cursor.fetchall()
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
        connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
        values = connection.execute(f"SELECT * FROM {_quote(table)}").fetchall()
    return [dict(zip(columns, row, strict=True)) for row in values]


def _shapes(connection: sqlite3.Connection, tables: list[str]) -> dict[str, TableShape]:
    columns = {table: connection.execute(f"PRAGMA table_info({_quote(table)})").fetchall() for table in tables}
    keys = {table: _generated_key(info) for table, info in columns.items()}
    shapes = {}
    for table, info in columns.items():
        refers = _declared(connection, table, keys) or {}
        for column in (row[1] for row in info):
            if column != keys[table] and column not in refers and (target := _named_after(column, keys)):
                refers[column] = target
        shapes[table] = TableShape("" if keys[table] in refers else keys[table], refers)
    return shapes


def _generated_key(info: list[tuple[int, str, str, int, object, int]]) -> str:
    """Return the column that is the rowid by another name: a single INTEGER PRIMARY KEY."""
    primary = [row for row in info if row[5]]
    return primary[0][1] if len(primary) == 1 and primary[0][2].upper() == "INTEGER" else ""


def _declared(connection: sqlite3.Connection, table: str, keys: dict[str, str]) -> dict[str, str]:
    """Return the columns with a foreign key to another table's generated key."""
    found = {}
    for _, _, target, column, there, *_ in connection.execute(f"PRAGMA foreign_key_list({_quote(table)})"):
        actual = next((name for name in keys if name.lower() == target.lower()), "")
        if actual and keys[actual] and (there or keys[actual]).lower() == keys[actual].lower():
            found[column] = actual
    return found


def _named_after(column: str, keys: dict[str, str]) -> str:
    """Return the table that an undeclared reference such as ``order_id`` means; "" for none."""
    for table, key in keys.items():
        name = table.lower()
        singular = {name[:-1], name[:-2]} if name.endswith("es") else {name.removesuffix("s")}
        singular |= {name[:-3] + "y"} if name.endswith("ies") else set()
        if key and column.lower() in {f"{one}{tail}" for one in (name, *singular) for tail in ("_id", "id")}:
            return table
    return ""
