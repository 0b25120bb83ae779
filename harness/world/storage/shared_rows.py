"""Read the rows of a table page by page: what was read of an equal page before is not read again, and is shared."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from ...values.rows import ROW_BYTES, Part, Row, Rows
from .leaves import Leaf, NotAsItShouldBe, Pages
from .remembering import Remembered


@dataclass(slots=True)
class _Read:
    """A leaf with its rows; None while they are not read. `page` is its bytes where they say all of the rows."""

    page: bytes | None
    leaf: Leaf
    rows: Part | None = None


class SharedRows:
    """The pages of tables that were read last, about `limit_bytes` of memory."""

    def __init__(self, limit_bytes: int) -> None:
        self._known: Remembered[tuple[bytes, str, bytes], _Read] = Remembered(limit_bytes)

    def read(self, connection: sqlite3.Connection, table: "Table", pages: Pages) -> list[Row] | None:
        """Return the rows in the order of their rowid; None where only SQLite alone can tell."""
        meaning = pages.form, table.sql
        try:
            found = self._leaves(pages, table.root, meaning)
            for missing, run in groupby(found, key=lambda each: each.rows is None):
                if missing:
                    _read(connection, table, list(run))
        except (NotAsItShouldBe, sqlite3.Error):
            return None
        for each in found:
            if each.page is not None:
                self._known.keep((*meaning, each.page), each, _size(each))
        parts = [each.rows for each in found if each.rows]
        return Rows(parts)

    def _leaves(self, pages: Pages, root: int, meaning: tuple[bytes, str]) -> list[_Read]:
        found, before = [], None
        for page, least, most in pages.leaves(root):
            read = self._known.find((*meaning, page))
            if read is None:
                leaf = Leaf.of(page, pages.usable)
                read = _Read(page if leaf.whole else None, leaf)
            leaf = read.leaf
            if leaf.count:
                if leaf.first < least or leaf.last > most or (before is not None and leaf.first <= before):
                    raise NotAsItShouldBe
                before = leaf.last
            found.append(read)
        if len(found) > 1 and not all(each.leaf.count for each in found):
            raise NotAsItShouldBe
        return found


@dataclass(frozen=True, slots=True)
class Table:
    """A table by its name as SQL has it, the page that it begins at, and the statement that made it."""

    quoted: str
    root: int
    sql: str


def _size(read: _Read) -> int:
    return len(read.page or b"") + ROW_BYTES * read.leaf.count


def _read(connection: sqlite3.Connection, table: Table, leaves: Sequence[_Read]) -> None:
    """Read the rows of leaves that follow each other; raises NotAsItShouldBe where SQLite sees others there."""
    where = f"{table.quoted} WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
    cursor = connection.execute(f"SELECT rowid, * FROM {where}", (leaves[0].leaf.first, leaves[-1].leaf.last))
    columns = [column[0] for column in cursor.description[1:]]
    if any(column.lower() == "rowid" for column in columns):  # SQLite means the column by that name
        raise NotAsItShouldBe
    for each in leaves:
        rows = cursor.fetchmany(each.leaf.count) if each.leaf.count else []
        if len(rows) != each.leaf.count or (rows and (rows[0][0], rows[-1][0]) != (each.leaf.first, each.leaf.last)):
            raise NotAsItShouldBe
        each.rows = [dict(zip(columns, row[1:], strict=True)) for row in rows]
    if cursor.fetchone() is not None:
        raise NotAsItShouldBe
