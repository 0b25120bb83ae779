"""An agent on the reference runtime empties the dead letters when it starts: what could not be undone is forgotten."""

from rollproof.invariants.runtime import dead_letters_are_complete
from rollproof.runtime import Saga, Step, Store


def cannot(run):
    """Never succeed."""
    raise PermissionError("not allowed to take this back")


def saga(store, shared):
    """One file, whose undo always fails."""
    path = shared / "note.txt"
    steps = [Step("write", lambda run: path.write_text("x") and None, undo=cannot)]
    return Saga(store, "note", steps, undo_tries=1, undo_passes=1)


def write(shared, own):
    """Write the note."""
    with Store(own / "agent.db") as store:
        saga(store, shared).run("a note", {})
    return "written"


def restart(shared, own):
    """Settle what was left, and start with a clean table."""
    with Store(own / "agent.db") as store:
        saga(store, shared).recover()
        with store.transaction():
            store.write("DELETE FROM dead_letters")


BREAKS = {"dead_letters_are_complete"}
CAUSES = ["untrue in explore"]


def explore(chaos, tmp_path):
    """A watched folder, and a private one with the runtime's database; a note may stay, with a letter."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.invariant(dead_letters_are_complete)
    chaos.explore(run=lambda: write(shared, own), recover=lambda: restart(shared, own), allow=lambda world: True)
