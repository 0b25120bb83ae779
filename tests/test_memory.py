"""An exploration leaves nothing of itself in the test's process: a session has many, and each forks from there."""

import gc
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from rollproof.engine.execute import Executor
from rollproof.engine.process_runs import ProcessRun, RawState
from rollproof.values.world import Entry, World
from rollproof.world.storage.disk import DiskState, RawEntry
from rollproof.world.storage.remembering import Remembered, forget_all, held

from .exploring import explored, in_two_folders, only

OF_AN_EXPLORATION = (Executor, ProcessRun, RawState, DiskState, RawEntry, World, Entry)


def pay(shared: Path, own: Path) -> None:
    """Take a note, then pay: whoever dies in between pays twice."""
    with closing(sqlite3.connect(own / "memory.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS paid (who TEXT)")
        with (shared / "payments.txt").open("a") as file:
            file.write("10 EUR\n")
        connection.execute("INSERT INTO paid VALUES ('board')")


def alive() -> Counter[type]:
    """Count the objects of an exploration that are there, after a collection of garbage."""
    gc.collect()
    return Counter(type(each) for each in gc.get_objects() if type(each) in OF_AN_EXPLORATION)


def test_nothing_of_an_exploration_is_left(tmp_path):
    """Its states, processes and caches are gone when its result is there, the one of a broken agent included."""
    before = alive()
    result = explored(in_two_folders(pay), tmp_path, **only("process.kill"), first=True)
    assert result.violations
    assert alive() - before == Counter()
    assert not held()


def test_a_cache_keeps_what_was_used_last():
    """By bytes or by number: the oldest goes first, and one that is larger than the limit stays alone."""
    small, few = Remembered[int, bytes](limit_bytes=3000), Remembered[int, int](most=2)
    for number in (1, 2, 1, 3):
        small.get(number, lambda: bytes(1000), len)
        few.keep(number, number, 0)
    assert [small.find(number) is not None for number in (1, 2, 3)] == [True, False, True]
    assert [few.find(number) for number in (1, 2, 3)] == [1, None, 3]
    small.get(4, lambda: bytes(9000), len)
    assert [number for number in range(5) if small.find(number)] == [4]
    assert held()
    forget_all()
    assert not held()
