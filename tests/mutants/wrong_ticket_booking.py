"""Books seats for a concert and pays for them over a REST service.

Bug: when the service refuses a request, the whole request is kept for the support, the header with the bearer token
included. It shows after any answer with an error status: the token stands in the clear in `last_failure.json`.
"""

import json
import os
import uuid
from pathlib import Path

import httpx

BREAKS = {"credential_hygiene"}
HALL = "https://hall.example.test"
CAUSES = [
    "left over: file.open:agent/last_failure.json in post",
    "left over: file.open:agent/last_failure.json in post",
]


def keys_of(order: str, own: Path) -> dict:
    """Return the idempotency keys of an order, which are stored before they are used for the first time."""
    file = own / f"{order}.json"
    if not file.exists():
        fresh = own / f"{order}.tmp"
        fresh.write_text(json.dumps({"booking": str(uuid.uuid4()), "payment": str(uuid.uuid4())}), encoding="utf-8")
        os.replace(fresh, file)
    return json.loads(file.read_text(encoding="utf-8"))


def post(api: httpx.Client, path: str, key: str, body: dict, own: Path) -> str:
    """Create a resource and return its id; keep a refused request for the support."""
    response = api.post(path, json=body, headers={"Idempotency-Key": key})
    try:
        response.raise_for_status()
    except httpx.HTTPStatusError as error:
        report = {
            "url": str(error.request.url),
            "status": response.status_code,
            "headers": dict(error.request.headers),
            "body": body,
        }
        (own / "last_failure.json").write_text(json.dumps(report, indent=2), encoding="utf-8")
        raise
    return response.json()["id"]


def book(order: str, seats: list[str], own: Path, token: str) -> dict:
    """Book the seats of an order and pay for them; doing it again changes nothing."""
    keys = keys_of(order, own)
    with httpx.Client(base_url=HALL, headers={"Authorization": f"Bearer {token}"}, timeout=10) as api:
        booking = post(api, "/bookings", keys["booking"], {"order": order, "seats": seats}, own)
        post(api, "/payments", keys["payment"], {"booking": booking, "cents": 2500 * len(seats)}, own)
    return {"order": order, "seats": seats}


def explore(chaos, tmp_path):
    """Two seats are booked; the agent is started again after a breakdown."""
    own = tmp_path / "agent"
    own.mkdir()
    token = "hall-token-90b1e47f2ac84d35"
    chaos.private(own)
    chaos.api(HALL, token=token)
    return chaos.explore(run=lambda: book("order-17", ["C4", "C5"], own, token))
