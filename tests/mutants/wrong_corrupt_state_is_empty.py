"""A state file that cannot be read is taken for no state at all, "to be robust".

After a crash in the middle of saving, the agent starts over with new keys, and the transfer is made twice.
"""

import json
import uuid

import httpx

TRANSFERS = "https://api.bank.test/transfers"
AMOUNTS = {"rent": 95000}


def load(path):
    """Return the state, or an empty one."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}


def save(path, state):
    """Write the state."""
    with open(path, "w") as file:
        json.dump(state, file)


def transfer_all(own):
    """Start or start again: each transfer has a key that is saved before it is sent."""
    path = own / "state.json"
    state = load(path)
    for name, cents in AMOUNTS.items():
        if name not in state:
            state[name] = {"key": uuid.uuid4().hex, "sent": False}
            save(path, state)
        if not state[name]["sent"]:
            headers = {"Idempotency-Key": state[name]["key"]}
            body = {"name": name, "cents": cents}
            httpx.post(TRANSFERS, json=body, headers=headers, timeout=10).raise_for_status()
            state[name]["sent"] = True
            save(path, state)
    return "transferred"


BREAKS = {"all_or_nothing"}
CAUSES = ["twice: http.post:api.bank.test/transfers in transfer_all"]


def explore(chaos, tmp_path):
    """One bank, one private folder; the supervisor starts the agent again after a failure."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api("https://api.bank.test")
    chaos.explore(run=lambda: transfer_all(own))
