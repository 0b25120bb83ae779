"""A ledger is filled booking by booking, each noted when it is in; a start opens the list of notes with "w".

After a crash between two bookings its note is thrown away by the start that needed it: the first is booked again, the
ledger refuses that, and so it does at every start.
"""

import sqlite3
from contextlib import closing

BOOKINGS = {"rent": 95000, "power": 12040}


def booked_so_far(state):
    """Return what is in the ledger, and begin the list of this start."""
    state.execute("DELETE FROM notes")
    state.commit()
    return set()


def book_all(database, booked_so_far=booked_so_far):
    """Book what is not booked; booking and note are one transaction."""
    with closing(sqlite3.connect(database)) as state:
        booked = booked_so_far(state)
        for name, cents in BOOKINGS.items():
            if name not in booked:
                with state:
                    state.execute("INSERT INTO ledger VALUES (?, ?)", (name, cents))
                    state.execute("INSERT INTO notes VALUES (?)", (name,))
        with state:
            state.execute("DELETE FROM notes")
            state.execute("UPDATE job SET state = 'done'")
    return "booked"


def resume(database, booked_so_far=booked_so_far):
    """Go on, unless all is done."""
    with closing(sqlite3.connect(database)) as state:
        done = state.execute("SELECT state FROM job").fetchone() == ("done",)
    if not done:
        book_all(database, booked_so_far)


BREAKS = {"all_or_nothing", "recovery_succeeds"}
FAULTS = ("process.kill",)
CAUSES = ["left over: sqlite.insert:ledger.db:ledger in book_all, IntegrityError"]


def explore(chaos, tmp_path, booked_so_far=booked_so_far):
    """A database with the ledger, the notes and the job."""
    database = tmp_path / "ledger.db"
    with closing(sqlite3.connect(database)) as state:
        for table in ("ledger (name TEXT PRIMARY KEY, cents INTEGER)", "notes (name TEXT)", "job (state TEXT)"):
            state.execute(f"CREATE TABLE {table}")
        state.execute("INSERT INTO job VALUES ('open')")
        state.commit()
    chaos.watch(database)
    chaos.explore(run=lambda: book_all(database, booked_so_far), recover=lambda: resume(database, booked_so_far))
