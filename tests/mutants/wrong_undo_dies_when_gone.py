"""A trip is booked as a room and a seat with an undo log; the undo takes 404 for an error.

A crash after an undo's DELETE and before the log is gone makes every later recovery raise on the same 404, for ever.
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
    os.replace(draft, path)


async def book(trip, own):
    """Book room and seat, each noted before and after."""
    log, steps = own / "undo.json", []
    async with httpx.AsyncClient(base_url=SERVICE, timeout=10) as client:
        for kind in ("rooms", "seats"):
            step = {"kind": kind, "ref": uuid.uuid4().hex}
            steps.append(step)
            save(log, steps)
            answer = await client.post(f"/{kind}", json={"trip": trip, "ref": step["ref"]})
            answer.raise_for_status()
            step["id"] = answer.json()["id"]
            save(log, steps)
    log.unlink()
    return "booked"


async def ids_of(client, step):
    """What a step created: noted, or, where the answer was lost, found by its reference."""
    if "id" in step:
        return [step["id"]]
    found = await client.get(f"/{step['kind']}", params={"ref": step["ref"]})
    found.raise_for_status()
    return [resource["id"] for resource in found.json()]


async def undo(own):
    """Take back, newest first, what a booking that did not end has created."""
    (own / "undo.tmp").unlink(missing_ok=True)
    log = own / "undo.json"
    if not log.exists():
        return
    async with httpx.AsyncClient(base_url=SERVICE, timeout=10) as client:
        for step in reversed(json.loads(log.read_text())):
            for resource_id in await ids_of(client, step):
                answer = await client.delete(f"/{step['kind']}/{resource_id}")
                answer.raise_for_status()
    log.unlink()


BREAKS = {"recovery_succeeds"}
CAUSES = ["raised in undo, HTTPStatusError"]


def explore(chaos, tmp_path):
    """One travel service, one private folder with the undo log."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api(SERVICE)
    chaos.explore(run=lambda: book("LIS-2", own), recover=lambda: undo(own))
