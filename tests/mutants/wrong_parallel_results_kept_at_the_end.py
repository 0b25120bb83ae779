"""Two orders are placed side by side, and what came of them is written down when both are through.

A restart cancels what an unfinished batch is known to have placed. A crash while one order is placed and the other is
not leaves it unknown: nothing is written down yet, and that order stays for ever.
"""

import asyncio
import contextlib
import json
import os

import httpx

API = "https://api.shop.test/orders"
ITEMS = ("lamp", "desk")


async def place(client, item):
    """Place one order and return its number."""
    answer = await client.post(API, json={"item": item})
    answer.raise_for_status()
    return answer.json()["id"]


async def order(own):
    """Place all orders at once; remember their numbers."""
    async with httpx.AsyncClient() as client:
        numbers = await asyncio.gather(*(place(client, item) for item in ITEMS))
    draft = own / "orders.json.part"
    draft.write_text(json.dumps(numbers))
    os.replace(draft, own / "orders.json")


async def restart(own):
    """Cancel what a batch that was not finished placed, as far as that is known."""
    draft = own / "orders.json.part"
    if draft.exists():
        with contextlib.suppress(ValueError):
            async with httpx.AsyncClient() as client:
                for number in json.loads(draft.read_text()):
                    await client.delete(f"{API}/{number}")
        draft.unlink()


BREAKS = {"all_or_nothing"}
CAUSES = ["missing: http.post:api.shop.test/orders in place"]


def explore(chaos, tmp_path):
    """A private folder and a shop."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api("https://api.shop.test")
    chaos.explore(run=lambda: order(own), recover=lambda: restart(own))
