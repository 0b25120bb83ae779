"""SQLite: every statement that writes and every commit is a point, whoever makes the connection."""

import asyncio
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import connect as early_connect
from typing import Any

import aiosqlite
import pytest
import sqlalchemy
from sqlalchemy import orm

from .stage import Stage, short

INSERT = "INSERT INTO things VALUES (?)"


class Derived(sqlite3.Connection):
    """A connection class of the agent's own, older than the exploration."""

    def execute(self, sql: str, parameters: Any = ()) -> Any:  # type: ignore[override]
        """Do as the base does."""
        return super().execute(sql, parameters)


class DerivedCursor(sqlite3.Cursor):
    """A cursor class of the agent's own."""


def _made(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE things (name TEXT)")
        connection.execute("CREATE TABLE dated (name TEXT, at TEXT DEFAULT CURRENT_TIMESTAMP)")
        connection.commit()


@pytest.fixture
def path(stage: Stage) -> Path:
    """A watched database with two tables."""
    _made(stage.shared / "a.db")
    return stage.shared / "a.db"


CONNECTING: dict[str, Callable[[Path], Any]] = {
    "sqlite3.connect": lambda p: sqlite3.connect(p),
    "text": lambda p: sqlite3.connect(str(p)),
    "bytes": lambda p: sqlite3.connect(bytes(p)),
    "keyword": lambda p: sqlite3.connect(database=p),
    "dbapi2": lambda p: sqlite3.dbapi2.connect(p),
    "early connect": lambda p: early_connect(p),
    "Connection": lambda p: sqlite3.Connection(p),
    "factory": lambda p: sqlite3.connect(p, factory=Derived),
    "positional factory": lambda p: sqlite3.connect(p, 5.0, 0, "DEFERRED", True, Derived),
    "positional plain factory": lambda p: sqlite3.connect(p, 5.0, 0, "DEFERRED", True, sqlite3.Connection, 10),
    "derived": lambda p: Derived(p),
    "derived in the run": lambda p: type("Late", (sqlite3.Connection,), {})(p),
    "uri": lambda p: sqlite3.connect(f"file:{p}?mode=rwc", uri=True),
    "relative": lambda p: sqlite3.connect("shared/a.db"),
}


@pytest.mark.parametrize("way", CONNECTING)
def test_every_connection_is_seen(way: str, path: Path, stage: Stage) -> None:
    """A row is inserted and committed: two points, and a connection is what it says it is."""

    def run() -> None:
        connection = CONNECTING[way](path)
        assert isinstance(connection, sqlite3.Connection)
        connection.execute(INSERT, ("a",))
        connection.commit()
        connection.close()

    assert short(stage.points(run)) == ["insert shared/a.db:things", "commit shared/a.db"]


def test_a_database_that_comes_to_be_is_a_point(stage: Stage) -> None:
    """Opening creates the file."""

    def run() -> None:
        with closing(sqlite3.connect(stage.shared / "n.db")) as connection:
            connection.execute("CREATE TABLE t (a)")

    assert short(stage.points(run)) == ["open shared/n.db", "create shared/n.db:t"]


ROW = ["insert shared/a.db:things"]
COMMITTED = [*ROW, "commit shared/a.db"]
TRIGGER = "CREATE TRIGGER twice AFTER INSERT ON things BEGIN DELETE FROM dated; UPDATE dated SET name=''; END"

DOING: dict[str, tuple[Callable[[sqlite3.Connection], Any], list[str]]] = {
    "execute": (lambda c: c.execute(INSERT, "a"), ROW),
    "cursor.execute": (lambda c: c.cursor().execute(INSERT, "a"), ROW),
    "a cursor of its own class": (lambda c: c.cursor(DerivedCursor).execute(INSERT, "a"), ROW),
    "Cursor(connection)": (lambda c: sqlite3.Cursor(c).execute(INSERT, "a"), ROW),
    "DerivedCursor(connection)": (lambda c: DerivedCursor(c).execute(INSERT, "a"), ROW),
    "executemany": (lambda c: c.executemany(INSERT, ["a", "b"]), ROW),
    "cursor.executemany": (lambda c: c.cursor().executemany(INSERT, ["a", "b"]), ROW),
    "a generator": (lambda c: c.executemany(INSERT, (x for x in "ab")), ROW),
    "with": (lambda c: c.__enter__().execute(INSERT, "a") and c.__exit__(None, None, None), COMMITTED),
    "commit without a transaction": (lambda c: (c.commit(), c.rollback()), []),
    "a read": (lambda c: c.execute("SELECT * FROM things").fetchall(), []),
    "rollback": (lambda c: (c.execute(INSERT, "a"), c.rollback()), [*ROW, "rollback shared/a.db"]),
    "comments": (lambda c: c.execute("-- one\n/* two */ insert or replace into main.[things] values (1)"), ROW),
    "with clause": (
        lambda c: c.execute("WITH x AS (SELECT replace('a','a','b')) INSERT INTO things SELECT * FROM x"),
        ROW,
    ),
    "a reading with clause": (lambda c: c.execute("WITH x AS (SELECT replace('a','a','b') AS u) SELECT * FROM x"), []),
    "quoted": (lambda c: c.execute('DELETE FROM "things"'), ["delete shared/a.db:things"]),
    "update": (lambda c: c.execute("UPDATE OR IGNORE things SET name='x'"), ["update shared/a.db:things"]),
    "user_version": (lambda c: c.execute("PRAGMA user_version = 3"), ["pragma shared/a.db:user_version"]),
    "returning": (lambda c: c.execute(INSERT + " RETURNING name", "a").fetchall(), ROW),
    "script": (
        lambda c: c.executescript("INSERT INTO things VALUES (1); DELETE FROM dated;"),
        [*ROW, "delete shared/a.db:dated"],
    ),
    "script commits first": (
        lambda c: (c.execute(INSERT, "a"), c.executescript("DELETE FROM dated")),
        [*COMMITTED, "delete shared/a.db:dated"],
    ),
    "script with a transaction": (
        lambda c: c.executescript("BEGIN; INSERT INTO things VALUES (';'); COMMIT;"),
        ["begin shared/a.db", *COMMITTED],
    ),
    "script with a trigger": (
        lambda c: c.executescript(f"{TRIGGER};\nINSERT INTO things VALUES (1)"),
        ["create shared/a.db:twice", *ROW],
    ),
    "savepoint": (
        lambda c: [
            c.execute(s) for s in ("SAVEPOINT s", "INSERT INTO things VALUES (1)", "ROLLBACK TO s", "RELEASE s")
        ],
        [*ROW, "release shared/a.db"],
    ),
}


@pytest.mark.parametrize("way", DOING)
def test_what_writes_is_a_point(way: str, path: Path, stage: Stage) -> None:
    """Each statement that writes, commits that end a transaction, and nothing else."""
    act, expected = DOING[way]

    def run() -> None:
        with closing(sqlite3.connect(path)) as connection:
            act(connection)

    assert short(stage.points(run)) == expected


@pytest.mark.parametrize("way", DOING)
def test_what_is_done_is_what_python_does_alone(way: str, path: Path, stage: Stage) -> None:
    """The rows, and whether a transaction is open, are the same without the harness."""

    def run(where: Path) -> tuple[bool, list[Any]]:
        with closing(sqlite3.connect(where)) as connection:
            DOING[way][0](connection)
            rows = connection.execute("SELECT name FROM things").fetchall()
            return connection.in_transaction, rows

    _made(stage.elsewhere / "a.db")
    assert stage.returned(lambda: run(path)) == run(stage.elsewhere / "a.db")


def test_each_row_is_a_point_where_each_is_a_transaction(path: Path, stage: Stage) -> None:
    """`executemany` in autocommit mode: a crash can come between two rows."""

    def run() -> int:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            return connection.executemany(INSERT, "abc").rowcount

    assert short(stage.points(run)) == ROW * 3
    assert stage.returned(run) == 3
    stage.run_process(run, "process.kill@sqlite.insert:shared/a.db:things#2:after", trace=False)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM things").fetchone() == (3 + 3 + 2,)


def test_explicit_transactions_without_isolation_level(path: Path, stage: Stage) -> None:
    """BEGIN and COMMIT as statements."""

    def run() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in ("BEGIN IMMEDIATE", "INSERT INTO things VALUES (1)", "END"):
                connection.execute(statement)

    assert short(stage.points(run)) == ["begin shared/a.db", *COMMITTED]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the attribute came with Python 3.12")
@pytest.mark.parametrize(("autocommit", "expected"), [(True, ROW), (False, COMMITTED)])
def test_the_autocommit_attribute(autocommit: bool, expected: list[str], path: Path, stage: Stage) -> None:
    """With it a connection commits by itself; without, a block does."""

    def run() -> None:
        with closing(sqlite3.connect(path, autocommit=autocommit)) as connection, connection:  # type: ignore[call-arg]
            connection.execute(INSERT, "a")

    assert short(stage.points(run)) == expected


def test_row_factories_work(path: Path, stage: Stage) -> None:
    """Rows by name, from connection and cursor."""

    def run() -> list[Any]:
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute(INSERT, ("a",))
            first = connection.execute("SELECT name FROM things").fetchone()["name"]
            cursor = connection.cursor()
            cursor.row_factory = lambda cursor, row: list(row)
            return [first, cursor.execute("SELECT name FROM things").fetchall(), cursor.connection is connection]

    assert stage.returned(run) == ["a", [["a"]], True]


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.parametrize(
    ("point", "rows"),
    [
        ("insert:shared/a.db:things#2:before", 0),
        ("insert:shared/a.db:things#2:after", 0),
        ("commit:shared/a.db#1:before", 0),
        ("commit:shared/a.db#1:after", 2),
    ],
)
def test_a_crash_in_a_transaction_takes_all_of_it_back(
    point: str, rows: int, mode: str, path: Path, stage: Stage
) -> None:
    """Nothing before the commit, everything after it, in both journal modes."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")

    def run() -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(INSERT, "a")
            connection.execute(INSERT, "b")

    assert stage.run_process(run).unintercepted == []
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM things")
    start = stage.run_process(run, trace=False).start
    assert start.disk
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM things")
    process = stage.run_process(run, f"process.kill@sqlite.{point}", trace=False)
    assert process.outcome.kind == "killed"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM things").fetchone() == (rows,)


def test_two_connections(path: Path, stage: Stage) -> None:
    """One is locked out while the other writes, as in life; then its own turn comes."""

    def run() -> str:
        with closing(sqlite3.connect(path)) as one, closing(sqlite3.connect(path, timeout=0)) as other:
            one.execute(INSERT, "a")
            with pytest.raises(sqlite3.OperationalError, match="database is locked"):
                other.execute(INSERT, "b")
            one.commit()
            with other:
                other.execute(INSERT, "c")
            return str(other.execute("SELECT group_concat(name, '') FROM things").fetchone()[0])

    assert stage.returned(run) == "ac"


@pytest.mark.parametrize("point", ["insert:shared/a.db:things#1", "commit:shared/a.db#1"])
def test_a_locked_database_did_nothing(point: str, path: Path, stage: Stage) -> None:
    """The error is SQLite's own, the block rolls back, and the next try works."""

    def run() -> str:
        with closing(sqlite3.connect(path)) as connection:
            try:
                with connection:
                    connection.execute(INSERT, "a")
            except sqlite3.OperationalError as error:
                assert not connection.in_transaction
                assert connection.execute("SELECT * FROM things").fetchall() == []
                with connection:
                    connection.execute(INSERT, "b")
                return str(error)
        return "not struck"

    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM things")
    process = stage.run_process(run, "")
    assert process.outcome.value == "not struck"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM things")
    assert stage.returned(run, f"sqlite.locked@sqlite.{point}") == "database is locked"


def test_a_backup_is_a_point_of_its_target(path: Path, stage: Stage) -> None:
    """The copy is made in C, page by page."""

    def run() -> None:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(stage.own / "copy.db")) as target:
            source.backup(target)

    assert short(stage.points(run)) == ["open own/copy.db", "backup own/copy.db"]


CLOCKS = {
    "SELECT CURRENT_TIMESTAMP": "%Y-%m-%d %H:%M:%S",
    "SELECT CURRENT_DATE": "%Y-%m-%d",
    "SELECT CURRENT_TIME": "%H:%M:%S",
    "SELECT datetime('now')": "%Y-%m-%d %H:%M:%S",
    "SELECT datetime()": "%Y-%m-%d %H:%M:%S",
    "SELECT DATETIME('NOW')": "%Y-%m-%d %H:%M:%S",
    "SELECT date('now')": "%Y-%m-%d",
    "SELECT strftime('%Y-%m-%d', 'now')": "%Y-%m-%d",
    "SELECT strftime('%s', 'now')": "%s",
    "SELECT CAST(unixepoch('now') AS TEXT)": "%s",
    "SELECT datetime('now', '+0 days')": "%Y-%m-%d %H:%M:%S",
    "INSERT INTO dated (name) VALUES ('x') RETURNING at": "%Y-%m-%d %H:%M:%S",
}


@pytest.mark.parametrize("sql", CLOCKS)
def test_the_clock_inside_sql_is_the_virtual_one(sql: str, path: Path, stage: Stage) -> None:
    """Functions, keywords and defaults of columns follow the agent's clock."""

    def run() -> tuple[str, str, str]:
        with closing(sqlite3.connect(path)) as connection:
            time.sleep(86400 * 400)
            said = connection.execute(sql).fetchone()[0]
            now = time.time()
            texts = [time.strftime(CLOCKS[sql], time.gmtime(t)) for t in (now - 1, now)]
            if CLOCKS[sql] == "%s":
                texts = [str(int(now - 1)), str(int(now))]
            return said, texts[0], texts[1]

    said, earlier, now = stage.returned(run)
    assert said in (earlier, now)


def test_other_times_stay_what_they_are(path: Path, stage: Stage) -> None:
    """Only now moves."""

    def run() -> list[Any]:
        with closing(sqlite3.connect(path)) as connection:
            queries = (
                "datetime('2020-01-01', '+1 month')",
                "strftime('%W', '2020-06-01')",
                "date(NULL)",
                "julianday(0)",
            )
            return [connection.execute(f"SELECT {query}").fetchone()[0] for query in queries]

    assert stage.returned(run) == ["2020-02-01 00:00:00", "22", None, 0.0]


async def _with_aiosqlite(path: Path) -> None:
    async with aiosqlite.connect(path) as connection:
        await connection.execute(INSERT, ("a",))
        await connection.commit()


def test_aiosqlite_is_seen(path: Path, stage: Stage) -> None:
    """From its thread, unmodified."""
    assert short(stage.points(lambda: _with_aiosqlite(path))) == COMMITTED


def test_aiosqlite_is_no_reason_to_time_out(path: Path, stage: Stage) -> None:
    """A timer beside it waits for the thread's work."""

    async def run() -> str:
        for _ in range(3):
            await asyncio.wait_for(_with_aiosqlite(path), 1)
        return "done"

    assert stage.returned(run) == "done"


def test_sqlalchemy_core_is_seen(path: Path, stage: Stage) -> None:
    """A block of an engine that was made before the exploration."""
    engine = sqlalchemy.create_engine(f"sqlite:///{path}", poolclass=sqlalchemy.NullPool)

    def run() -> None:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("INSERT INTO things VALUES (:name)"), {"name": "a"})

    assert short(stage.points(run)) == COMMITTED


class _Base(orm.DeclarativeBase):
    pass


class _Thing(_Base):
    __tablename__ = "orm_things"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]


@pytest.mark.parametrize(("commits", "last"), [(True, "commit"), (False, "rollback")])
def test_sqlalchemy_sessions_are_seen(commits: bool, last: str, stage: Stage) -> None:
    """Commit and rollback of a session."""
    path = stage.shared / "orm.db"
    setup = sqlalchemy.create_engine(f"sqlite:///{path}")
    _Base.metadata.create_all(setup)
    setup.dispose()

    def run() -> None:
        engine = sqlalchemy.create_engine(f"sqlite:///{path}")
        with orm.Session(engine) as session:
            session.add(_Thing(name="a"))
            session.flush()
            session.commit() if commits else session.rollback()
        engine.dispose()

    assert short(stage.points(run)) == ["insert shared/orm.db:orm_things", f"{last} shared/orm.db"]


def test_threads_that_wait_for_each_others_locks_come_through(path: Path, stage: Stage) -> None:
    """Each writes in transactions of its own; SQLite's locks and the gate do not block each other."""

    def work(letter: str) -> None:
        with closing(sqlite3.connect(path)) as connection:
            for _ in range(4):
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    connection.execute(INSERT, letter)

    def run() -> list[int]:
        threads = [threading.Thread(target=work, args=(letter,), name=letter) for letter in "xyz"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with closing(sqlite3.connect(path)) as connection:
            return [n for (n,) in connection.execute("SELECT count(*) FROM things GROUP BY name ORDER BY name")]

    process = stage.run_process(run)
    assert process.outcome.value == [4, 4, 4], process.outcome
    assert len(process.points) == 3 * 4 * 3
    assert process.unintercepted == []
