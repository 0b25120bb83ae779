"""A price list is replaced by deleting its rows and inserting the new ones, each statement on its own.

A failure between two of them leaves a price list with holes, and recovery has nothing to put back.
"""

import sqlite3
from contextlib import closing

NEW = {"cable": 450, "panel": 21900, "battery": 88000}


def replace_prices(database):
    """Delete the old prices, insert the new ones."""
    with closing(sqlite3.connect(database, isolation_level=None)) as shop:
        shop.execute("DELETE FROM prices")
        for sku, cents in NEW.items():
            shop.execute("INSERT INTO prices VALUES (?, ?)", (sku, cents))
    return "replaced"


def restart(database):
    """Check that the database can be opened; SQLite itself rolls back what was open."""
    with closing(sqlite3.connect(database)) as shop:
        shop.execute("SELECT count(*) FROM prices").fetchone()


BREAKS = {"all_or_nothing"}
CAUSES = ["missing: sqlite.delete:prices.db:prices in replace_prices"]


def explore(chaos, tmp_path):
    """One watched database with the old prices."""
    database = tmp_path / "prices.db"
    with closing(sqlite3.connect(database)) as shop:
        shop.execute("CREATE TABLE prices (sku TEXT PRIMARY KEY, cents INTEGER)")
        shop.executemany("INSERT INTO prices VALUES (?, ?)", [("cable", 400), ("panel", 20000)])
        shop.commit()
    chaos.watch(database)
    chaos.explore(run=lambda: replace_prices(database), recover=lambda: restart(database))
