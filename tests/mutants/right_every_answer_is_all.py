"""A model asks for two tools at once; the batch is answered when every call is, and else all of it is done again.

A naive harness accuses it: after a crash a page that is there is written once more.
"""

from . import wrong_any_answer_is_all as batch


def is_answered(own):
    """Say whether the batch was answered."""
    return all((own / f"{call}.json").exists() for call in batch.CALLS)


BREAKS = set()
FAULTS = batch.FAULTS


def explore(chaos, tmp_path):
    """The same batch."""
    batch.explore(chaos, tmp_path, is_answered)
