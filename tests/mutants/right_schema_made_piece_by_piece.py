"""The agent makes each of its tables at every start where it is missing.

A naive harness accuses it: after a crash there are empty tables, or a part of them, until the next start.
"""

from . import wrong_schema_half_made as store


def set_up(state):
    """Make what is missing."""
    for table in store.TABLES:
        state.execute(f"CREATE TABLE IF NOT EXISTS {table}")


BREAKS = set()


def explore(chaos, tmp_path):
    """The same work."""
    store.explore(chaos, tmp_path, set_up)
