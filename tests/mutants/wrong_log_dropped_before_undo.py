"""Two pages are published under an undo log; recovery reads the log, removes it, and then removes the pages.

One crash is undone. A second one, between the log's end and the pages', leaves half an edition that nobody knows of.
"""

import json
import os

PAGES = {"prices.html": "<h1>Prices</h1>\n", "terms.html": "<h1>Terms</h1>\n"}


def publish(shared, own):
    """Note what is to be made, make it, forget the note: that is the commit."""
    draft = own / "undo.json.tmp"
    draft.write_text(json.dumps(list(PAGES)))
    os.replace(draft, own / "undo.json")
    for name, text in PAGES.items():
        (shared / name).write_text(text)
    (own / "undo.json").unlink()
    return "published"


def restart(shared, own):
    """Undo what the log names."""
    (own / "undo.json.tmp").unlink(missing_ok=True)
    log = own / "undo.json"
    if log.exists():
        names = json.loads(log.read_text())
        log.unlink()
        for name in names:
            (shared / name).unlink(missing_ok=True)


BREAKS = {"all_or_nothing"}
FAULTS = ("process.kill",)
CAUSES = ["torn: file.open:shared/prices.html in publish"]


def explore(chaos, tmp_path, restart=restart):
    """A watched folder, and a private one with the log."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: publish(shared, own), recover=lambda: restart(shared, own))
