"""A cancelled order gives its stock back, and nothing says that it has done so.

The first recovery is right; each further one gives the same stock back again.
"""

import sqlite3
from contextlib import closing

import httpx

SCHEMA = """
CREATE TABLE stock (sku TEXT PRIMARY KEY, pieces INTEGER);
CREATE TABLE orders (number TEXT PRIMARY KEY, sku TEXT, pieces INTEGER, state TEXT);
INSERT INTO stock VALUES ('cable', 10);
"""
SHIPMENTS = "https://api.ship.test/shipments"


def order(shop_file, number, sku, pieces):
    """Reserve, ask for the shipment, confirm."""
    with closing(sqlite3.connect(shop_file)) as shop:
        with shop:
            shop.execute("INSERT INTO orders VALUES (?, ?, ?, 'reserved')", (number, sku, pieces))
            shop.execute("UPDATE stock SET pieces = pieces - ? WHERE sku = ?", (pieces, sku))
        headers = {"Idempotency-Key": number}
        httpx.post(SHIPMENTS, json={"order": number}, headers=headers, timeout=10).raise_for_status()
        with shop:
            shop.execute("UPDATE orders SET state = 'confirmed' WHERE number = ?", (number,))
    return "ordered"


def cancel_unconfirmed(shop_file):
    """Take the shipment back, and then the reservation."""
    with closing(sqlite3.connect(shop_file)) as shop:
        open_orders = shop.execute("SELECT number, sku, pieces FROM orders WHERE state != 'confirmed'").fetchall()
        for number, sku, pieces in open_orders:
            found = httpx.get(SHIPMENTS, params={"order": number}, timeout=10)
            found.raise_for_status()
            for shipment in found.json():
                answer = httpx.delete(f"{SHIPMENTS}/{shipment['id']}", timeout=10)
                if answer.status_code != 404:
                    answer.raise_for_status()
            with shop:
                shop.execute("UPDATE stock SET pieces = pieces + ? WHERE sku = ?", (pieces, sku))
                shop.execute("UPDATE orders SET state = 'cancelled' WHERE number = ?", (number,))


def cancelled(world):
    """A cancelled order stays on record; the stock is as before, and nothing is on its way."""
    (row,) = world.tables["shop.db:orders"] or [{"state": "none"}]
    shipments = [thing for things in world.resources.values() for thing in things]
    return row["state"] == "cancelled" and world.tables["shop.db:stock"][0]["pieces"] == 10 and not shipments


BREAKS = {"recovery_idempotent"}
CAUSES = ["not the same: sqlite.update:shop.db:stock in cancel_unconfirmed"]


def explore(chaos, tmp_path):
    """The shop's database and a shipping service."""
    shop_file = tmp_path / "shop.db"
    with closing(sqlite3.connect(shop_file)) as shop:
        shop.executescript(SCHEMA)
    chaos.watch(shop_file)
    chaos.api("https://api.ship.test")
    chaos.explore(
        run=lambda: order(shop_file, "A-2", "cable", 3),
        recover=lambda: cancel_unconfirmed(shop_file),
        allow=cancelled,
        retry=False,
    )
