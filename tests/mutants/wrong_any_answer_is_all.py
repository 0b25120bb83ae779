"""A model asks for two tools at once; a start that finds any answer takes the batch for answered.

After a crash with one of two done the other is never done, and nobody is told.
"""

import json
import os

CALLS = {"call_1": ("terms.md", "Pay in 30 days.\n"), "call_2": ("prices.md", "A panel is 90.\n")}


def answer(shared, own, call):
    """Do what a call asks for, and note its answer."""
    name, text = CALLS[call]
    for path, content in ((shared / name, text), (own / f"{call}.json", json.dumps("done"))):
        draft = own / "draft.part"
        draft.write_text(content)
        os.replace(draft, path)


def is_answered(own):
    """Say whether the batch was answered."""
    return any((own / f"{call}.json").exists() for call in CALLS)


def work(shared, own, is_answered=is_answered):
    """Answer the batch, unless it was answered."""
    (own / "draft.part").unlink(missing_ok=True)
    if not is_answered(own):
        for call in CALLS:
            answer(shared, own, call)
    return "answered"


BREAKS = {"all_or_nothing"}
FAULTS = ("process.kill",)
CAUSES = ["missing: file.replace:shared/prices.md in answer"]


def explore(chaos, tmp_path, is_answered=is_answered):
    """A watched folder, and a private one with the answers; the supervisor starts the agent again."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: work(shared, own, is_answered))
