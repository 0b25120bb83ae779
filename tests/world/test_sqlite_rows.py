"""Rows are read as SQLite would recover them, from real databases that real processes left behind."""

import os
import signal
import sqlite3
from contextlib import closing

import pytest
from rollproof.values.world import TableShape
from rollproof.world.storage.describe import world_of
from rollproof.world.storage.disk import Disk, Source
from rollproof.world.storage.sqlite_rows import is_database, log_of, read_tables


@pytest.fixture
def path(tmp_path):
    """Where the database lies."""
    return tmp_path / "app.db"


def make(path, script: str) -> bytes:
    """Write a database and return its bytes."""
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    return path.read_bytes()


def killed(action) -> None:
    """Run `action` in a child that dies by SIGKILL at its end, with everything still open."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def parts(path) -> tuple[bytes, bytes | None, bytes | None]:
    """Return a database with its logs."""
    beside = [path.with_name(path.name + suffix) for suffix in ("-wal", "-journal")]
    return path.read_bytes(), *(one.read_bytes() if one.exists() else None for one in beside)


def test_rows_in_the_order_of_their_rowid(path):
    """Values come as Python has them, blobs as bytes, tables of SQLite itself not at all."""
    content = make(
        path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, x, y);"
        "INSERT INTO t VALUES (2, 'b', x'00ff'); INSERT INTO t VALUES (1, NULL, 1.5);"
        "CREATE TABLE w (k TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO w VALUES ('z'), ('a');"
        "CREATE VIEW v AS SELECT * FROM t;",
    )
    tables = read_tables(content)
    assert tables.rows == {
        "t": [{"id": 1, "x": None, "y": 1.5}, {"id": 2, "x": "b", "y": b"\0\xff"}],
        "w": [{"k": "a"}, {"k": "z"}],
    }
    assert "CREATE VIEW v" in tables.schema


def test_a_committed_transaction_in_the_log_counts(path):
    """In WAL mode a killed writer leaves its commits in the -wal; what was not committed is not there."""

    def write():
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES ('committed')")
        connection.commit()
        connection.execute("INSERT INTO t VALUES ('open')")

    killed(write)
    content, wal, journal = parts(path)
    assert wal
    assert log_of(content, wal, journal).startswith("needed: ")
    assert log_of(content) == log_of(content, b"", b"\0") == ""
    assert read_tables(content, wal, journal).rows == {"t": [{"x": "committed"}]}


def test_a_checkpointed_database_in_wal_mode_is_read_from_memory(path):
    """Without a log the header still says WAL."""
    content = make(path, "PRAGMA journal_mode=WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1);")
    assert content[18:20] == b"\2\2"
    assert read_tables(content).rows == {"t": [{"x": 1}]}


def test_a_hot_journal_is_rolled_back(path):
    """A writer killed after pages reached the file left them in the journal: the rows are those from before."""
    make(path, "CREATE TABLE t (x)")
    connection = sqlite3.connect(path)
    connection.executemany("INSERT INTO t VALUES (?)", [("old" * 300,)] * 100)
    connection.commit()
    connection.close()

    def update():
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA cache_size=1")
        connection.execute("UPDATE t SET x = 'new'")

    killed(update)
    content, wal, journal = parts(path)
    assert journal
    assert read_tables(content, wal, journal).rows["t"] == [{"x": "old" * 300}] * 100
    assert parts(path) == (content, wal, journal)
    assert read_tables(content, wal, None) is None or read_tables(content).rows["t"] != [{"x": "old" * 300}] * 100


def test_a_hot_journal_that_was_put_back_is_hot(path):
    """Saving and restoring raw bytes keeps what recovery must see, here and in a log that was not checkpointed."""
    make(path, "CREATE TABLE t (x); INSERT INTO t VALUES ('old');")
    disk = Disk([Source(path, "app.db", private=False)])

    def update(journal_mode: str):
        def action():
            connection = sqlite3.connect(path)
            connection.execute(f"PRAGMA journal_mode={journal_mode}")
            connection.execute("INSERT INTO t VALUES ('committed')")
            connection.commit()
            connection.execute("PRAGMA cache_size=1")
            connection.executemany("INSERT INTO t VALUES (?)", [("open" * 300,)] * 200)

        return action

    for journal_mode in ("delete", "wal"):
        killed(update(journal_mode))
        state = disk.capture()
        expected = world_of(disk.sources, state, {}).tables["app.db:t"]
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DELETE FROM t")
            connection.commit()
        disk.restore(state)
        assert disk.capture() == state
        with closing(sqlite3.connect(path)) as connection:
            assert [{"x": x} for (x,) in connection.execute("SELECT x FROM t")] == expected
        disk.restore(state)
    assert expected == [{"x": "old"}, {"x": "committed"}, {"x": "committed"}]


def test_a_journal_that_is_not_hot_is_left_alone(path):
    """PERSIST mode zeroes the header of its journal, TRUNCATE empties it."""
    content = make(path, "CREATE TABLE t (x); INSERT INTO t VALUES (1);")
    assert read_tables(content, b"", bytes(512)).rows == read_tables(content, None, b"").rows == {"t": [{"x": 1}]}


def test_references_declared_and_by_name(path):
    """A foreign key to a generated key, or a column named after its table, is a reference."""
    content = make(
        path,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES orders(id));"
        "CREATE TABLE categories (id INTEGER PRIMARY KEY);"
        "CREATE TABLE codes (code TEXT PRIMARY KEY);"
        "CREATE TABLE lines (order_id INTEGER, category_id INTEGER, code_id TEXT, owner INTEGER REFERENCES orders);",
    )
    assert read_tables(content).shapes == {
        "orders": TableShape("id", {"parent_id": "orders"}),
        "categories": TableShape("id"),
        "codes": TableShape(),
        "lines": TableShape("", {"owner": "orders", "order_id": "orders", "category_id": "categories"}),
    }


def test_a_key_that_is_a_reference_is_not_generated(path):
    """One row for each order: its key says which."""
    content = make(
        path,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY);"
        "CREATE TABLE status (order_id INTEGER PRIMARY KEY REFERENCES orders(id), s TEXT);",
    )
    assert read_tables(content).shapes["status"] == TableShape("", {"order_id": "orders"})


@pytest.mark.parametrize("damage", [lambda c: c[:700], lambda c: c[:100] + b"\xff" * (len(c) - 100)])
def test_a_corrupt_database_is_none(path, damage):
    """It is for the caller to show its bytes instead."""
    content = make(path, "CREATE TABLE t (x); INSERT INTO t VALUES (1);")
    assert read_tables(damage(content)) is None


def test_text_that_is_no_utf8_is_kept(path):
    """One bad string does not hide a database."""
    content = make(path, "CREATE TABLE t (x); INSERT INTO t VALUES (CAST(x'ff61' AS TEXT)), ('b');")
    assert read_tables(content).rows == {"t": [{"x": "\udcffa"}, {"x": "b"}]}


def test_a_database_before_it_has_content():
    """Nothing was written yet, or only created."""
    assert read_tables(b"").rows == {}
    assert is_database("x.sqlite3", b"")
    assert not is_database("x.txt", b"")
    assert is_database("x.txt", b"SQLite format 3\0")


def test_no_copy_is_left_behind(path, tmp_path, monkeypatch):
    """The folder a log is recovered in is removed, whatever came of it."""
    monkeypatch.setattr("rollproof.world.storage.sqlite_rows.os.access", lambda *_: False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    content = make(path, "CREATE TABLE t (x);")
    assert read_tables(content, b"no log", None) is not None
    assert read_tables(content[:600], b"no log either", None) is None
    assert list((tmp_path / "scratch").iterdir()) == []
