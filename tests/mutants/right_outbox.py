"""An order and its outgoing message are one transaction; the message is sent from the outbox, with its stored key.

A naive harness accuses it: a crash between the request and the delete of the outbox row sends the message again. The
key makes that harmless.
"""

import json
import sqlite3
import uuid
from contextlib import closing

import aiosqlite
import httpx

SERVICE = "https://api.warehouse.test"
SCHEMA = """
CREATE TABLE orders (number TEXT PRIMARY KEY, sku TEXT, count INTEGER);
CREATE TABLE outbox (key TEXT PRIMARY KEY, path TEXT, body TEXT);
"""


async def place_order(database, number, sku, count):
    """Store order and message together, then deliver."""
    async with aiosqlite.connect(database) as shop:
        await shop.execute("INSERT INTO orders VALUES (?, ?, ?)", (number, sku, count))
        body = json.dumps({"order": number, "sku": sku, "count": count})
        await shop.execute("INSERT INTO outbox VALUES (?, '/shipments', ?)", (uuid.uuid4().hex, body))
        await shop.commit()
        await deliver(shop)
    return "order placed"


async def deliver(shop):
    """Send what is in the outbox; a message leaves it when the other side has it."""
    async with shop.execute("SELECT key, path, body FROM outbox ORDER BY rowid") as cursor:
        messages = await cursor.fetchall()
    async with httpx.AsyncClient(base_url=SERVICE, timeout=10) as client:
        for key, path, body in messages:
            answer = await client.post(path, json=json.loads(body), headers={"Idempotency-Key": key})
            answer.raise_for_status()
            await shop.execute("DELETE FROM outbox WHERE key = ?", (key,))
            await shop.commit()


async def resume(database):
    """Deliver what a run that died has left in the outbox."""
    async with aiosqlite.connect(database) as shop:
        await deliver(shop)


BREAKS = set()


def explore(chaos, tmp_path):
    """One watched database with its tables, one warehouse."""
    database = tmp_path / "shop.db"
    with closing(sqlite3.connect(database)) as shop:
        shop.executescript(SCHEMA)
    chaos.watch(database)
    chaos.api(SERVICE)
    chaos.explore(run=lambda: place_order(database, "A-2", "panel", 4), recover=lambda: resume(database))
