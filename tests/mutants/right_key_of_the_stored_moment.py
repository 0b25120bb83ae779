"""A payment's idempotency key is the second in which it was begun, stored as a whole before anything is sent.

A naive harness accuses it: a payment that a restart sends has a time in it at which nobody was at work.
"""

import os

from . import wrong_key_of_the_moment as rent


def moment(own):
    """Return the second of this payment, the same for ever."""
    path = own / "begun"
    if not path.exists():
        (own / "begun.part").write_text(rent.moment(own))
        os.replace(own / "begun.part", path)
    return path.read_text()


BREAKS = set()


def explore(chaos, tmp_path):
    """The same rent."""
    rent.explore(chaos, tmp_path, moment)
