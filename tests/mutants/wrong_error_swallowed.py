"""An invoice and its lines are stored in one transaction; a database error is logged and the same success is returned.

After a locked database or a full disk the caller hears "filed" and no row is there.
"""

import logging
import sqlite3
from contextlib import closing

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE invoices (number TEXT PRIMARY KEY, customer TEXT, total_cents INTEGER);
CREATE TABLE lines (number TEXT, place INTEGER, text TEXT, cents INTEGER, PRIMARY KEY (number, place));
"""
LINES = [("panel", 12000), ("battery", 45000), ("delivery", 900)]


def store(database, number, customer, lines):
    """One transaction; storing the same invoice again changes nothing."""
    with closing(sqlite3.connect(database)) as connection, connection:
        total = sum(cents for _, cents in lines)
        connection.execute("INSERT OR IGNORE INTO invoices VALUES (?, ?, ?)", (number, customer, total))
        rows = [(number, place, text, cents) for place, (text, cents) in enumerate(lines)]
        connection.executemany("INSERT OR IGNORE INTO lines VALUES (?, ?, ?, ?)", rows)


def file_invoice(database, number):
    """Store the invoice and tell the caller so."""
    try:
        store(database, number, "Ada", LINES)
    except sqlite3.Error as error:
        log.warning("invoice %s could not be stored: %s", number, error)
    return {"invoice": number, "status": "filed"}


BREAKS = {"honest_outcome"}
CAUSES = ["untrue: sqlite.insert:books.db:invoices in store"]


def explore(chaos, tmp_path):
    """One watched database with its tables; the supervisor starts the agent again after a failure."""
    database = tmp_path / "books.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(SCHEMA)
    chaos.watch(database)
    chaos.explore(run=lambda: file_invoice(database, "R-2041"))
