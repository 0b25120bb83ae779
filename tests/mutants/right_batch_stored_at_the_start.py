"""Tickets are booked side by side under a reference that is stored before; recovery asks for what stands under it.

A naive harness accuses it: the reference is another one in every run, and tickets are booked in any order.
"""

import asyncio
import uuid

import httpx

from . import wrong_batch_stored_at_the_end as rail


async def book_one(client, leg, reference):
    """Book one leg under the trip's reference."""
    (await client.post("/tickets", json={"leg": leg, "reference": reference})).raise_for_status()


async def book(own):
    """Store the reference, book all legs at once, and forget it when all is well."""
    reference = uuid.uuid4().hex
    rail.save(own / "booked.json", reference)
    async with httpx.AsyncClient(base_url=rail.SERVICE, timeout=10) as client:
        await asyncio.gather(*(book_one(client, leg, reference) for leg in rail.LEGS))
    (own / "booked.json").unlink()
    return "booked"


async def restart(own):
    """Cancel whatever the railway has under the reference."""
    (own / "booked.tmp").unlink(missing_ok=True)
    if (own / "booked.json").exists():
        reference = (own / "booked.json").read_text().strip('"')
        async with httpx.AsyncClient(base_url=rail.SERVICE, timeout=10) as client:
            found = await client.get("/tickets", params={"reference": reference})
            for ticket in found.raise_for_status().json():
                await rail.cancel(client, ticket["id"])
        (own / "booked.json").unlink()


BREAKS = set()
FAULTS = rail.FAULTS


def explore(chaos, tmp_path):
    """The same railway."""
    rail.explore(chaos, tmp_path, book, restart)
