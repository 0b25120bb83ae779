"""The agent makes its tables at its first start, one by one; where the first is there, it takes all to be there.

After a crash in between every later start dies for want of a table.
"""

import sqlite3
from contextlib import closing

TABLES = ("jobs (name TEXT)", "results (name TEXT, text TEXT)")


def set_up(state):
    """Make what is missing."""
    if state.execute("SELECT 1 FROM sqlite_master WHERE name = 'jobs'").fetchone() is None:
        for table in TABLES:
            state.execute(f"CREATE TABLE {table}")


def work(database, set_up=set_up):
    """Do the one job, once."""
    with closing(sqlite3.connect(database)) as state:
        set_up(state)
        with state:
            if state.execute("SELECT 1 FROM results").fetchone() is None:
                state.execute("INSERT INTO jobs VALUES ('sum')")
                state.execute("INSERT INTO results VALUES ('sum', '42')")
    return "worked"


BREAKS = {"recovery_succeeds"}
CAUSES = ["raised in work, OperationalError"]


def explore(chaos, tmp_path, set_up=set_up):
    """A database that does not exist yet; the supervisor starts the agent again."""
    database = tmp_path / "work.db"
    chaos.watch(database)
    chaos.explore(run=lambda: work(database, set_up))
