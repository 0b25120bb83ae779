"""Migrates a customer database in SQLite from one name column to a given name and a family name.

Bug: sqlite3 opens its transaction before the UPDATE, not before the ALTER TABLE, which is committed at once in spite
of `with con`. It shows when the process dies (or an error comes) after the first ALTER TABLE and before the commit:
every later start fails with "duplicate column name".
"""

import sqlite3
from contextlib import closing
from pathlib import Path

BREAKS = {"recovery_succeeds"}
CAUSES = ["missing: sqlite.update:crm/customers.db:customers in to_version_2, OperationalError"]


def version_of(con: sqlite3.Connection) -> int:
    """Return the version of the schema."""
    return con.execute("PRAGMA user_version").fetchone()[0]


def to_version_2(con: sqlite3.Connection) -> None:
    """Split the names, as one transaction."""
    with con:
        con.execute("ALTER TABLE customers ADD COLUMN given TEXT")
        con.execute("ALTER TABLE customers ADD COLUMN family TEXT")
        con.execute(
            "UPDATE customers SET given = substr(name, 1, instr(name, ' ') - 1),"
            " family = substr(name, instr(name, ' ') + 1)"
        )
        con.execute("PRAGMA user_version = 2")


def migrate(database: Path) -> list[str]:
    """Bring the database to version 2 where it is older, and return the family names."""
    with closing(sqlite3.connect(database)) as con:
        if version_of(con) < 2:
            to_version_2(con)
        return [family for (family,) in con.execute("SELECT family FROM customers ORDER BY family")]


def explore(chaos, tmp_path):
    """A database of version 1 with three customers is migrated when the service starts."""
    folder = tmp_path / "crm"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "customers.db")) as con, con:
        con.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        con.executemany(
            "INSERT INTO customers (name) VALUES (?)", [("Ada Lovelace",), ("Emmy Noether",), ("Lise Meitner",)]
        )
        con.execute("PRAGMA user_version = 1")
    chaos.watch(folder)
    return chaos.explore(run=lambda: migrate(folder / "customers.db"))
