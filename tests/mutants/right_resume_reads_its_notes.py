"""A ledger is filled booking by booking, each noted in the same transaction; a start goes on after the last note.

A naive harness accuses it: after a crash the ledger is half full until the next start.
"""

from . import wrong_resume_starts_from_zero as ledger


def booked_so_far(state):
    """Return what is in the ledger."""
    return {name for (name,) in state.execute("SELECT name FROM notes")}


BREAKS = set()
FAULTS = ledger.FAULTS


def explore(chaos, tmp_path):
    """The same ledger."""
    ledger.explore(chaos, tmp_path, booked_so_far)
