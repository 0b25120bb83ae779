"""Two orders are placed side by side; a restart that finds the second one in the shop takes the first for placed too.

So it is, when the answers come in the order of the questions. When the second one is faster and the process dies then,
the first order is never placed.
"""

import asyncio

import httpx

API = "https://api.shop.test/orders"
ITEMS = ("lamp", "desk")


async def place(client, item):
    """Place one order, once however often it is tried."""
    answer = await client.post(API, json={"item": item}, headers={"Idempotency-Key": f"order-{item}"})
    answer.raise_for_status()


async def order(own):
    """Place all orders at once and leave a mark."""
    async with httpx.AsyncClient() as client:
        await asyncio.gather(*(place(client, item) for item in ITEMS))
    (own / "ordered").touch()


async def restart(own):
    """Order what the shop does not have, the last one first."""
    if not (own / "ordered").exists():
        async with httpx.AsyncClient() as client:
            there = [one["item"] for one in (await client.get(API)).json()]
            missing = ITEMS if ITEMS[-1] not in there else ()
            for item in missing:
                await place(client, item)
        (own / "ordered").touch()


BREAKS = {"all_or_nothing"}
CAUSES = ["missing: http.post:api.shop.test/orders in place"]


def explore(chaos, tmp_path):
    """A private folder and a shop."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api("https://api.shop.test")
    chaos.explore(run=lambda: order(own), recover=lambda: restart(own))
