"""Two checkpoints with their times; the newest one says what to undo, and only its own branch is cleared away.

A crash in the first recovery, after it has gone back from "seat" to "room", makes the second one forget the older
checkpoint. Outside all is well, and the next run is told that a trip is still open. It takes two crashes, and worlds
that differ in nothing but which of two times is the later one.
"""

import json
import os
import time

import httpx

SERVICE = "https://api.travel.test"


def save(own, doing):
    """Replace the checkpoint of one step as a whole."""
    draft = own / f"{doing}.tmp"
    with open(draft, "w") as file:
        json.dump({"doing": doing, "saved_at": time.time()}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, own / f"{doing}.json")


def newest(own):
    """Return the step of the newest checkpoint, or None."""
    saved = [json.loads(path.read_text()) for path in own.glob("*.json")]
    return max(saved, key=lambda one: one["saved_at"])["doing"] if saved else None


def book(kind):
    """Book one room or seat."""
    httpx.post(f"{SERVICE}/{kind}s", json={"trip": "A-1"}, timeout=10).raise_for_status()


def cancel(kind):
    """Cancel every room or seat of the trip."""
    found = httpx.get(f"{SERVICE}/{kind}s", params={"trip": "A-1"}, timeout=10)
    found.raise_for_status()
    for booking in found.json():
        answer = httpx.delete(f"{SERVICE}/{kind}s/{booking['id']}", timeout=10)
        if answer.status_code != 404:
            answer.raise_for_status()


def travel(own):
    """Save what comes next, do it; at the end the checkpoints go, the oldest first."""
    if newest(own) is not None:
        raise RuntimeError("a trip is still open")
    for kind in ("room", "seat"):
        save(own, kind)
        book(kind)
    (own / "room.json").unlink()
    (own / "seat.json").unlink()
    return "booked"


def roll_back(own):
    """Undo from the newest checkpoint backwards."""
    for draft in own.glob("*.tmp"):
        draft.unlink(missing_ok=True)
    doing = newest(own)
    if doing == "seat":
        cancel("seat")
        save(own, "room")
        cancel("room")
        (own / "room.json").unlink()
        (own / "seat.json").unlink()
    elif doing == "room":
        cancel("room")
        (own / "room.json").unlink()


BREAKS = {"clean_retry"}
CAUSES = ["raised in travel, RuntimeError"]


def explore(chaos, tmp_path):
    """One travel service, one private folder with the checkpoints."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api(SERVICE)
    chaos.explore(run=lambda: travel(own), recover=lambda: roll_back(own))
