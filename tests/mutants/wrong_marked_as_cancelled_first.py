"""Recovery marks a booking as cancelled, and then cancels it at the hotel.

One crash is recovered from. A second one, between mark and request, leaves one of two nights that nobody
will ever cancel.
"""

import sqlite3
from contextlib import closing

import httpx

ROOMS = "https://api.hotel.test/rooms"


def book(own, guest):
    """Note the wish, book, note that it is done."""
    with closing(sqlite3.connect(own / "state.db")) as state:
        with state:
            state.execute("INSERT OR REPLACE INTO bookings VALUES (?, 'open')", (guest,))
        reserve(guest)
        with state:
            state.execute("UPDATE bookings SET state = 'booked'")
    return "booked"


def reserve(guest):
    """Reserve two nights."""
    for night in ("friday", "saturday"):
        httpx.post(ROOMS, json={"guest": guest, "night": night}, timeout=10).raise_for_status()


def cancel(guest):
    """Cancel what the hotel has for a guest."""
    for room in httpx.get(ROOMS, params={"guest": guest}, timeout=10).raise_for_status().json():
        answer = httpx.delete(f"{ROOMS}/{room['id']}", timeout=10)
        if answer.status_code != 404:
            answer.raise_for_status()


def restart(own):
    """Cancel what did not come to its end."""
    with closing(sqlite3.connect(own / "state.db")) as state:
        for (guest,) in state.execute("SELECT guest FROM bookings WHERE state = 'open'").fetchall():
            with state:
                state.execute("UPDATE bookings SET state = 'cancelled' WHERE guest = ?", (guest,))
            cancel(guest)


BREAKS = {"all_or_nothing"}
FAULTS = ("process.kill",)
CAUSES = ["missing: http.post:api.hotel.test/rooms in reserve"]


def explore(chaos, tmp_path, restart=restart):
    """A hotel, and a private folder with the bookings."""
    own = tmp_path / "agent"
    own.mkdir()
    with closing(sqlite3.connect(own / "state.db")) as state:
        state.execute("CREATE TABLE bookings (guest TEXT PRIMARY KEY, state TEXT)")
        state.commit()
    chaos.private(own)
    chaos.api("https://api.hotel.test")
    chaos.explore(run=lambda: book(own, "ada"), recover=lambda: restart(own))
