"""Two invitations are posted from asyncio with keys that aiosqlite stored first; Retry-After is honoured.

A naive harness accuses it: requests are repeated, the run takes minutes, and the keys are different in every run.
"""

import asyncio
import random
import sqlite3
import uuid
from contextlib import closing

import aiosqlite
import httpx

SERVICE = "https://api.invite.test"
GUESTS = ("ada@example.test", "zoe@example.test")
ATTEMPTS = 4


async def post(client, guest, key):
    """Try again what may pass, with a growing pause and a little jitter, and never before the service wants it."""
    for attempt in range(1, ATTEMPTS + 1):
        pause = 2.0**attempt + random.random()
        try:
            answer = await client.post("/invitations", json={"to": guest}, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            if attempt == ATTEMPTS:
                raise
        else:
            if answer.status_code not in (429, 500, 503) or attempt == ATTEMPTS:
                answer.raise_for_status()
                return
            pause = max(pause, float(answer.headers.get("retry-after", 0)))
        await asyncio.sleep(pause)


async def keys_of(state):
    """Return the key of each guest; they are made and stored before anything is sent."""
    async with state.execute("SELECT guest, key FROM keys") as rows:
        keys = dict(await rows.fetchall())
    if not keys:
        keys = {guest: uuid.uuid4().hex for guest in GUESTS}
        await state.executemany("INSERT INTO keys VALUES (?, ?, 0)", keys.items())
        await state.commit()
    return keys


async def invite(own):
    """Start or start again: who has an invitation is skipped."""
    async with aiosqlite.connect(own / "state.db") as state, httpx.AsyncClient(base_url=SERVICE, timeout=10) as client:
        for guest, key in (await keys_of(state)).items():
            async with state.execute("SELECT sent FROM keys WHERE guest = ?", (guest,)) as rows:
                if (await rows.fetchone())[0]:
                    continue
            await post(client, guest, key)
            await state.execute("UPDATE keys SET sent = 1 WHERE guest = ?", (guest,))
            await state.commit()
    return "all invited"


BREAKS = set()


def explore(chaos, tmp_path):
    """One invitation service, one private database; the supervisor starts the agent again after a failure."""
    own = tmp_path / "agent"
    own.mkdir()
    with closing(sqlite3.connect(own / "state.db")) as state:
        state.execute("CREATE TABLE keys (guest TEXT PRIMARY KEY, key TEXT, sent INTEGER)")
        state.commit()
    chaos.private(own)
    chaos.api(SERVICE)
    chaos.explore(run=lambda: invite(own))
