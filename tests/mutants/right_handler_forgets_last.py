"""An error is handled on the spot: what was begun is removed, and then the note of it.

A naive harness accuses it: after an error and a crash the next start publishes what the run was taking back.
"""

from . import wrong_handler_forgets_first as page

FAULTS = page.FAULTS


def undo(shared, own):
    """Remove the page, and forget."""
    (shared / "page.html").unlink(missing_ok=True)
    (own / "begun").unlink()


BREAKS = set()


def explore(chaos, tmp_path):
    """The same page."""
    page.explore(chaos, tmp_path, undo)
