"""A contact is posted with a bearer token, and 401 is taken for a gateway that needs a moment: tried again, for ever.

After the key is revoked the run never ends, and the refused token goes over the wire again and again.
"""

import asyncio
import json
import os
import uuid

import httpx

SERVICE = "https://api.crm.test"
TOKEN = "crm-token-only-for-this-test-58c1d09e"
PATIENCE = 4


def load_state(path):
    """The idempotency key of the contact, made and stored before the first request."""
    if not path.exists():
        save(path, {"key": uuid.uuid4().hex, "done": False})
    return json.loads(path.read_text())


def save(path, value):
    """Replace a JSON file as a whole."""
    draft = path.with_suffix(".tmp")
    with open(draft, "w") as file:
        json.dump(value, file)
    os.replace(draft, path)


async def post(client, contact, key):
    """Post with patience for a service in trouble."""
    failures = 0
    while failures < PATIENCE:
        try:
            answer = await client.post("/contacts", json=contact, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            failures += 1
        else:
            if answer.status_code == 401:
                await asyncio.sleep(5)
                continue
            if answer.status_code != 429 and answer.status_code < 500:
                answer.raise_for_status()
                return
            failures += 1
        await asyncio.sleep(2**failures)
    raise RuntimeError("the CRM does not take the contact")


async def sync_contact(contact, own):
    """Start or start again: the stored key makes a second request harmless."""
    path = own / "contact.json"
    path.with_suffix(".tmp").unlink(missing_ok=True)
    state = load_state(path)
    if not state["done"]:
        async with httpx.AsyncClient(base_url=SERVICE, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            await post(client, contact, state["key"])
        save(path, state | {"done": True})
    return "synced"


BREAKS = {"terminates", "credential_hygiene"}
CAUSES = ["twice: http.post:api.crm.test/contacts in post"]


def explore(chaos, tmp_path):
    """One CRM that wants a token, one private folder with the key of the request."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api(SERVICE, token=TOKEN)
    chaos.explore(run=lambda: sync_contact({"name": "Ada", "mail": "ada@example.test"}, own))
