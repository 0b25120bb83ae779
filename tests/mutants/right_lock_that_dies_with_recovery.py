"""Recovery keeps others out by flock: whoever dies lets go, and the lock's file stays, empty, on purpose.

A naive harness accuses it: `recovery.guard` is there after every recovery.
"""

import fcntl

from . import wrong_lock_of_a_dead_recovery as tariff


def restart(shared, own):
    """Clean up, unless another start is at it."""
    with open(own / "recovery.guard", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        tariff.clean_up(shared, own)


BREAKS = set()


def explore(chaos, tmp_path):
    """The same tariff."""
    tariff.explore(chaos, tmp_path, restart)
