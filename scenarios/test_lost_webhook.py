"""An agent ships what is paid for, as a payment service tells it by webhook; its endpoint was down, one never comes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from rollproof import Chaos
from rollproof.runtime.audit import verify

PAYMENTS, SHIPPING = "https://api.payments.test", "https://api.shipping.test"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PAID = [{"id": "pay_1", "order": "A17"}, {"id": "pay_2", "order": "B42"}]


class Shop:
    """Notes what is paid for as soon as it hears of it, and ships what is noted."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        with database:
            database.execute("CREATE TABLE IF NOT EXISTS paid (id TEXT PRIMARY KEY, item TEXT, shipped INT DEFAULT 0)")

    def take(self, webhook: Any) -> int:
        """Note a payment; it is answered with 200 only when that is kept. An event that comes again changes nothing."""
        verify(SECRET, webhook.headers, webhook.body)
        self.note([webhook.json()["data"]])
        return 200

    def reconcile(self) -> None:
        """Note what the payment service knows of: a sender gives up, and what came of that is nowhere but there."""
        self.note(httpx.get(f"{PAYMENTS}/payments").raise_for_status().json())

    def note(self, payments: list[dict[str, Any]]) -> None:
        """Keep payments, each once."""
        known = {id for (id,) in self.database.execute("SELECT id FROM paid")}
        new = [(payment["id"], payment["order"]) for payment in payments if payment["id"] not in known]
        if new:
            with self.database:
                self.database.executemany("INSERT INTO paid (id, item) VALUES (?, ?)", new)

    def ship(self) -> None:
        """Send a parcel for each payment that has none, under the payment's key."""
        for id, item in self.database.execute("SELECT id, item FROM paid WHERE NOT shipped ORDER BY id").fetchall():
            headers = {"Idempotency-Key": f"parcel-for-{id}"}
            httpx.post(f"{SHIPPING}/parcels", json={"order": item}, headers=headers).raise_for_status()
            with self.database:
                self.database.execute("UPDATE paid SET shipped = 1 WHERE id = ?", (id,))


def work(own: Path, hooks: Any) -> None:
    """Take what comes, ask for what did not, and ship: what the service does all day, and when it starts again."""
    with closing(sqlite3.connect(own / "shop.db")) as database:
        shop = Shop(database)
        hooks.deliver(to=shop.take)
        shop.reconcile()
        shop.ship()


@pytest.mark.chaos(faults="*,webhook.lost", epic="Payments", feature="Webhooks")
def test_what_is_paid_for_is_shipped_once_whatever_becomes_of_its_webhook(chaos: Chaos, tmp_path: Path) -> None:
    """A parcel for each payment, though events come twice, late, in another order, or never."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api(PAYMENTS, seed={"payments": PAID})
    parcels = chaos.api(SHIPPING)
    hooks = chaos.twin("webhooks", secret=SECRET, events=[("payment.succeeded", payment) for payment in PAID])

    chaos.explore(run=lambda: work(own, hooks), recover=lambda: work(own, hooks))

    assert sorted(parcel["order"] for parcel in parcels.resources("parcels")) == ["A17", "B42"]
    assert hooks.pending == []
