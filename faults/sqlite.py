"""What an SQLite database says to those who write."""

import sqlite3
from collections.abc import Iterator

from rollproof.values.actions import Action, Fail
from rollproof.values.faults import fault
from rollproof.values.points import Effect


@fault("sqlite.locked", at="sqlite", lasting=True, told="{doing} failed: the database was locked")
def locked(effect: Effect) -> Iterator[Action]:
    """Another process holds the database: "database is locked", and the statement did nothing."""
    if effect.point.verb not in ("open", "rollback"):
        yield Fail(sqlite3.OperationalError("database is locked"))


@fault("sqlite.full", at="sqlite", lasting=True, told="{doing} failed: the disk under the database was full")
def full(effect: Effect) -> Iterator[Action]:
    """The disk under the database is full: "database or disk is full", and the statement did nothing."""
    if effect.point.verb not in ("open", "rollback"):
        yield Fail(sqlite3.OperationalError("database or disk is full"))
