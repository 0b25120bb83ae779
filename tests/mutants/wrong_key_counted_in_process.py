"""Each request has a key of the run's name and a number that is counted in the process.

A start skips what is done and counts from one: the second request carries the first one's key, the service answers it
with the first one's answer, and does nothing.
"""

import itertools

import httpx

ORDERS = "https://api.supply.test/orders"
GOODS = ("panel", "cable")


def keys():
    """Return a function that gives each request its key."""
    count = itertools.count(1)
    return lambda goods: f"run-7/{next(count)}"


def order_all(own, keys=keys):
    """Order what is not ordered."""
    key_of = keys()
    for goods in GOODS:
        note = own / goods
        if not note.exists():
            headers = {"Idempotency-Key": key_of(goods)}
            httpx.post(ORDERS, json={"goods": goods}, headers=headers, timeout=10).raise_for_status()
            note.touch()
    return "ordered"


BREAKS = {"all_or_nothing"}
CAUSES = ["missing: http.post:api.supply.test/orders in order_all, HTTPStatusError"]


def explore(chaos, tmp_path, keys=keys):
    """A supplier, and a private folder with a note of each order; the supervisor starts the agent again."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api("https://api.supply.test")
    chaos.explore(run=lambda: order_all(own, keys))
