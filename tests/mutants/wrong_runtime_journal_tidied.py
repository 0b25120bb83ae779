"""An agent on the reference runtime tidies its journal after a rollback: it deletes the event that says why.

The chain of hashes is broken from there on, and the next recovery refuses to believe any of it.
"""

import sqlite3
from contextlib import closing

from rollproof.invariants.runtime import journal_is_whole
from rollproof.runtime import Saga, Step, Store


def saga(store, shared):
    """One file, which can be taken back."""
    path = shared / "note.txt"
    return Saga(
        store, "note", [Step("write", lambda run: path.write_text("x") and None, lambda run: path.unlink(True))]
    )


def write(shared, own):
    """Write the note."""
    with Store(own / "agent.db") as store:
        saga(store, shared).run("a note", {})
    return "written"


def restart(shared, own):
    """Settle, then tidy up."""
    with Store(own / "agent.db") as store:
        settled = saga(store, shared).recover()
    if settled:
        with closing(sqlite3.connect(own / "agent.db")) as journal, journal:
            journal.execute("DELETE FROM journal WHERE event = 'abandoned'")


BREAKS = {"journal_is_whole"}
CAUSES = ["untrue in explore"]


def explore(chaos, tmp_path):
    """A watched folder, and a private one with the runtime's database."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.invariant(journal_is_whole)
    chaos.explore(run=lambda: write(shared, own), recover=lambda: restart(shared, own))
