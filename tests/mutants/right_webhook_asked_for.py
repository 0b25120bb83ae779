"""Ships what was paid for when the payment service says so by webhook, and asks it which payments there are.

Right whatever the sender does: each parcel has the key of its payment, so neither order nor number of events count; and
what the sender has given up stands in the list of payments.
"""

import httpx

from . import wrong_webhook_never_asked_for as wrong

BREAKS = set()
_OF_SENDERS = ("twice", "lost_answer", "reordered", "late", "lost")
FAULTS = ("process.kill", *(f"webhook.{name}" for name in _OF_SENDERS))


def work(hooks):
    """Take what the payment service says, then look for what it did not say."""
    hooks.deliver(to=lambda event: wrong.ship(event.data["id"]))
    for payment in httpx.get(f"{wrong.PAYMENTS}/payments").raise_for_status().json():
        wrong.ship(payment["id"])


def explore(chaos, tmp_path):
    """Two orders are paid."""
    return wrong.explore(chaos, tmp_path, work)
