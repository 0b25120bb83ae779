"""Sends a personal letter to every address of a list over a REST mail service.

Bug: an address whose mail is refused is logged and passed over, which is allowed here, but the report counts the
addresses of the list and not the mails that were taken. It shows when the service fails: "3 sent", and fewer are.
"""

import csv
import logging
import uuid
from pathlib import Path

import httpx

BREAKS = {"honest_outcome"}
RELAY = "https://relay.example.test"
LETTER = "Dear {name},\nthe choir meets on {day} at seven.\n"
CAUSES = ["untrue: http.post:relay.example.test/mails in send"]

log = logging.getLogger(__name__)


def addresses(file: Path) -> list[dict]:
    """Read the list of addresses."""
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def send(api: httpx.Client, campaign: str, person: dict) -> None:
    """Send one letter; its key depends on campaign and address, so that a repetition is no second letter."""
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{campaign}/{person['email']}"))
    letter = {"campaign": campaign, "to": person["email"], "text": LETTER.format(**person)}
    api.post("/mails", json=letter, headers={"Idempotency-Key": key}).raise_for_status()


def merge(campaign: str, file: Path) -> dict:
    """Send all letters of a campaign, and return the report."""
    people = addresses(file)
    with httpx.Client(base_url=RELAY, timeout=10) as api:
        for person in people:
            try:
                send(api, campaign, person)
            except httpx.HTTPError as error:
                log.warning("no mail to %s: %s", person["email"], error)
    return {"campaign": campaign, "sent": len(people)}


def part_of_the_letters(world) -> bool:
    """Say whether nobody has more than one letter; that somebody has none is allowed, where the report says so."""
    letters = [mail["to"] for mails in world.resources.values() for mail in mails]
    return len(letters) == len(set(letters))


def explore(chaos, tmp_path):
    """Three people are on the list."""
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "choir.csv").write_text(
        "name,email,day\nIda,ida@example.test,Monday\nOtto,otto@example.test,Monday\nUma,uma@example.test,Friday\n",
        encoding="utf-8",
    )
    chaos.watch(lists)
    chaos.api(RELAY)
    return chaos.explore(run=lambda: merge("rehearsals", lists / "choir.csv"), allow=part_of_the_letters)
