"""Each release is a folder with a random name; `current.json` is switched when all of it is there.

A naive harness accuses it: folder names differ between any two runs, and a half release stands there until recovery.
"""

import asyncio
import json
import os
import shutil
import uuid

FILES = {
    "model.txt": "weights: 0.1 0.7 0.2\n",
    "labels.txt": "sun\ncloud\nrain\n",
    "README.txt": "Trained on 2019 data.\n",
}


def write(path, text):
    """Write a file and make sure that it is on the disk."""
    with open(path, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_pointer(shared):
    """Return the names of the current and the previous release."""
    return json.loads((shared / "current.json").read_text())


async def release(shared, own):
    """Fill a new folder, then point at it: the switch is the commit."""
    folder = shared / "releases" / uuid.uuid4().hex
    previous = read_pointer(shared)["current"]
    folder.mkdir()
    for name, text in FILES.items():
        write(folder / name, text)
        await asyncio.sleep(0)
    draft = own / "current.json.tmp"
    write(draft, json.dumps({"current": folder.name, "previous": previous}))
    os.replace(draft, shared / "current.json")
    return "released"


async def restart(shared, own):
    """Remove the pointer's draft, and releases that no reader can reach."""
    (own / "current.json.tmp").unlink(missing_ok=True)
    reachable = set(read_pointer(shared).values())
    for folder in (shared / "releases").iterdir():
        if folder.name not in reachable:
            shutil.rmtree(folder)


BREAKS = set()


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
