"""A lease of somebody else is respected until its expiry, and is free from then on.

A naive harness accuses it: at once after a crash the agent says that another one is at work, and does nothing.
"""

import time

from . import wrong_lease_without_an_end as prices


def is_free(lease):
    """Say whether somebody else may take the lease."""
    return lease is None or lease["expires_at"] <= time.time()


BREAKS = set()
FAULTS = prices.FAULTS


def explore(chaos, tmp_path):
    """The same page."""
    prices.explore(chaos, tmp_path, is_free)
