"""The idempotency key is the order's number; a rollback deletes the booking, and the number stays the same.

The rollback itself is right. The next run of the same order gets the deleted booking's answer, and nothing is booked.
"""

import json
import os

import httpx

BOOKINGS = "https://api.rooms.test/bookings"


def replace(path, text, own):
    """Replace a file as a whole."""
    draft = own / f"{path.name}.tmp"
    with open(draft, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def book(number, shared, own):
    """Note the order, book the room, file the confirmation, drop the note."""
    replace(own / "open.json", json.dumps({"number": number}), own)
    answer = httpx.post(BOOKINGS, json={"order": number}, headers={"Idempotency-Key": number}, timeout=10)
    answer.raise_for_status()
    replace(shared / f"{number}.txt", f"Order {number} is booked.\n", own)
    (own / "open.json").unlink()
    return "booked"


def roll_back(shared, own):
    """Take back whatever the open order has done."""
    for draft in own.glob("*.tmp"):
        draft.unlink(missing_ok=True)
    note = own / "open.json"
    if not note.exists():
        return
    number = json.loads(note.read_text())["number"]
    (shared / f"{number}.txt").unlink(missing_ok=True)
    found = httpx.get(BOOKINGS, params={"order": number}, timeout=10)
    found.raise_for_status()
    for booking in found.json():
        answer = httpx.delete(f"{BOOKINGS}/{booking['id']}", timeout=10)
        if answer.status_code != 404:
            answer.raise_for_status()
    note.unlink()


BREAKS = {"clean_retry"}
CAUSES = ["missing: http.post:api.rooms.test/bookings in book"]


def explore(chaos, tmp_path):
    """A watched folder, a booking service, a private folder with the open order."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.api("https://api.rooms.test")
    chaos.explore(run=lambda: book("A-7", shared, own), recover=lambda: roll_back(shared, own))
