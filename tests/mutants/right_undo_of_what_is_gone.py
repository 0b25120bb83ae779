"""A room and a seat are booked with an undo log; an error is undone on the spot, a crash by the next start.

A naive harness accuses it: an undo that died half way sends DELETE for a room that is gone, and gets 404. That is fine.
The keys of the requests are new for each booking, so that a second try does not get the answer of an undone first one.
"""

import json
import os
import uuid

import httpx

SERVICE = "https://api.travel.test"


def save(path, value):
    """Replace a JSON file as a whole."""
    draft = path.with_suffix(".tmp")
    with open(draft, "w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


async def book(trip, own):
    """Book room and seat, each noted before and after; take all of it back on an error."""
    log, steps = own / "undo.json", []
    try:
        async with httpx.AsyncClient(base_url=SERVICE, timeout=10) as client:
            for kind in ("rooms", "seats"):
                step = {"kind": kind, "ref": uuid.uuid4().hex}
                steps.append(step)
                save(log, steps)
                key = {"Idempotency-Key": step["ref"]}
                answer = await client.post(f"/{kind}", json={"trip": trip, "ref": step["ref"]}, headers=key)
                answer.raise_for_status()
                step["id"] = answer.json()["id"]
                save(log, steps)
        log.unlink()
    except (OSError, httpx.HTTPError):
        await undo(own)
        raise
    return "booked"


async def ids_of(client, step):
    """What a step created: noted, or, where the answer was lost, found by its reference."""
    if "id" in step:
        return [step["id"]]
    found = await client.get(f"/{step['kind']}", params={"ref": step["ref"]})
    found.raise_for_status()
    return [resource["id"] for resource in found.json()]


async def undo(own):
    """Take back, newest first, what a booking that did not end has created; what is gone is gone."""
    (own / "undo.tmp").unlink(missing_ok=True)
    log = own / "undo.json"
    if not log.exists():
        return
    async with httpx.AsyncClient(base_url=SERVICE, timeout=10) as client:
        for step in reversed(json.loads(log.read_text())):
            for resource_id in await ids_of(client, step):
                answer = await client.delete(f"/{step['kind']}/{resource_id}")
                if answer.status_code != 404:
                    answer.raise_for_status()
    log.unlink()


BREAKS = set()


def explore(chaos, tmp_path):
    """One travel service, one private folder with the undo log."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api(SERVICE)
    chaos.explore(run=lambda: book("LIS-2", own), recover=lambda: undo(own))
