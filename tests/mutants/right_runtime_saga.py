"""An agent on the reference runtime with everything that its invariants look at: lease, journal, outbox, belief.

A naive harness accuses the rows that a rollback leaves in the journal and in the outbox.
"""

from rollproof.invariants.runtime import (
    belief_is_reality,
    dead_letters_are_complete,
    journal_is_whole,
    leases_end_with_their_runs,
    one_owner,
    outbox_is_settled,
    versions_are_whole,
)
from rollproof.runtime import FolderContents, Outbox, Saga, Step, Store, Versions


class Writer:
    """Writes a versioned note, and intends a mail about it."""

    def __init__(self, store, shared, own):
        self.store, self.outbox = store, Outbox(store)
        self.files = Versions(store, FolderContents(own / "contents"), shared, own / "staging")

    def saga(self):
        """Intend, then write."""
        write = Step("write", lambda run: self.files.save("note.txt", b"x", run.id) and None, undo=self.take_away)
        return Saga(self.store, "note", [Step("intend", self.intend, reads_only=True), write], companions=[self.outbox])

    def intend(self, run):
        """Say what is to be sent when all is done."""
        with self.store.transaction():
            self.outbox.add(run.id, run.key, "mail", {"text": "x"})

    def take_away(self, run):
        """Point back to there being no note."""
        self.files.put_back("note.txt", "", run.id)


def write(shared, own):
    """Write the note, send the mail."""
    with Store(own / "agent.db") as store:
        writer = Writer(store, shared, own)
        writer.saga().run("a note", {})
        writer.outbox.deliver({"mail": lambda message: None})
    return "written"


def restart(shared, own):
    """Settle what was left."""
    with Store(own / "agent.db") as store:
        writer = Writer(store, shared, own)
        FolderContents(own / "contents").clean()
        writer.files.settle()
        writer.saga().recover()
        writer.outbox.deliver({"mail": lambda message: None})


BREAKS = set()


def explore(chaos, tmp_path):
    """A watched folder, and a private one with database, contents and staging."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    for folder in ("contents", "staging"):
        (own / folder).mkdir(parents=True)
    chaos.watch(shared)
    chaos.private(own)
    for check in (
        journal_is_whole,
        leases_end_with_their_runs,
        outbox_is_settled,
        versions_are_whole,
        dead_letters_are_complete,
        one_owner,
        belief_is_reality("agent/agent.db", {"write": lambda world: "shared/note.txt" in world.files}),
    ):
        chaos.invariant(check)
    chaos.explore(run=lambda: write(shared, own), recover=lambda: restart(shared, own))
