"""The progress of an import is saved with open("w") over the only checkpoint there is.

A crash in the middle of that write leaves half a JSON document, and every later start dies reading it.
"""

import json
import os
import uuid

import httpx

CONTACTS = "https://api.crm.test/contacts"
PEOPLE = ("Ada", "Grace")


def save(own, state):
    """Write the checkpoint."""
    with open(own / "import.json", "w") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())


def load(own):
    """Return what was saved, or a fresh plan with one key for each person."""
    path = own / "import.json"
    if not path.exists():
        return {"keys": {name: uuid.uuid4().hex for name in PEOPLE}, "done": []}
    return json.loads(path.read_text())


def import_people(own):
    """Start or start again: who is done is skipped, who is open is posted under the stored key."""
    state = load(own)
    save(own, state)
    for name in PEOPLE:
        if name not in state["done"]:
            headers = {"Idempotency-Key": state["keys"][name]}
            httpx.post(CONTACTS, json={"name": name}, headers=headers, timeout=10).raise_for_status()
            state["done"].append(name)
            save(own, state)
    return "imported"


BREAKS = {"recovery_succeeds"}
CAUSES = ["raised in load, JSONDecodeError"]


def explore(chaos, tmp_path):
    """One CRM, one private folder with the checkpoint; the supervisor starts the agent again after a failure."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api("https://api.crm.test")
    chaos.explore(run=lambda: import_people(own))
