"""An agent on the reference runtime ends a dead run by an event of its own, and forgets the lease of the run.

Everybody else waits for a run that is over.
"""

from rollproof.invariants.runtime import leases_end_with_their_runs
from rollproof.runtime import Event, Journal, Leases, Saga, Step, Store
from rollproof.runtime.progress import unfinished


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
    """Take the note away, and call the run rolled back."""
    with Store(own / "agent.db") as store:
        for progress in unfinished(Journal(store), Leases(store).all()):
            (shared / "note.txt").unlink(missing_ok=True)
            with store.transaction():
                Journal(store).append(progress.run, Event.ABANDONED, reason="tidy")
                Journal(store).append(progress.run, Event.ROLLED_BACK)


BREAKS = {"leases_end_with_their_runs"}
CAUSES = ["untrue in explore"]


def explore(chaos, tmp_path):
    """A watched folder, and a private one with the runtime's database."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.invariant(leases_end_with_their_runs)
    chaos.explore(run=lambda: write(shared, own), recover=lambda: restart(shared, own))
