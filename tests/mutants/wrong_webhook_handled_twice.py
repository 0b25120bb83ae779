"""Ships what was paid for when the payment service says so by webhook.

Bug: an event is noted as handled after the parcel was ordered, and the order has no key: an event that comes twice
before it is noted, or whose answer the sender does not get, ships twice. It is not noted at all.
"""

import httpx

BREAKS = {"all_or_nothing"}
CAUSES = ["twice: http.post:ship.example.test/parcels in ship"]
FAULTS = ("webhook.twice", "webhook.lost_answer")
SHIPPING = "https://ship.example.test"


def ship(event):
    """Order a parcel."""
    httpx.post(f"{SHIPPING}/parcels", json={"order": event.data["order"]}).raise_for_status()


def explore(chaos, tmp_path):
    """One order is paid."""
    chaos.api(SHIPPING)
    hooks = chaos.twin("webhooks", events=[("payment.succeeded", {"order": "A17"})])
    return chaos.explore(run=lambda: hooks.deliver(to=ship), recover=lambda: hooks.deliver(to=ship))
