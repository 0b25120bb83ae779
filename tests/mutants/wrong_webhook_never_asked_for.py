"""Ships what was paid for when the payment service says so by webhook, each order under its own key.

Bug: it waits for the webhook alone. Where the sender has given up, nothing is ever shipped for that payment.
"""

import httpx

BREAKS = {"all_or_nothing"}
CAUSES = ["missing: http.post:ship.example.test/parcels in ship"]
FAULTS = ("webhook.lost", "webhook.twice")
SHIPPING, PAYMENTS = "https://ship.example.test", "https://pay.example.test"
PAID = ("pay_1", "pay_2")


def ship(payment):
    """Order a parcel; the key is the payment's."""
    key = {"Idempotency-Key": f"parcel for {payment}"}
    httpx.post(f"{SHIPPING}/parcels", json={"payment": payment}, headers=key).raise_for_status()


def work(hooks):
    """Take what the payment service says."""
    hooks.deliver(to=lambda event: ship(event.data["id"]))


def explore(chaos, tmp_path, work=work):
    """Two orders are paid."""
    chaos.api(SHIPPING)
    chaos.api(PAYMENTS, seed={"payments": [{"id": payment, "status": "succeeded"} for payment in PAID]})
    hooks = chaos.twin("webhooks", events=[("payment.succeeded", {"id": payment}) for payment in PAID])
    return chaos.explore(run=lambda: work(hooks), recover=lambda: work(hooks))
