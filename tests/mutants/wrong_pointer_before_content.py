"""`current.json` is switched to the new release before the files of that release are written.

After a failure in between readers are sent to a release that is empty or half there, and recovery keeps what the
pointer names.
"""

import json
import os
import shutil
import uuid

FILES = {
    "model.txt": "weights: 0.1 0.7 0.2\n",
    "labels.txt": "sun\ncloud\nrain\n",
    "README.txt": "Trained on 2019 data.\n",
}


def write_atomically(path, text, own):
    """Replace a file as a whole."""
    draft = own / f"{path.name}.tmp"
    with open(draft, "w") as file:
        file.write(text)
    os.replace(draft, path)


def read_pointer(shared):
    """Return the names of the current and the previous release."""
    return json.loads((shared / "current.json").read_text())


def release(shared, own):
    """Put a new release beside the old one and point at it."""
    folder = shared / "releases" / uuid.uuid4().hex
    previous = read_pointer(shared)["current"]
    folder.mkdir()
    write_atomically(shared / "current.json", json.dumps({"current": folder.name, "previous": previous}), own)
    for name, text in FILES.items():
        write_atomically(folder / name, text, own)
    return "released"


def restart(shared, own):
    """Remove drafts, and releases that no reader can reach."""
    for draft in own.glob("*.tmp"):
        draft.unlink(missing_ok=True)
    reachable = set(read_pointer(shared).values())
    for folder in (shared / "releases").iterdir():
        if folder.name not in reachable:
            shutil.rmtree(folder)


BREAKS = {"all_or_nothing"}
CAUSES = ["not the same: file.replace:shared/current.json in write_atomically"]


def explore(chaos, tmp_path):
    """The watched folder has a first release, and a pointer to it."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    own.mkdir()
    (shared / "releases" / "first").mkdir(parents=True)
    (shared / "releases" / "first" / "model.txt").write_text("weights: 0.3 0.3 0.4\n")
    (shared / "current.json").write_text('{"current": "first", "previous": null}')
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: release(shared, own), recover=lambda: restart(shared, own))
