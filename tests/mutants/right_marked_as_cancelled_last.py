"""Recovery cancels a booking at the hotel, and marks it when that is done.

A naive harness accuses it: after a crash between the two the same cancellation is asked for again.
"""

import sqlite3
from contextlib import closing

from . import wrong_marked_as_cancelled_first as hotel


def restart(own):
    """Cancel what did not come to its end."""
    with closing(sqlite3.connect(own / "state.db")) as state:
        for (guest,) in state.execute("SELECT guest FROM bookings WHERE state = 'open'").fetchall():
            hotel.cancel(guest)
            with state:
                state.execute("UPDATE bookings SET state = 'cancelled' WHERE guest = ?", (guest,))


BREAKS = set()
FAULTS = hotel.FAULTS


def explore(chaos, tmp_path):
    """The same hotel."""
    hotel.explore(chaos, tmp_path, restart)
