"""A draft is kept beside its hash, and what is read again is published only where it has that hash.

Of a row it is the same: the hash stands in it. What is damaged ends the run, and a disk that is put right lets the
next one go on.
"""

import hashlib
import sqlite3
from contextlib import closing

from tests.exploring import two_folders

from .wrong_draft_read_without_its_hash import DRAFT, write_atomically

TITLE = "Solar power in 2025"


def digest(text):
    """Return a hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def checked(text, expected):
    """Return a text that has the hash that was kept."""
    if digest(text) != expected:
        raise RuntimeError("what is read is not what was written")
    return text


def publish(shared, own):
    """Write draft and title, if they are not there yet, and publish what is read of them."""
    draft = own / "draft.md"
    if not draft.exists():
        write_atomically(draft, f"{digest(DRAFT)}\n{DRAFT}", own)
    with closing(sqlite3.connect(own / "titles.db", isolation_level=None)) as database:
        database.execute("CREATE TABLE IF NOT EXISTS titles (title TEXT, sha256 TEXT)")
        database.execute(
            "INSERT INTO titles SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM titles)", (TITLE, digest(TITLE))
        )
        title = checked(*database.execute("SELECT title, sha256 FROM titles").fetchone())
    expected, _, text = draft.read_text().partition("\n")
    write_atomically(shared / "page.md", f"{title}\n{checked(text, expected)}", own)


FAULTS = ("process.kill", "storage.bit_flip", "storage.truncated_file")
BREAKS = set()


def explore(chaos, tmp_path):
    """One page, and a private folder with its draft and a database."""
    shared, own = two_folders(chaos, tmp_path)
    chaos.explore(run=lambda: publish(shared, own))
