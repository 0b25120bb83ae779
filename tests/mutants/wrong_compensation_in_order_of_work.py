"""A project folder is made, then filled; the undo log is worked off from its beginning instead of from its end.

The folder cannot be removed while the files are in it: recovery dies at its first step, at every start.
"""

import json
import os

FILES = {"plan.md": "# Plan\n", "budget.csv": "item;cents\npanel;21900\n"}


def undo_log(own):
    """Return the steps that were begun, oldest first; a torn last line was never acted on."""
    path = own / "undo.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def begin(own, verb, path):
    """Note a step before it is done."""
    with open(own / "undo.jsonl", "a") as file:
        file.write(json.dumps([verb, str(path)]) + "\n")
        file.flush()
        os.fsync(file.fileno())


def set_up(shared, own):
    """Make the folder and its files, each step noted before."""
    project = shared / "solar"
    begin(own, "mkdir", project)
    project.mkdir()
    for name, text in FILES.items():
        begin(own, "write", project / name)
        (project / name).write_text(text)
    (own / "undo.jsonl").unlink()
    return "set up"


def roll_back(own):
    """Undo every step that was begun."""
    for verb, path in undo_log(own):
        if os.path.lexists(path):
            os.rmdir(path) if verb == "mkdir" else os.unlink(path)
    (own / "undo.jsonl").unlink(missing_ok=True)


BREAKS = {"recovery_succeeds"}
CAUSES = ["missing: file.write:shared/solar/budget.csv in set_up, OSError"]


def explore(chaos, tmp_path):
    """A watched folder, and a private one with the undo log."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: set_up(shared, own), recover=lambda: roll_back(own))
