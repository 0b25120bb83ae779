"""An order is a draft row with an AUTOINCREMENT id, item rows that refer to it, and a line appended to a ledger.

A naive harness accuses it: a rolled back order burns its ids, so that the clean second run gets others, and a ledger
only grows. Recovery cuts the ledger back to the size that the draft remembers, and deletes the draft.
"""

import os
import sqlite3
from contextlib import closing

SCHEMA = """
CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, number TEXT UNIQUE, state TEXT, ledger_size INTEGER);
CREATE TABLE items (id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER NOT NULL REFERENCES orders (id), sku TEXT);
INSERT INTO orders (number, state) VALUES ('A-1', 'placed');
INSERT INTO items (order_id, sku) VALUES (1, 'cable');
"""


def place_order(shared, number, skus):
    """Draft, append, and place: the last update is the commit."""
    ledger = shared / "ledger.csv"
    with closing(sqlite3.connect(shared / "shop.db")) as shop:
        with shop:
            draft = "INSERT INTO orders (number, state, ledger_size) VALUES (?, 'draft', ?)"
            order_id = shop.execute(draft, (number, ledger.stat().st_size)).lastrowid
            shop.executemany("INSERT INTO items (order_id, sku) VALUES (?, ?)", [(order_id, sku) for sku in skus])
        with open(ledger, "a") as file:
            file.write(f"{number};{len(skus)} items\n")
            file.flush()
            os.fsync(file.fileno())
        with shop:
            shop.execute("UPDATE orders SET state = 'placed', ledger_size = NULL WHERE id = ?", (order_id,))
    return "order placed"


def roll_back(shared):
    """Take back each draft: first its line, whole or torn, then its rows."""
    ledger = shared / "ledger.csv"
    with closing(sqlite3.connect(shared / "shop.db")) as shop:
        drafts = shop.execute("SELECT id, ledger_size FROM orders WHERE state = 'draft'").fetchall()
        for order_id, size in drafts:
            if ledger.stat().st_size > size:
                os.truncate(ledger, size)
            with shop:
                shop.execute("DELETE FROM items WHERE order_id = ?", (order_id,))
                shop.execute("DELETE FROM orders WHERE id = ?", (order_id,))


BREAKS = set()


def explore(chaos, tmp_path):
    """One watched folder with the shop's database and its ledger, both with an earlier order."""
    shared = tmp_path / "shared"
    shared.mkdir()
    with closing(sqlite3.connect(shared / "shop.db")) as shop:
        shop.executescript(SCHEMA)
    (shared / "ledger.csv").write_text("A-1;1 items\n")
    chaos.watch(shared)
    chaos.explore(run=lambda: place_order(shared, "A-2", ("panel", "battery")), recover=lambda: roll_back(shared))
