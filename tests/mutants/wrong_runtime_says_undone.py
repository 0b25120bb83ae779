"""An agent on the reference runtime has an undo that does nothing: its journal says "undone", and the note is there."""

from rollproof.invariants.runtime import belief_is_reality
from rollproof.runtime import Saga, Step, Store


def saga(store, shared):
    """One file, with an undo that only looks like one."""
    path = shared / "note.txt"
    return Saga(store, "note", [Step("write", lambda run: path.write_text("x") and None, undo=lambda run: None)])


def write(shared, own):
    """Write the note."""
    with Store(own / "agent.db") as store:
        saga(store, shared).run("a note", {})
    return "written"


def restart(shared, own):
    """Settle what was left."""
    with Store(own / "agent.db") as store:
        saga(store, shared).recover()


BREAKS = {"belief_is_reality"}
CAUSES = ["untrue in explore"]


def explore(chaos, tmp_path):
    """A watched folder, and a private one with the runtime's database."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    looks = {"write": lambda world: "shared/note.txt" in world.files}
    chaos.invariant(belief_is_reality("agent/agent.db", looks))
    chaos.explore(run=lambda: write(shared, own), recover=lambda: restart(shared, own))
