"""A build's leftovers are removed with `ignore_errors`, and its note with them: the next start has nothing to do.

One crash is cleaned up after. A crash, and a disk that fails while it is cleaned up, leave half a build for ever.
"""

import os
import shutil

DEPTH = 2
FAULTS = ("process.kill", "storage.io_error")


def build(shared, own):
    """Build beside, and move into place."""
    (own / "building").touch()
    (own / "site").mkdir()
    (own / "site" / "index.html").write_text("<h1>Welcome</h1>\n")
    os.replace(own / "site", shared / "site")
    (own / "building").unlink()
    return "built"


def restart(shared, own):
    """Remove what a build has left."""
    if (own / "building").exists():
        shutil.rmtree(own / "site", ignore_errors=True)
        (own / "building").unlink()


BREAKS = {"clean_retry"}
CAUSES = ["raised in build, FileExistsError"]


def explore(chaos, tmp_path, restart=restart):
    """A watched folder, and a private one to build in."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: build(shared, own), recover=lambda: restart(shared, own))
