"""Rows that are shared page by page are what SQLite itself reads, and worlds of them what they would be unshared."""

import pickle
import sqlite3
from contextlib import closing
from operator import add

from hypothesis import given, settings
from hypothesis import strategies as st
from rollproof.values.rows import Rows, not_shared
from rollproof.values.world import TableShape, World
from rollproof.world.comparing.compare import Masks
from rollproof.world.storage import sqlite_rows
from rollproof.world.storage.remembering import forget_all
from rollproof.world.storage.sqlite_rows import read_tables
from rollproof.world.volatile.fingerprint import Moment, fingerprint
from rollproof.world.volatile.links import hidden_values

from .worlds import NOW, law

TOKEN = "0f8fad5bd9cb469fa16570867728950e"
TEXTS = st.sampled_from(["a", "page 17", "pid 4242", TOKEN, "2026-12-01T10:00:00", "long " * 300, None])
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "INSERT OR REPLACE INTO t VALUES (:key, :text)",
                "UPDATE t SET x = :text WHERE id % 50 = :key % 50",
                "DELETE FROM t WHERE id BETWEEN :key AND :key + 40",
                "VACUUM",
            ]
        ),
        st.integers(-50, 400),
        TEXTS,
    ),
    min_size=1,
    max_size=4,
)


def start() -> sqlite3.Connection:
    """Return a database whose table has many small pages."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript("PRAGMA page_size = 512; CREATE TABLE t (id INTEGER PRIMARY KEY, x); BEGIN")
    connection.executemany("INSERT INTO t VALUES (?, ?)", ((n, f"thing {n}") for n in range(0, 300, 2)))
    connection.execute("COMMIT")
    return connection


def name(rows: list[dict[str, object]], masks: Masks) -> str:
    """Return the fingerprint of a world with this table; masks of its own mean that nothing is remembered."""
    moment = Moment(NOW, frozenset({4242, 7}), frozenset({7}))
    return fingerprint(World(tables={"a.db:t": rows}), moment, masks, {})


@settings(law, max_examples=12, database=None)
@given(changes=CHANGES)
def test_after_any_changes(changes):
    """Reading page by page gives what SQLite gives, and one fingerprint however rows are parted and remembered."""
    known = Masks()
    with closing(start()) as connection:
        seen = [read_tables(connection.serialize()).rows["t"]]
        for statement, key, text in changes:
            connection.execute(statement, {"key": key, "text": text})
            rows = read_tables(connection.serialize()).rows["t"]
            cursor = connection.execute("SELECT * FROM t ORDER BY id")
            whole = [{"id": one, "x": text} for one, text in cursor]
            assert rows == whole == list(rows)
            assert len(rows) == len(whole)
            assert name(rows, known) == name(whole, Masks())
            for other in seen:
                assert (rows == other) == (whole == list(other))
                if whole != list(other) and len(whole) != len(other):
                    assert name(rows, known) != name(other, known)
                new, gone = not_shared(rows, other)
                assert len(new) - len(gone) == len(rows) - len(other)
            seen.append(rows)


def test_one_row_is_read_anew():
    """After one change all other pages have the very rows that they had."""
    with closing(start()) as connection:
        before = read_tables(connection.serialize()).rows["t"]
        connection.execute("UPDATE t SET x = 'new' WHERE id = 100")
        after = read_tables(connection.serialize()).rows["t"]
    assert sum(one is not other for one, other in zip(before, after, strict=True)) < 40
    assert [row for row in not_shared(after, before)[0] if row["x"] == "new"] == [{"id": 100, "x": "new"}]


def test_short_rows_are_read_by_page():
    """A row of a few bytes may be the last thing in its page."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (number INTEGER)")
        connection.executemany("INSERT INTO t VALUES (?)", ((number,) for number in range(2000)))
        before = read_tables(connection.serialize()).rows["t"]
        connection.execute("DELETE FROM t WHERE number = 1999")
        after = read_tables(connection.serialize()).rows["t"]
    assert len(not_shared(before, after)[0]) < 1000


def test_rows_that_only_sqlite_can_tell(monkeypatch):
    """Damaged pages, rows that go on in other pages and columns called rowid: as if nothing were remembered."""
    with closing(start()) as connection:
        connection.execute("UPDATE t SET x = 'long' || hex(zeroblob(2000)) WHERE id = 100")
        read_tables(connection.serialize())
        connection.execute("UPDATE t SET x = 'tall' || hex(zeroblob(2000)) WHERE id = 100")
        content = connection.serialize()
        connection.execute("ALTER TABLE t RENAME x TO rowid")
        renamed = connection.serialize()
        cursor = connection.execute("SELECT id, rowid FROM t ORDER BY rowid")
        in_order = [{"id": one, "rowid": other} for one, other in cursor]
    damaged = [content[: 512 * at] + bytes(512) + content[512 * (at + 1) :] for at in range(1, 8)]
    found = [read_tables(one) for one in (content, renamed, *damaged)]
    assert found[0].rows["t"][50]["x"].startswith("tall")
    assert found[1].rows["t"] == in_order
    forget_all()
    monkeypatch.setattr(sqlite_rows._shared, "read", lambda *_: None)
    assert [read_tables(one) for one in (content, renamed, *damaged)] == found


def test_rows_are_a_list():
    """What a test does with a list it can do with the rows of a large table, in C and in place, too; parts stay."""
    one, two, three = {"n": 1}, {"n": 2}, {"n": 3}
    rows = Rows([[one, two], [three]])
    plain = [one, two, three]
    assert rows == plain == rows == Rows([[one], [two, three]])
    assert rows != Rows([[one], [two, two]])
    assert rows != plain[:2]
    assert isinstance(rows, list)
    assert (rows[0], rows[-1], rows[1:]) == (one, three, [two, three])
    assert [*reversed(rows)] == plain[::-1]
    assert three in rows
    assert {"n": 4} not in rows
    assert add(rows, [one]) == [*plain, one]
    assert add([one], rows) == [one, *plain]
    assert repr(rows) == repr(plain)
    assert sorted(rows, key=lambda row: -row["n"]) == plain[::-1]
    assert rows.copy() == plain
    assert (rows.index(two), rows.count(one)) == (1, 1)
    assert rows * 2 == plain * 2
    assert pickle.loads(pickle.dumps(rows)) == plain
    rows.sort(key=lambda row: -row["n"])
    assert (rows.pop(), rows) == (one, [three, two])
    assert rows.parts == ([one, two], [three])


def test_references_in_texts_are_found_page_by_page() -> None:
    """An id of a resource in a text, also in JSON with an escape; pages without one are not gone through."""
    parts = [
        [{"a": "nothing", "b": 3}],
        [{"a": "sent as mail_77", "b": None}],
        [{"a": '{"x": "mail\\u005f77"}'}],
        [{"a": "xmail_77"}],
    ]
    worlds = [
        World(resources={"h/m": [{"id": "mail_77"}]}, tables={"d.db:t": rows}, shapes={"d.db:t": TableShape()})
        for rows in (Rows(parts), [row for part in parts for row in part])
    ]
    by_page, as_a_whole = (hidden_values(world, Masks()) for world in worlds)
    assert by_page == as_a_whole
    assert [place for place, _ in by_page] == ["→ d.db:t.a", "→ d.db:t.a.x", "→ h/m.id"]
