"""Books a flight, a hotel and the payment for both, and takes a trip back that could not be booked as a whole.

Right although a payment that was taken back still stands in the service: it is refunded, which settles it, while the
others are deleted. The reference of an attempt is noted before the first request, what belongs to it is looked up in
the service and not remembered, so a request whose answer was lost is taken back as well; a new attempt has new keys.
"""

import time
import uuid
from pathlib import Path

import httpx

BREAKS = set()
TRAVEL = "https://travel.example.test"


def client(token: str) -> httpx.Client:
    """Return a client of the travel service."""
    return httpx.Client(base_url=TRAVEL, headers={"Authorization": f"Bearer {token}"}, timeout=10)


def create(api: httpx.Client, kind: str, reference: str, details: dict) -> str:
    """Create a resource that belongs to an attempt, and return its id."""
    body = {"reference": reference, "asked_at": time.time(), **details}
    response = api.post(f"/{kind}", json=body, headers={"Idempotency-Key": f"{reference}-{kind}"})
    return response.raise_for_status().json()["id"]


def find(api: httpx.Client, kind: str, reference: str) -> list[dict]:
    """Return what belongs to an attempt."""
    return api.get(f"/{kind}", params={"reference": reference}).raise_for_status().json()


def take_back(api: httpx.Client, reference: str) -> None:
    """Take everything back that belongs to an attempt, the last step first; doing it again changes nothing."""
    for payment in find(api, "payments", reference):
        if payment["status"] != "refunded":
            api.patch(f"/payments/{payment['id']}", json={"status": "refunded"}).raise_for_status()
    for kind in ("hotels", "flights"):
        for resource in find(api, kind, reference):
            response = api.delete(f"/{kind}/{resource['id']}")
            if response.status_code != 404:
                response.raise_for_status()


def book(own: Path, token: str) -> str:
    """Book the trip; as long as the note of an attempt stands, the attempt does not count."""
    reference = str(uuid.uuid4())
    note = own / f"{reference}.attempt"
    note.touch()
    with client(token) as api:
        try:
            flight = create(api, "flights", reference, {"to": "Oslo"})
            hotel = create(api, "hotels", reference, {"nights": 3})
            paid = {"flight": flight, "hotel": hotel, "cents": 61200, "status": "paid"}
            create(api, "payments", reference, paid)
        except httpx.HTTPError:
            take_back(api, reference)
            note.unlink()
            raise
    note.unlink()
    return "booked"


def clean_up(own: Path, token: str) -> None:
    """Take back every attempt whose note still stands."""
    with client(token) as api:
        for note in sorted(own.glob("*.attempt")):
            take_back(api, note.stem)
            note.unlink()


def explore(chaos, tmp_path):
    """One trip is booked; a refunded payment counts as gone."""
    own = tmp_path / "agent"
    own.mkdir()
    token = "travel-token-71d3b8e60f2c4a95"
    chaos.private(own)
    chaos.api(TRAVEL, token=token, settled=lambda resource: resource.get("status") == "refunded")
    return chaos.explore(run=lambda: book(own, token), recover=lambda: clean_up(own, token))
