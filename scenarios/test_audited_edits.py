"""An agent edits the files of a customer; a webhook hears of each change, signed, and the trail alone can undo them."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from rollproof import Chaos, World
from rollproof.invariants.runtime import (
    journal_is_whole,
    leases_end_with_their_runs,
    outbox_is_settled,
    versions_are_whole,
)
from rollproof.runtime import AuditTrail, FolderContents, Outbox, Run, Saga, Step, Store, Versions
from rollproof.runtime.audit import TOPIC, deliver_signed

HOOK, INVOICES = "https://api.audit.test", "https://api.invoices.test"
SECRET = b"whsec-of-this-test-alone"


def post(url: str, body: bytes, headers: Any) -> int:
    """Post with httpx."""
    return httpx.post(url, content=body, headers=dict(headers), timeout=20).status_code


class Editor:
    """Edits files; all that it changes goes through the trail."""

    def __init__(self, store: Store, shared: Path, own: Path) -> None:
        self.store, self.outbox, self.contents = store, Outbox(store), FolderContents(own / "contents")
        self.trail = AuditTrail(store, self.outbox, [f"{HOOK}/events"])
        self.files = Versions(store, self.contents, shared, own / "staging", self.trail)

    def saga(self) -> Saga:
        """Edit, and charge for it; the undo of the edits is the trail read backward."""
        steps = [
            Step("edit", self.edit, undo=self.take_back),
            Step("charge", self.charge, undo=self.refund),
        ]
        return Saga(self.store, "edit", steps)

    def edit(self, run: Run) -> None:
        """Change what is there, and once more."""
        for text in (b"shorter", b"short"):
            self.files.checked(run.check).save("notes.txt", text, run.id)

    def take_back(self, run: Run) -> None:
        """Clear away what a dead process left unfinished, and read the trail backward."""
        self.contents.clean()
        files = self.files.checked(run.check)
        files.settle()
        self.trail.undo(run.id, files)

    def charge(self, run: Run) -> None:
        """Send the invoice."""
        headers = {"Idempotency-Key": run.key}
        httpx.post(f"{INVOICES}/invoices", json={"run": run.id, "cents": 5}, headers=headers).raise_for_status()

    def refund(self, run: Run) -> None:
        """Take it back."""
        for found in httpx.get(f"{INVOICES}/invoices", params={"run": run.id}).raise_for_status().json():
            httpx.delete(f"{INVOICES}/invoices/{found['id']}").raise_for_status()

    def tell(self) -> None:
        """Tell the webhook what is left, each when it is due: the work of the worker process."""
        while self.outbox.wait({TOPIC}):
            self.outbox.deliver({TOPIC: deliver_signed({f"{HOOK}/events": SECRET}, post)})

    def settle(self) -> None:
        """Settle what was left."""
        self.saga().recover()
        self.tell()


def edit(shared: Path, own: Path) -> str:
    """Do it, and tell."""
    with Store(own / "agent.db") as store:
        editor = Editor(store, shared, own)
        editor.saga().run("edit", {})
        editor.tell()
    return "edited"


def restart(shared: Path, own: Path) -> None:
    """Settle what was left."""
    with Store(own / "agent.db") as store:
        Editor(store, shared, own).settle()


@pytest.mark.chaos(epic="Audit", feature="Trail and webhooks")
def test_the_trail_alone_restores_the_files(chaos: Chaos, tmp_path: Path) -> None:
    """The files are as before or as edited; the trail tells the way from one to the other, and the webhook heard it."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    for folder in ("contents", "staging"):
        (own / folder).mkdir(parents=True)
    (shared / "notes.txt").write_text("long and winding")
    chaos.watch(shared)
    chaos.private(own)
    chaos.api(HOOK, settled=lambda event: True)  # a history: it only grows
    chaos.api(INVOICES)
    for check in (journal_is_whole, leases_end_with_their_runs, outbox_is_settled, versions_are_whole):
        chaos.invariant(check)

    @chaos.invariant
    def the_trail_is_complete(world: World) -> None:
        """Following the events from the first leads to the files that are there."""
        state = {"notes.txt": sha256(b"long and winding").hexdigest()}
        for row in world.private_tables.get("agent/agent.db:journal", []):
            if row["event"] in ("created", "updated", "deleted"):
                detail = json.loads(row["detail"])
                assert state.get(detail["name"], "") == detail["before"]
                state[detail["name"]] = detail["after"]
        there = {path.partition("/")[2]: sha256(content).hexdigest() for path, content in world.files.items()}
        assert {name: digest for name, digest in state.items() if digest} == there

    @chaos.invariant
    def the_webhook_is_told_of_each_change(world: World) -> None:
        """Each event of the trail has its message."""
        rows = world.private_tables.get("agent/agent.db:journal", [])
        messages = world.private_tables.get("agent/agent.db:outbox", [])
        changes = [row["seq"] for row in rows if row["event"] in ("created", "updated", "deleted")]
        assert changes == sorted(json.loads(message["body"])["event"]["seq"] for message in messages)

    chaos.explore(run=lambda: edit(shared, own), recover=lambda: restart(shared, own))

    assert (shared / "notes.txt").read_text() == "short"
