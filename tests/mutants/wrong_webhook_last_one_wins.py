"""Keeps the state of an order as the shop tells it by webhooks: created, paid, shipped.

Bug: it writes what comes last, and senders keep no order. An event that comes late takes the order back.
"""

import json
import os

BREAKS = {"all_or_nothing"}
CAUSES = ["not the same: file.replace:shared/order.json in keep"]
FAULTS = ("webhook.reordered", "webhook.late")


def keep(event, shared):
    """Write the state of the order."""
    fresh = shared / "order.tmp"
    fresh.write_text(json.dumps(event.data), encoding="utf-8")
    os.replace(fresh, shared / "order.json")


def explore(chaos, tmp_path, keep=keep):
    """An order is created, paid and shipped."""
    shared = tmp_path / "shared"
    shared.mkdir()
    chaos.watch(shared)
    hooks = chaos.twin("webhooks")
    for version, status in enumerate(("created", "paid", "shipped"), 1):
        hooks.emit(f"order.{status}", {"status": status, "version": version})

    def work():
        hooks.deliver(to=lambda event: keep(event, shared))

    return chaos.explore(run=work, recover=work)
