"""The agent's database is in WAL mode, and recovery publishes a copy of the main file alone.

After a crash what was committed last is in `index.db-wal` only: an index without its newest entry is published.
"""

import os
import shutil
import sqlite3
from contextlib import closing

OLD, NEW = ("solar", "Solar power"), ("wind", "Wind power")


def build(own):
    """Enter the new topic; closing moves it from the log into the file."""
    with closing(sqlite3.connect(own / "index.db")) as index, index:
        index.execute("INSERT OR REPLACE INTO topics VALUES (?, ?)", NEW)


def publish(shared, own):
    """Copy the index and put the copy into place as a whole."""
    draft = own / "copy.part"
    shutil.copyfile(own / "index.db", draft)
    os.replace(draft, shared / "index.db")


def index_all(shared, own):
    """Build and publish."""
    build(own)
    publish(shared, own)
    return "published"


def has_news(own):
    """Say whether the transaction of a run that died was committed."""
    with closing(sqlite3.connect(f"file:{own / 'index.db'}?mode=ro", uri=True)) as index:
        return index.execute("SELECT 1 FROM topics WHERE name = ?", NEW[:1]).fetchone() is not None


def restart(shared, own):
    """Publish what was built; without the new topic nothing has happened."""
    (own / "copy.part").unlink(missing_ok=True)
    if has_news(own):
        publish(shared, own)


BREAKS = {"all_or_nothing"}
CAUSES = ["missing: file.replace:shared/index.db in publish"]


def explore(chaos, tmp_path):
    """A watched folder for the published index, a private one for the one that is worked on."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    with closing(sqlite3.connect(own / "index.db")) as index:
        index.execute("PRAGMA journal_mode=WAL")
        index.execute("CREATE TABLE topics (name TEXT PRIMARY KEY, title TEXT)")
        index.execute("INSERT INTO topics VALUES (?, ?)", OLD)
        index.commit()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: index_all(shared, own), recover=lambda: restart(shared, own))
