"""503 means "come back later", so the agent comes back, with a growing pause, and never gives up.

While the service is down the run does not end: no error, no hand-over, a request every minute.
"""

import json
import os
import time
import uuid

import httpx

EVENTS = "https://api.events.test/events"
LONGEST_PAUSE_S = 60.0


def post(event, key):
    """Post one event; wait while the service is unavailable."""
    pause = 1.0
    while True:
        answer = httpx.post(EVENTS, json=event, headers={"Idempotency-Key": key}, timeout=10)
        if answer.status_code != 503:
            answer.raise_for_status()
            return
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)


def stored_key(own):
    """Return the key of the event, made before it is first sent."""
    path, draft = own / "key.json", own / "key.tmp"
    draft.unlink(missing_ok=True)
    if not path.exists():
        with open(draft, "w") as file:
            json.dump(uuid.uuid4().hex, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    return json.loads(path.read_text())


def report_event(own):
    """Start or start again: the key makes a second request harmless."""
    post({"kind": "deployed", "version": "4.2"}, stored_key(own))
    return "reported"


BREAKS = {"terminates"}
CAUSES = ["not ended: http.post:api.events.test/events in post"]


def explore(chaos, tmp_path):
    """One event service, one private folder with the key."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api("https://api.events.test")
    chaos.explore(run=lambda: report_event(own))
