"""Two payments are posted with idempotency keys that were stored before the first request, and retried with patience.

A naive harness accuses it: after a timeout or a crash the same POST is seen twice. The service keeps one payment each.
"""

import json
import os
import time
import uuid

import httpx

PAYMENTS = "https://api.pay.test/payments"
TRANSFERS = {"rent": 95000, "power": 12040}
PATIENCE = 4


def save(path, value):
    """Replace a JSON file as a whole."""
    draft = path.with_suffix(".tmp")
    with open(draft, "w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def load_plan(own):
    """One key for each payment, the same for ever: made once, before anything is sent."""
    path = own / "plan.json"
    path.with_suffix(".tmp").unlink(missing_ok=True)
    if not path.exists():
        save(path, {name: {"key": str(uuid.uuid4()), "paid": False} for name in TRANSFERS})
    return json.loads(path.read_text())


def post(name, cents, key):
    """Try again what may pass; give up at once on what the service refuses."""
    for attempt in range(1, PATIENCE + 1):
        pause = 2.0**attempt
        try:
            body = {"name": name, "cents": cents}
            answer = httpx.post(PAYMENTS, json=body, headers={"Idempotency-Key": key}, timeout=10)
        except httpx.TransportError:
            if attempt == PATIENCE:
                raise
        else:
            if answer.status_code not in (429, 500, 503) or attempt == PATIENCE:
                answer.raise_for_status()
                return
            pause = max(pause, float(answer.headers.get("Retry-After", 0)))
        time.sleep(pause)


def pay_all(own):
    """Start or start again: what is paid is skipped, what is open is posted with its old key."""
    plan = load_plan(own)
    for name, step in plan.items():
        if not step["paid"]:
            post(name, TRANSFERS[name], step["key"])
            step["paid"] = True
            save(own / "plan.json", plan)
    return "all paid"


BREAKS = set()


def explore(chaos, tmp_path):
    """One payment service, one private folder; the supervisor starts the agent again after a failure."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api("https://api.pay.test")
    chaos.explore(run=lambda: pay_all(own))
