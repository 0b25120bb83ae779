"""Recovery keeps others out by a lock file; who finds it leaves the work to them.

One crash is recovered from. A second one, in the recovery, leaves the lock, and every later start does nothing.
"""

import os

TEXT = "zone;cents\n1;240\n2;380\n"


def publish(shared, own):
    """Write the tariff in place; a note says that it is not complete."""
    (own / "writing").touch()
    (shared / "tariff.csv").write_text(TEXT)
    (own / "writing").unlink()
    return "published"


def clean_up(shared, own):
    """Remove what is not complete."""
    if (own / "writing").exists():
        (shared / "tariff.csv").unlink(missing_ok=True)
        (own / "writing").unlink()


def restart(shared, own):
    """Clean up, unless another start is at it."""
    try:
        os.close(os.open(own / "recovery.lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return
    clean_up(shared, own)
    (own / "recovery.lock").unlink()


BREAKS = {"all_or_nothing", "no_leftovers"}
CAUSES = ["left over: file.open:agent/recovery.lock in restart", "torn: file.open:shared/tariff.csv in publish"]


def explore(chaos, tmp_path, restart=restart):
    """A watched folder, and a private one with the note and the lock."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: publish(shared, own), recover=lambda: restart(shared, own))
