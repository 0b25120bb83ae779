"""The agent was updated while it was down: its new version keeps steps under another name than the old one.

A run that the old version began can never be ended: each start of the new one dies reading its state.
"""

import json
import os

STEPS = ("terms.md", "prices.md")


def save(own, state):
    """Replace the state as a whole."""
    (own / "state.tmp").write_text(json.dumps(state))
    os.replace(own / "state.tmp", own / "state.json")


def work(shared, own, state, done):
    """Do the steps that are not done."""
    for step in STEPS:
        if step not in done:
            (own / "draft.part").write_text(f"# {step}\n")
            os.replace(own / "draft.part", shared / step)
            done.append(step)
            save(own, state)
    (own / "state.json").unlink()


def run_of_version_1(shared, own):
    """Keep what is done under "done"."""
    state = {"done": []}
    save(own, state)
    work(shared, own, state, state["done"])
    return "published"


def state_of(own):
    """Return the state, and the steps in it that are done, as version 2 keeps them."""
    state = json.loads((own / "state.json").read_text())
    return state, state["completed"]


def restart_of_version_2(shared, own, state_of=state_of):
    """Go on with what was begun."""
    for name in ("state.tmp", "draft.part"):
        (own / name).unlink(missing_ok=True)
    if (own / "state.json").exists():
        work(shared, own, *state_of(own))


BREAKS = {"recovery_succeeds"}
FAULTS = ("process.kill",)
CAUSES = ["raised in state_of, KeyError"]


def explore(chaos, tmp_path, state_of=state_of):
    """A watched folder, and a private one with the state."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(
        run=lambda: run_of_version_1(shared, own), recover=lambda: restart_of_version_2(shared, own, state_of)
    )
