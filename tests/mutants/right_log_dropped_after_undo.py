"""Two pages are published under an undo log; recovery removes the pages, and the log when they are gone.

A naive harness accuses it: after a crash in the recovery it removes what is not there any more.
"""

import json

from . import wrong_log_dropped_before_undo as pages


def restart(shared, own):
    """Undo what the log names, as often as it takes."""
    (own / "undo.json.tmp").unlink(missing_ok=True)
    log = own / "undo.json"
    if log.exists():
        for name in json.loads(log.read_text()):
            (shared / name).unlink(missing_ok=True)
        log.unlink()


BREAKS = set()
FAULTS = pages.FAULTS


def explore(chaos, tmp_path):
    """The same pages."""
    pages.explore(chaos, tmp_path, restart)
