"""Places an order with payment and shipment over a REST service, and takes everything back after a breakdown.

Bug: the idempotency keys are made from the order's number alone, so the second attempt, after the first one was taken
back, uses them again. It shows when the order is placed again after a rollback: the service answers with what was
deleted, the agent reports "placed", and there is no order.
"""

from pathlib import Path

import httpx

BREAKS = {"clean_retry"}
SHOP = "https://shop.example.test"
KINDS = ("orders", "payments", "shipments")
CAUSES = ["missing: http.post:shop.example.test/orders in create"]


def client(token: str) -> httpx.Client:
    """Return a client of the shop."""
    return httpx.Client(base_url=SHOP, headers={"Authorization": f"Bearer {token}"}, timeout=10)


def create(api: httpx.Client, kind: str, number: str, details: dict) -> str:
    """Create a resource that belongs to an order, and return its id."""
    headers = {"Idempotency-Key": f"{number}-{kind}"}
    response = api.post(f"/{kind}", json={"number": number, **details}, headers=headers)
    response.raise_for_status()
    return response.json()["id"]


def place(number: str, item: str, cents: int, own: Path, token: str) -> str:
    """Place one order; as long as its file `.open` stands, it may still be taken back."""
    unfinished = own / f"{number}.open"
    unfinished.touch()
    with client(token) as api:
        order = create(api, "orders", number, {"item": item})
        create(api, "payments", number, {"order": order, "cents": cents})
        create(api, "shipments", number, {"order": order, "carrier": "pony"})
    unfinished.unlink()
    return "placed"


def take_back(own: Path, token: str) -> None:
    """Delete all that belongs to orders that were not finished, the last step first."""
    with client(token) as api:
        for unfinished in sorted(own.glob("*.open")):
            for kind in reversed(KINDS):
                found = api.get(f"/{kind}", params={"number": unfinished.stem})
                found.raise_for_status()
                for resource in found.json():
                    gone = api.delete(f"/{kind}/{resource['id']}")
                    if gone.status_code != 404:
                        gone.raise_for_status()
            unfinished.unlink()


def explore(chaos, tmp_path):
    """One order is placed; what was not finished is taken back at the next start."""
    own = tmp_path / "agent"
    own.mkdir()
    token = "shop-token-5d1f0c7a9b3e4826"
    chaos.private(own)
    chaos.api(SHOP, token=token)
    return chaos.explore(
        run=lambda: place("A-1001", "kettle", 3490, own, token),
        recover=lambda: take_back(own, token),
    )
