"""A lock at a service is given back on every `Exception`; a cancelled task ends with another kind of error.

After a cancellation while the agent prints, the lock stays, and the agent's process, which lives, never gives it back.
"""

import httpx

SERVICE = "https://api.print.test"


async def print_page(client):
    """Send the page to the printer."""
    headers = {"Idempotency-Key": "page-1"}
    (await client.post("/pages", json={"page": "1"}, headers=headers)).raise_for_status()


async def unlock(client):
    """Give back all locks of ours."""
    for lock in (await client.get("/locks", params={"by": "clerk"})).raise_for_status().json():
        answer = await client.delete(f"/locks/{lock['id']}")
        if answer.status_code != 404:
            answer.raise_for_status()


async def print_locked(errors=Exception, unlock=unlock):
    """Lock the printer, print, and unlock it whatever of `errors` happens."""
    async with httpx.AsyncClient(base_url=SERVICE, timeout=10) as client:
        try:
            (await client.post("/locks", json={"by": "clerk"})).raise_for_status()
            await print_page(client)
        except errors:
            await unlock(client)
            raise
        await unlock(client)
    return "printed"


async def restart():
    """Give back what a process that died has locked."""
    async with httpx.AsyncClient(base_url=SERVICE, timeout=10) as client:
        await unlock(client)


BREAKS = {"all_or_nothing"}
FAULTS = ("process.kill", "process.cancel")
CAUSES = ["left over: http.post:api.print.test/locks in print_locked"]


def explore(chaos, tmp_path, errors=Exception, unlock=unlock):
    """A printer with locks; the agent promises to clean up by itself when an error leaves it."""
    chaos.api(SERVICE)
    chaos.explore(run=lambda: print_locked(errors, unlock), recover=restart, errors="handled")
