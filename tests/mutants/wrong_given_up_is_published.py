"""A publication is tried once. A start that finds it begun tidies up and gives up, and says that it is published.

Outside all is as before, nobody wants a second try, and who asked for it was told that it is there.
"""

import os


def publish(shared, own, otherwise="published"):
    """Note that it is begun, write the report beside its place, move it there."""
    if (own / "begun").exists():
        if (shared / "report.md").exists():
            return "published"
        (shared / "report.part").unlink(missing_ok=True)
        return otherwise
    (own / "begun").touch()
    (shared / "report.part").write_text("# Solar\n\nIt shines.\n")
    os.replace(shared / "report.part", shared / "report.md")
    return "published"


BREAKS = {"honest_outcome"}
CAUSES = ["missing: file.replace:shared/report.md in publish"]


def explore(chaos, tmp_path, work=publish):
    """A watched folder, and a private one with the note."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: work(shared, own), retry=False)
