"""Tickets are booked side by side, and their ids are stored when all of them are there.

After a crash with one of two booked, or where one of them fails, recovery cancels what is stored: nothing.
"""

import asyncio
import json
import os

import httpx

SERVICE = "https://api.rail.test"
LEGS = ("there", "back")


def save(path, value):
    """Replace a JSON file as a whole."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(value))
    os.replace(draft, path)


async def book_one(client, leg):
    """Book one leg, and return the ticket's id."""
    answer = await client.post("/tickets", json={"leg": leg})
    answer.raise_for_status()
    return answer.json()["id"]


async def book(own):
    """Book all legs at once, store what was booked, and forget it when all is well."""
    async with httpx.AsyncClient(base_url=SERVICE, timeout=10) as client:
        save(own / "booked.json", await asyncio.gather(*(book_one(client, leg) for leg in LEGS)))
    (own / "booked.json").unlink()
    return "booked"


async def cancel(client, ticket):
    """Cancel a ticket, unless it is cancelled."""
    answer = await client.delete(f"/tickets/{ticket}")
    if answer.status_code != 404:
        answer.raise_for_status()


async def restart(own):
    """Cancel what was stored."""
    (own / "booked.tmp").unlink(missing_ok=True)
    if (own / "booked.json").exists():
        async with httpx.AsyncClient(base_url=SERVICE, timeout=10) as client:
            for ticket in json.loads((own / "booked.json").read_text()):
                await cancel(client, ticket)
        (own / "booked.json").unlink()


BREAKS = {"all_or_nothing"}
FAULTS = ("process.kill", "http.timeout")
CAUSES = ["missing: http.post:api.rail.test/tickets in book_one"]


def explore(chaos, tmp_path, book=book, restart=restart):
    """A railway, and a private folder for what was booked."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api(SERVICE)
    chaos.explore(run=lambda: book(own), recover=lambda: restart(own))
