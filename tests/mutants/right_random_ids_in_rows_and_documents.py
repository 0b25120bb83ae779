"""A document has a random id and a time, in its file's name, in its JSON and in its row; the row's commit is the truth.

A naive harness accuses it: hardly anything that two runs leave is the same.
"""

import json
import os
import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime

SCHEMA = "CREATE TABLE documents (id TEXT PRIMARY KEY, title TEXT, created_at TEXT, file TEXT)"


def store(shared, own, title):
    """Put the file into place under a new id, then commit the row that makes it count."""
    document = {"id": str(uuid.uuid4()), "title": title, "created_at": datetime.now(UTC).isoformat()}
    name = f"{document['created_at'][:10]}-{document['id']}.json"
    draft = own / "document.part"
    with open(draft, "w") as file:
        json.dump({**document, "tags": ["new", document["id"][:8]]}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, shared / name)
    with closing(sqlite3.connect(shared / "index.db")) as index, index:
        index.execute("INSERT INTO documents VALUES (:id, :title, :created_at, :file)", {**document, "file": name})
    return {"stored": title, "id": document["id"]}


def restart(shared, own):
    """Remove the draft, and files that no row names."""
    (own / "document.part").unlink(missing_ok=True)
    with closing(sqlite3.connect(shared / "index.db")) as index:
        known = {file for (file,) in index.execute("SELECT file FROM documents")}
    for file in shared.glob("*.json"):
        if file.name not in known:
            file.unlink(missing_ok=True)


BREAKS = set()


def explore(chaos, tmp_path):
    """A watched folder with the index and its files, and a private one for the draft."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    with closing(sqlite3.connect(shared / "index.db")) as index:
        index.execute(SCHEMA)
        index.commit()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: store(shared, own, "Lease"), recover=lambda: restart(shared, own))
