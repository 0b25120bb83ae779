"""Two files are moved out as one: a row in a WAL database says that they may go, and recovery finishes what it says.

A naive harness accuses it: after a crash one file is there and the other is not, and the newest row is in the log only.
"""

import os
import sqlite3
from contextlib import closing

FILES = {"tariff.csv": "zone;cents\n1;240\n2;380\n", "tariff.sha": "5f2b1c\n"}


def publish(shared, own):
    """Stage all, commit the decision, move, forget."""
    with closing(sqlite3.connect(own / "state.db")) as state:
        with state:
            state.execute("INSERT INTO moves VALUES ('tariff', 'staging')")
        for name, text in FILES.items():
            with open(own / "out" / name, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        with state:
            state.execute("UPDATE moves SET state = 'moving'")
        finish(state, shared, own)
    return "published"


def finish(state, shared, own):
    """Move whatever is not there yet, then forget the decision."""
    for name in FILES:
        if (own / "out" / name).exists():
            os.replace(own / "out" / name, shared / name)
    with state:
        state.execute("DELETE FROM moves")


def restart(shared, own):
    """Before the decision: throw away. After it: finish."""
    with closing(sqlite3.connect(own / "state.db")) as state:
        row = state.execute("SELECT state FROM moves").fetchone()
        if row == ("moving",):
            finish(state, shared, own)
        elif row is not None:
            for name in FILES:
                (own / "out" / name).unlink(missing_ok=True)
            with state:
                state.execute("DELETE FROM moves")


BREAKS = set()


def explore(chaos, tmp_path):
    """A watched folder, and a private one with a database in WAL mode and the files that are not out yet."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    (own / "out").mkdir(parents=True)
    with closing(sqlite3.connect(own / "state.db")) as state:
        state.execute("PRAGMA journal_mode=WAL")
        state.execute("CREATE TABLE moves (name TEXT PRIMARY KEY, state TEXT)")
        state.commit()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: publish(shared, own), recover=lambda: restart(shared, own))
