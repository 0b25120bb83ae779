"""A task is begun, and noted in the agent's database with its first result.

After a crash before that note nobody knows of the task: its first file stands there alone, for ever.
"""

import sqlite3
from contextlib import closing

FILES = ("terms.md", "prices.md")


def note(own):
    """Note that the task was begun."""
    with closing(sqlite3.connect(own / "state.db")) as state, state:
        state.execute("INSERT OR IGNORE INTO tasks VALUES ('publish')")


def work(shared, own, when=1):
    """Write the files; the note comes after as many of them as `when` says."""
    for number, name in enumerate(FILES):
        if number == when:
            note(own)
        (shared / name).write_text(f"# {name}\n")
    forget(own)
    return "published"


def forget(own):
    """Note that the task is over."""
    with closing(sqlite3.connect(own / "state.db")) as state, state:
        state.execute("DELETE FROM tasks")


def restart(shared, own):
    """Remove what a task that was noted has written."""
    with closing(sqlite3.connect(own / "state.db")) as state:
        begun = state.execute("SELECT 1 FROM tasks").fetchone()
    if begun:
        for name in FILES:
            (shared / name).unlink(missing_ok=True)
        forget(own)


BREAKS = {"all_or_nothing"}
CAUSES = ["torn: file.open:shared/terms.md in work"]


def explore(chaos, tmp_path, when=1):
    """A watched folder, and a private one with the tasks."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    with closing(sqlite3.connect(own / "state.db")) as state:
        state.execute("CREATE TABLE tasks (name TEXT PRIMARY KEY)")
        state.commit()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: work(shared, own, when), recover=lambda: restart(shared, own))
