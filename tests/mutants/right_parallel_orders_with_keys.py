"""Two orders are placed side by side, each under a key of its own, and what came of them is written down at the end.

A crash at any moment, whichever of the two was faster, places them again under the same keys: nothing is ordered twice.
"""

import asyncio
import json
import os

import httpx

API = "https://api.shop.test/orders"
ITEMS = ("lamp", "desk")


async def place(client, item):
    """Place one order, once however often it is tried, and return its number."""
    answer = await client.post(API, json={"item": item}, headers={"Idempotency-Key": f"order-{item}"})
    answer.raise_for_status()
    return answer.json()["id"]


async def order(own):
    """Place all orders at once; remember their numbers."""
    record = own / "orders.json"
    if record.exists():
        return
    async with httpx.AsyncClient() as client:
        numbers = await asyncio.gather(*(place(client, item) for item in ITEMS))
    draft = own / "orders.json.part"
    draft.write_text(json.dumps(numbers))
    os.replace(draft, record)


async def restart(own):
    """Order again what is not remembered."""
    (own / "orders.json.part").unlink(missing_ok=True)
    await order(own)


BREAKS = frozenset()


def explore(chaos, tmp_path):
    """A private folder and a shop."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api("https://api.shop.test")
    chaos.explore(run=lambda: order(own), recover=lambda: restart(own))
