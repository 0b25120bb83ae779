"""Recovery takes back what runs have left, one after the other, and lets no error stop it; then its list is empty.

A crash, and a hotel that is down during the recovery: one of two nights stays booked, and nobody will come back for it.
"""

import httpx

from .wrong_marked_as_cancelled_first import cancel, reserve

DEPTH = 2
FAULTS = ("process.kill", "http.unavailable", "http.timeout")


def book(own, guest):
    """Enter the list, book, leave the list."""
    (own / guest).touch()
    reserve(guest)
    (own / guest).unlink()
    return "booked"


def restart(own):
    """Work the list off."""
    for entry in own.iterdir():
        try:
            cancel(entry.name)
        except httpx.HTTPError as error:
            print(f"{entry.name}: {error}")
        entry.unlink()


BREAKS = {"all_or_nothing"}
CAUSES = ["missing: http.post:api.hotel.test/rooms in reserve"]


def explore(chaos, tmp_path, restart=restart):
    """A hotel, and a private folder with the list."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api("https://api.hotel.test")
    chaos.explore(run=lambda: book(own, "ada"), recover=lambda: restart(own))
