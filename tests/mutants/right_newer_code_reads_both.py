"""The agent was updated while it was down; its new version reads what the old one wrote.

A naive harness accuses it: recovery leaves state in a form that no run of the old version writes.
"""

import json

from . import wrong_newer_code_older_state as skew


def state_of(own):
    """Return the state as version 2 keeps it, and the steps in it that are done."""
    state = json.loads((own / "state.json").read_text())
    state = {"version": 2, "completed": state.get("completed", state.get("done"))}
    return state, state["completed"]


BREAKS = set()
FAULTS = skew.FAULTS


def explore(chaos, tmp_path):
    """The same steps."""
    skew.explore(chaos, tmp_path, state_of)
