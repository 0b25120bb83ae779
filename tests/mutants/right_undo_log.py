"""Three price files are replaced in place under an undo log; when something fails, the next start puts the old back.

A naive harness accuses it: old and new files stand side by side until recovery, and the log is a strange new file.
"""

import json
import os

NEW = {
    "panels.csv": "sku,cents\np-1,11500\np-2,13900\n",
    "batteries.csv": "sku,cents\nb-1,43900\n",
    "cables.csv": "sku,cents\nc-1,900\nc-2,1500\n",
}


def replace(path, text, own):
    """Replace a file as a whole; the draft stays in the agent's own folder."""
    draft = own / f"{path.name}.tmp"
    with open(draft, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def update_prices(shared, own):
    """Note what was there, replace each file, and forget the notes: that is the commit."""
    log = own / "undo.json"
    before = {name: (shared / name).read_text() if (shared / name).exists() else None for name in NEW}
    replace(log, json.dumps(before), own)
    for name, text in NEW.items():
        replace(shared / name, text, own)
    log.unlink()
    return "prices updated"


def roll_back(shared, own):
    """Put back what the log names, newest first; doing it twice is doing it once."""
    if not own.exists():
        return
    for draft in own.glob("*.tmp"):
        draft.unlink(missing_ok=True)
    log = own / "undo.json"
    if not log.exists():
        return
    for name, text in reversed(json.loads(log.read_text()).items()):
        if text is None:
            (shared / name).unlink(missing_ok=True)
        else:
            replace(shared / name, text, own)
    log.unlink(missing_ok=True)


BREAKS = set()


def explore(chaos, tmp_path):
    """The watched folder has two of the three files; the third is new."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    (shared / "panels.csv").write_text("sku,cents\np-1,12000\n")
    (shared / "batteries.csv").write_text("sku,cents\nb-1,45000\n")
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: update_prices(shared, own), recover=lambda: roll_back(shared, own))
