"""After a timeout the agent looks whether its order arrived; without an answer it ends with an error.

A naive harness accuses it: it gives up although the order is there.
"""

import httpx

from . import wrong_failed_look_sees_nothing as supply

DEPTH, FAULTS = supply.DEPTH, supply.FAULTS


def arrived(number):
    """Say whether the supplier has the order, or raise."""
    return bool(httpx.get(supply.ORDERS, params={"number": number}, timeout=10).raise_for_status().json())


BREAKS = set()


def explore(chaos, tmp_path):
    """The same supplier."""
    supply.explore(chaos, tmp_path, arrived)
