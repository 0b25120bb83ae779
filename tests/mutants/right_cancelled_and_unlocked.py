"""A lock at a service is given back whatever ends the work, a cancellation too, and one while it is given back.

A naive harness accuses it: a task that was cancelled goes on to send requests.
"""

import asyncio

from . import wrong_cancelled_and_still_locked as printer


async def unlock(client):
    """Give back all locks of ours; one cancellation does not keep us from it."""
    try:
        await printer.unlock(client)
    except asyncio.CancelledError:
        await printer.unlock(client)
        raise


BREAKS = set()
FAULTS = printer.FAULTS


def explore(chaos, tmp_path):
    """The same printer."""
    printer.explore(chaos, tmp_path, BaseException, unlock)
