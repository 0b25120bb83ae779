"""A process that dies in its very first moments: while it makes its own store."""

import sqlite3
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest

from ..exploring import explored, options, replayed

VERSION = 3


def storing(*, right: bool) -> Any:
    """Return an agent that makes its tables at its first start; the wrong one writes their version in a second step.

    It makes them where there is no version, and dies of "table already exists" where it died before the version was
    written: its store is bricked.
    """

    def opened(path: Any) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            if right:
                connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE notes (text TEXT)")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            if right:
                connection.execute("COMMIT")
        return connection

    def note(path: Any) -> None:
        with closing(opened(path)) as connection:
            if not connection.execute("SELECT count(*) FROM notes").fetchone()[0]:
                connection.execute("INSERT INTO notes VALUES ('hello')")

    def explore(chaos: Any, folder: Any) -> None:
        shared = folder / "shared"
        shared.mkdir()
        chaos.watch(shared)
        chaos.explore(run=lambda: note(shared / "notes.db"))

    return SimpleNamespace(explore=explore)


def test_a_store_that_is_half_made_is_found(tmp_path: Any) -> None:
    """A kill between the tables and their version: the next start fails for ever; in one transaction it does not."""
    kill = (options().known["process.kill"],)
    wrong = explored(storing(right=False), tmp_path / "wrong", faults=kill)
    assert "recovery_succeeds" in wrong.violations[0].invariants
    assert wrong.violations[0].schedule == "process.kill@sqlite.create:shared/notes.db:notes#1:after"
    again = replayed(storing(right=False), tmp_path / "again", wrong.violations[0].schedule)
    assert again.violations[0].invariants == wrong.violations[0].invariants
    right = explored(storing(right=True), tmp_path / "right", faults=kill)
    assert (right.violations, right.errors, right.flaky) == ((), (), ())
    assert "exhaustive" in right.statement


@pytest.mark.parametrize("moment", ["before", "after"])
def test_the_file_of_a_database_comes_with_its_opening(moment: str, tmp_path: Any) -> None:
    """An empty file that a crash leaves right then is a store as good as none."""
    token = f"process.kill@sqlite.open:shared/notes.db#1:{moment}"
    assert replayed(storing(right=True), tmp_path / "e", token).violations == ()
