"""A lease without an end is taken in the agent's database and given back as the last step of a good run.

After an error or a crash the row stays, and every later run is told that somebody else is at work.
"""

import os
import sqlite3
import uuid
from contextlib import closing


def take_lease(state):
    """Enter this process as the holder; raise RuntimeError while there is one."""
    with state:
        if state.execute("SELECT 1 FROM leases").fetchone():
            raise RuntimeError("another agent is at work")
        state.execute("INSERT INTO leases VALUES ('catalog', ?)", (uuid.uuid4().hex,))


def write_catalog(shared, own):
    """Draft the catalog under the lease and put it into place."""
    with closing(sqlite3.connect(own / "state.db")) as state:
        take_lease(state)
        draft = own / "catalog.part"
        with open(draft, "w") as file:
            file.write("cable;10\npanel;4\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, shared / "catalog.csv")
        with state:
            state.execute("DELETE FROM leases")
    return "written"


def restart(own):
    """Remove the draft of a run that died."""
    (own / "catalog.part").unlink(missing_ok=True)


BREAKS = {"no_leftovers", "clean_retry"}
CAUSES = ["left over: sqlite.insert:agent/state.db:leases in take_lease"]


def explore(chaos, tmp_path):
    """A watched folder, and a private one with the lease database."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    with closing(sqlite3.connect(own / "state.db")) as state:
        state.execute("CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT)")
        state.commit()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: write_catalog(shared, own), recover=lambda: restart(own))
