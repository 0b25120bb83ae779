"""Each request has a key of the run's name and of what it is for, whoever sends it and whatever was sent before.

A naive harness accuses it: after a crash an order is sent that was sent before.
"""

from . import wrong_key_counted_in_process as supply


def keys():
    """Return a function that gives each request its key."""
    return lambda goods: f"run-7/{goods}"


BREAKS = set()


def explore(chaos, tmp_path):
    """The same supplier."""
    supply.explore(chaos, tmp_path, keys)
