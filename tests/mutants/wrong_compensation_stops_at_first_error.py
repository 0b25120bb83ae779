"""Three tickets are booked; when one fails, the others are cancelled until a cancellation fails, and that is that.

With the service down for a while the first tickets stay booked, and the undo log that knew of them is gone.
"""

import json
import logging
import os
import uuid

import httpx

TICKETS = "https://api.rail.test/tickets"
LEGS = ("Oslo-Lund", "Lund-Bonn", "Bonn-Graz")


def save(own, trip):
    """Replace the undo log as a whole."""
    draft = own / "trip.tmp"
    with open(draft, "w") as file:
        json.dump(trip, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, own / "trip.json")


def book_trip(own):
    """Write down each leg before it is booked; cancel all of them when one fails."""
    trip = uuid.uuid4().hex
    save(own, trip)
    try:
        for leg in LEGS:
            httpx.post(TICKETS, json={"leg": leg, "trip": trip}, timeout=10).raise_for_status()
        (own / "trip.json").unlink()
    except httpx.HTTPError:
        cancel(own, trip)
        raise
    return "booked"


def cancel(own, trip):
    """Cancel what was booked, last one first."""
    try:
        booked = httpx.get(TICKETS, params={"trip": trip}, timeout=10)
        booked.raise_for_status()
        for ticket in reversed(booked.json()):
            answer = httpx.delete(f"{TICKETS}/{ticket['id']}", timeout=10)
            if answer.status_code != 404:
                answer.raise_for_status()
    except httpx.HTTPError:
        logging.getLogger(__name__).warning("a ticket could not be cancelled")
    (own / "trip.json").unlink()


def restart(own):
    """Cancel the trip that was left; an error here leaves its log for the next start."""
    (own / "trip.tmp").unlink(missing_ok=True)
    if (own / "trip.json").exists():
        cancel(own, json.loads((own / "trip.json").read_text()))


BREAKS = {"all_or_nothing"}
CAUSES = ["left over: http.post:api.rail.test/tickets in book_trip"]


def explore(chaos, tmp_path):
    """One railway, one private folder with the undo log."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api("https://api.rail.test")
    chaos.explore(run=lambda: book_trip(own), recover=lambda: restart(own))
