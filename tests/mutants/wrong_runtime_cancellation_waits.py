"""An agent on the reference runtime has a message sent at once, and its worker look at the end of each run.

A restart settles the runs and lets no worker look: what takes the message back waits until somebody runs again.
"""

from rollproof.invariants.runtime import outbox_is_settled
from rollproof.runtime import Outbox, Saga, Step, Store


def work(outbox, shared):
    """Deliver: a message is a line on the board, and its cancellation wipes it off."""
    board = shared / "board.txt"
    outbox.deliver({"board": lambda message: board.write_text(message.body["text"]) and None})


def saga(store, shared):
    """Put it on the board, then write a file."""
    outbox, path = Outbox(store), shared / "note.txt"

    def post(run):
        with store.transaction():
            outbox.add(run.id, run.key, "board", {"text": "busy"}, at_once=True, cancel={"text": "free"})
        work(outbox, shared)

    steps = [
        Step("post", post, reads_only=True),
        Step("write", lambda run: path.write_text("x") and None, lambda run: path.unlink(True)),
    ]
    return Saga(store, "note", steps, companions=[outbox])


def write(shared, own):
    """Write the note."""
    with Store(own / "agent.db") as store:
        saga(store, shared).run("a note", {})
        work(Outbox(store), shared)
    return "written"


def restart(shared, own):
    """Settle what was left."""
    with Store(own / "agent.db") as store:
        saga(store, shared).recover()


BREAKS = {"outbox_is_settled"}
CAUSES = ["untrue in explore"]


def explore(chaos, tmp_path):
    """A board that says free, and a private folder with the runtime's database."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    (shared / "board.txt").write_text("free")
    chaos.watch(shared)
    chaos.private(own)
    chaos.invariant(outbox_is_settled)
    chaos.explore(run=lambda: write(shared, own), recover=lambda: restart(shared, own))
