"""An agent on the reference runtime settles, when it starts, what is not complete: also what a person has in hand."""

from rollproof.invariants.runtime import one_owner
from rollproof.runtime import Decision, Event, Journal, NeedsPerson, Saga, Status, Step, Store
from rollproof.runtime.progress import all_runs


def ask(run):
    """Go on only with a person's word."""
    if not run.variables.get("accepted"):
        raise NeedsPerson("too much")


def saga(store, shared):
    """Ask, then write."""
    path = shared / "note.txt"
    write = Step("write", lambda run: path.write_text("x") and None, lambda run: path.unlink(True))
    return Saga(store, "note", [Step("ask", ask, reads_only=True), write])


def write(shared, own):
    """Write the note; the person says yes."""
    with Store(own / "agent.db") as store:
        try:
            saga(store, shared).run("a note", {})
        except NeedsPerson:
            run = all_runs(Journal(store))[-1].run
            saga(store, shared).hand_back(run, Decision.GO_ON, {"accepted": True})
    return "written"


def restart(shared, own):
    """Abandon whatever is with a person, and settle the rest."""
    with Store(own / "agent.db") as store:
        for progress in all_runs(Journal(store)):
            if progress.status is Status.WITH_PERSON:
                with store.transaction():
                    Journal(store).append(progress.run, Event.ABANDONED, reason="restart")
        saga(store, shared).recover()


BREAKS = {"one_owner"}
CAUSES = ["untrue in explore", "untrue: file.write:shared/note.txt in saga.<locals>.<lambda>"]


def explore(chaos, tmp_path):
    """A watched folder, and a private one with the runtime's database."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.invariant(one_owner)
    chaos.explore(run=lambda: write(shared, own), recover=lambda: restart(shared, own))
