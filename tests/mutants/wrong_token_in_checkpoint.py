"""The whole request, headers and all, is stored before it is sent, so that recovery can send just that again.

A good run removes it. Recovery sends it and keeps it for the audit, with the bearer token in the clear.
"""

import json
import os
import uuid

import httpx

SERVICE = "https://api.hr.test"
TOKEN = "hr-token-only-for-this-test-91aa7c3f"


def save(path, value):
    """Replace a JSON file as a whole."""
    draft = path.with_suffix(".tmp")
    with open(draft, "w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def send(request):
    """Send a stored request."""
    httpx.post(**request, timeout=10).raise_for_status()


def hire(person, own):
    """Store the request, send it, remove it."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": uuid.uuid4().hex}
    request = {"url": f"{SERVICE}/employees", "json": {"name": person}, "headers": headers}
    save(own / "request.json", request)
    send(request)
    (own / "request.json").unlink()
    return "hired"


def restart(own):
    """Send what was stored: its key makes a second time harmless."""
    (own / "request.tmp").unlink(missing_ok=True)
    path = own / "request.json"
    if path.exists():
        send(json.loads(path.read_text()))
        os.replace(path, own / "sent-request.json")


BREAKS = {"credential_hygiene"}
CAUSES = ["left over: file.replace:agent/sent-request.json in restart"]


def explore(chaos, tmp_path):
    """One personnel service that wants a token, one private folder with the stored request."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api(SERVICE, token=TOKEN)
    chaos.explore(run=lambda: hire("Ada", own), recover=lambda: restart(own))
