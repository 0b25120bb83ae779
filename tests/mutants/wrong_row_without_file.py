"""A document's row is committed before its file is in the archive, and recovery trusts the row.

After a failure between the two the catalog names a document that nobody can open.
"""

import hashlib
import os
import sqlite3
from contextlib import closing

SCHEMA = "CREATE TABLE documents (name TEXT PRIMARY KEY, sha256 TEXT, size INTEGER)"
TEXT = "Lease of the warehouse\n\nThe tenant pays on the first of each month.\n"


def archive(shared, own, name, text):
    """Enter the document into the catalog and put its file beside it."""
    content = text.encode()
    digest = hashlib.sha256(content).hexdigest()
    with closing(sqlite3.connect(shared / "catalog.db")) as catalog, catalog:
        catalog.execute("INSERT INTO documents VALUES (?, ?, ?)", (name, digest, len(content)))
    draft = own / "document.part"
    with open(draft, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, shared / name)
    return "archived"


def restart(shared, own):
    """The catalog is the truth: drafts go, and files that it does not name."""
    (own / "document.part").unlink(missing_ok=True)
    with closing(sqlite3.connect(shared / "catalog.db")) as catalog:
        known = {name for (name,) in catalog.execute("SELECT name FROM documents")}
    for file in shared.glob("*.txt"):
        if file.name not in known:
            file.unlink(missing_ok=True)


BREAKS = {"all_or_nothing"}
CAUSES = ["missing: file.replace:archive/lease.txt in archive"]


def explore(chaos, tmp_path):
    """A watched archive with its catalog database, and a private folder for the draft."""
    shared, own = tmp_path / "archive", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    with closing(sqlite3.connect(shared / "catalog.db")) as catalog:
        catalog.execute(SCHEMA)
        catalog.commit()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: archive(shared, own, "lease.txt", TEXT), recover=lambda: restart(shared, own))
