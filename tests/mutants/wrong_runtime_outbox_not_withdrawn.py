"""An agent on the reference runtime writes intentions into the outbox, which does not follow its runs.

The messages of a run that was rolled back stay there, waiting for somebody to send them.
"""

from rollproof.invariants.runtime import outbox_is_settled
from rollproof.runtime import Outbox, Saga, Step, Store


def saga(store, shared):
    """Intend a mail, and write a file; `companions` is missing."""
    outbox, path = Outbox(store), shared / "note.txt"

    def intend(run):
        with store.transaction():
            outbox.add(run.id, run.key, "mail", {"text": "x"})

    steps = [
        Step("mail", intend, reads_only=True),
        Step("write", lambda run: path.write_text("x") and None, lambda run: path.unlink(True)),
    ]
    return Saga(store, "note", steps)


def write(shared, own):
    """Write the note, and call its mails sent."""
    with Store(own / "agent.db") as store:
        saga(store, shared).run("a note", {})
        with store.transaction():
            store.write("UPDATE outbox SET state = 'sent'")
    return "written"


def restart(shared, own):
    """Settle what was left."""
    with Store(own / "agent.db") as store:
        saga(store, shared).recover()


BREAKS = {"outbox_is_settled"}
CAUSES = ["untrue in explore"]


def explore(chaos, tmp_path):
    """A watched folder, and a private one with the runtime's database."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.invariant(outbox_is_settled)
    chaos.explore(run=lambda: write(shared, own), recover=lambda: restart(shared, own))
