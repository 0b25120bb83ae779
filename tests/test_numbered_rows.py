"""A table of numbered rows has each process's number in some row: that is no pid, and nothing else is found."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from .exploring import explored, only

ROWS = 2_000


def numbering(first: int) -> SimpleNamespace:
    """Return an agent that enters an order between files, beside a table whose numbers begin at `first`."""

    def explore(chaos, folder: Path) -> None:
        work, shop = folder / "work", folder / "shop.db"
        work.mkdir()
        with closing(sqlite3.connect(shop)) as made, made:
            made.execute("CREATE TABLE items (number INTEGER)")
            made.execute("CREATE TABLE orders (item TEXT)")
            made.executemany("INSERT INTO items VALUES (?)", ((number,) for number in range(first, first + ROWS)))

        def order() -> None:
            (work / "begun").write_text("yes")
            with closing(sqlite3.connect(shop)) as connection, connection:
                connection.execute("DELETE FROM orders")
                connection.execute("INSERT INTO orders VALUES ('book')")
            (work / "done").write_text("yes")

        chaos.watch(work)
        chaos.watch(shop)
        chaos.explore(run=order)

    return SimpleNamespace(explore=explore)


def test_numbers_that_read_as_pids_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither are states told apart by them, nor is a process forked again and again for one without."""
    from rollproof.boundary.process.fork_server import ForkServer

    forks = []
    child = ForkServer.child
    monkeypatch.setattr(ForkServer, "child", lambda server: (forks.append(1), child(server))[1])

    def figures(name: str, first: int) -> tuple[int, ...]:
        forks.clear()
        found = explored(numbering(first), tmp_path / name, **only("process.kill"))
        assert not found.errors
        return found.executions, found.worlds, found.schedules, len(forks)

    assert figures("pids", os.getpid()) == figures("others", 50_000_000)
