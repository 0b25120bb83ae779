"""Registers a parcel over a REST service, orders its pick-up, and writes the label.

Right although every start sends both requests again: their random keys, and the time that stands on the label, were
stored before the first request, so the service answers a repetition with what it made the first time and the label is
written as it was.
"""

import json
import os
import time
import uuid
from pathlib import Path

import httpx

BREAKS = set()
CARRIER = "https://carrier.example.test"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there as a whole or not at all."""
    fresh = path.with_suffix(".tmp")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)


def intent_of(shipment: str, own: Path) -> dict:
    """Return what was settled about a shipment, settling it at the first start."""
    file = own / f"{shipment}.json"
    if not file.exists():
        settled = {"parcel": str(uuid.uuid4()), "pickup": str(uuid.uuid4()), "at": int(time.time())}
        write_whole(file, json.dumps(settled))
    return json.loads(file.read_text(encoding="utf-8"))


def create(api: httpx.Client, path: str, key: str, body: dict) -> dict:
    """Create a resource, or get the one that was created with this key."""
    response = api.post(path, json=body, headers={"Idempotency-Key": key})
    response.raise_for_status()
    return response.json()


def ship(shipment: str, address: str, labels: Path, own: Path, token: str) -> dict:
    """Register a shipment, order its pick-up and write its label; doing it again changes nothing."""
    intent = intent_of(shipment, own)
    with httpx.Client(base_url=CARRIER, headers={"Authorization": f"Bearer {token}"}, timeout=10) as api:
        parcel = create(api, "/parcels", intent["parcel"], {"shipment": shipment, "address": address})
        pickup = create(api, "/pickups", intent["pickup"], {"parcel": parcel["id"], "asked_at": intent["at"]})
    label = f"TO {address}\nPARCEL {parcel['id']}\nPICKUP {pickup['id']}\nASKED {intent['at']}\n"
    write_whole(labels / f"{shipment}.txt", label)
    return {"shipment": shipment, "parcel": parcel["id"]}


def explore(chaos, tmp_path):
    """One parcel is sent; the agent is started again after a breakdown."""
    labels, own = tmp_path / "labels", tmp_path / "agent"
    labels.mkdir()
    own.mkdir()
    (labels / "printer.log").write_text("ready\n", encoding="utf-8")
    token = "carrier-token-2f86ad019c7b45e3"
    chaos.watch(labels)
    chaos.private(own)
    chaos.api(CARRIER, token=token)
    return chaos.explore(run=lambda: ship("sh-42", "12 Mill Lane, Oxbridge", labels, own, token))
