"""An agent lists a version of a file in the runtime's table before it keeps the version's content.

A crash in between leaves a version that nobody can restore.
"""

from hashlib import sha256

from rollproof.invariants.runtime import versions_are_whole
from rollproof.runtime import FolderContents, Store


def save(shared, own, content):
    """List, keep, write."""
    with Store(own / "agent.db") as store:
        with store.transaction():
            number = len(store.read("SELECT * FROM versions")) + 1
            insert = "INSERT INTO versions (name, version, sha256, run) VALUES ('a.txt', ?, ?, '')"
            store.write(insert, number, sha256(content).hexdigest())
        FolderContents(own / "contents").put(content)
    (shared / "a.txt.part").write_bytes(content)
    (shared / "a.txt.part").replace(shared / "a.txt")
    return "saved"


def restart(shared, own):
    """Delete what is unfinished."""
    (shared / "a.txt.part").unlink(missing_ok=True)
    FolderContents(own / "contents").clean()


BREAKS = {"versions_are_whole"}
CAUSES = ["untrue in explore"]


def explore(chaos, tmp_path):
    """A watched folder, and a private one with database and contents."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    (own / "contents").mkdir(parents=True)
    chaos.watch(shared)
    chaos.private(own)
    chaos.invariant(versions_are_whole)
    chaos.explore(run=lambda: save(shared, own, b"new"), recover=lambda: restart(shared, own))
