"""The agent works under a lease with an expiry; who finds one of somebody else waits until it has run out.

A naive harness accuses it: after a crash the lease is still there, and recovery sleeps for half a minute first.
"""

import os
import sqlite3
import time
import uuid
from contextlib import closing, contextmanager

LEASE_S = 30.0


@contextmanager
def leased(own):
    """Hold the lease: wait for its end where somebody else has it, take it, give it back."""
    holder = uuid.uuid4().hex
    with closing(sqlite3.connect(own / "state.db", isolation_level=None)) as state:
        while not taken(state, holder):
            time.sleep(5.0)
        try:
            yield
        finally:
            state.execute("DELETE FROM leases WHERE holder = ?", (holder,))


def taken(state, holder):
    """Take the lease where it is free or has run out; say whether that worked."""
    state.execute("BEGIN IMMEDIATE")
    try:
        held = state.execute("SELECT expires_at FROM leases").fetchone()
        if held is not None and held[0] > time.time():
            state.execute("ROLLBACK")
            return False
        state.execute("INSERT OR REPLACE INTO leases VALUES ('site', ?, ?)", (holder, time.time() + LEASE_S))
        state.execute("COMMIT")
        return True
    except sqlite3.Error:
        if state.in_transaction:
            state.execute("ROLLBACK")
        raise


def publish(shared, own):
    """Draft and put into place, one agent at a time."""
    with leased(own):
        draft = own / "page.part"
        with open(draft, "w") as file:
            file.write("<h1>Prices</h1>\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, shared / "prices.html")
    return "published"


def restart(own):
    """Remove the draft of a run that died, once it cannot be at work any more."""
    with leased(own):
        (own / "page.part").unlink(missing_ok=True)


BREAKS = set()


def explore(chaos, tmp_path):
    """A watched folder, and a private one with the lease database."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    with closing(sqlite3.connect(own / "state.db")) as state:
        state.execute("CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT, expires_at REAL)")
        state.commit()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: publish(shared, own), recover=lambda: restart(own))
