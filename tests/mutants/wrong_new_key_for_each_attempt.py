"""Every POST has an idempotency key, and every attempt has a new one.

A crash between the order at the supplier and the row that records it makes the next start order again.
"""

import sqlite3
import uuid
from contextlib import closing

import httpx

ORDERS = "https://api.supplier.test/orders"
PARTS = ("bolt",)


def order_all(own):
    """Start or start again: what is recorded is skipped, the rest is ordered and recorded."""
    with closing(sqlite3.connect(own / "orders.db")) as records:
        for part in PARTS:
            if records.execute("SELECT 1 FROM ordered WHERE part = ?", (part,)).fetchone():
                continue
            headers = {"Idempotency-Key": str(uuid.uuid4())}
            answer = httpx.post(ORDERS, json={"part": part}, headers=headers, timeout=10)
            answer.raise_for_status()
            with records:
                records.execute("INSERT INTO ordered VALUES (?, ?)", (part, answer.json()["id"]))
    return "ordered"


BREAKS = {"all_or_nothing"}
CAUSES = ["twice: http.post:api.supplier.test/orders in order_all"]


def explore(chaos, tmp_path):
    """One supplier, one private database; the supervisor starts the agent again after a failure."""
    own = tmp_path / "agent"
    own.mkdir()
    with closing(sqlite3.connect(own / "orders.db")) as records:
        records.execute("CREATE TABLE ordered (part TEXT PRIMARY KEY, supplier_id TEXT)")
        records.commit()
    chaos.private(own)
    chaos.api("https://api.supplier.test")
    chaos.explore(run=lambda: order_all(own))
