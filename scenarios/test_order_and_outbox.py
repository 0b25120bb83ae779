"""An agent reserves stock and wants two mails sent: they go out with the order, once, or not at all."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from rollproof import Chaos
from rollproof.invariants.runtime import journal_is_whole, leases_end_with_their_runs, outbox_is_settled
from rollproof.runtime import Message, Outbox, Run, Saga, Step, Store

WAREHOUSE, MAIL = "https://api.warehouse.test", "https://api.mail.test"


class OrderDesk:
    """Takes orders; its worker sends the mails."""

    def __init__(self, store: Store) -> None:
        self.store, self.outbox = store, Outbox(store)

    def saga(self) -> Saga:
        """Write the intentions, reserve the stock; the outbox follows the run."""
        steps = [Step("write", self.write, reads_only=True), Step("reserve", self.reserve, undo=self.release)]
        return Saga(self.store, "order", steps, companions=[self.outbox])

    def write(self, run: Run) -> None:
        """Say what is to be sent when all is done."""
        with self.store.transaction():
            for reader in ("customer", "warehouse"):
                self.outbox.add(run, f"{run.key}:{reader}", "mail", {"to": reader, "text": "4 panels ordered"})

    def reserve(self, run: Run) -> None:
        """Reserve the stock."""
        body = {"sku": "panel", "count": 4, "order": run.id}
        httpx.post(f"{WAREHOUSE}/reservations", json=body, headers={"Idempotency-Key": run.key}).raise_for_status()

    def release(self, run: Run) -> None:
        """Give the stock back, if it was reserved."""
        url = f"{WAREHOUSE}/reservations"
        for found in httpx.get(url, params={"order": run.id}).raise_for_status().json():
            httpx.delete(f"{url}/{found['id']}").raise_for_status()

    def work(self) -> None:
        """Send all that is left, each when it is due: what the worker process does."""
        while self.outbox.wait({"mail"}):
            self.outbox.deliver({"mail": send})


def send(message: Message) -> None:
    """Hand one mail to the mail service, under its key."""
    body, headers = dict(message.body), {"Idempotency-Key": message.key}
    httpx.post(f"{MAIL}/mails", json=body, headers=headers).raise_for_status()


def order(own: Path) -> str:
    """Take an order, and let the worker look at the outbox."""
    with Store(own / "agent.db") as store:
        desk = OrderDesk(store)
        desk.saga().run("4 panels", {})
        desk.work()
    return "ordered"


def restart(own: Path) -> None:
    """Settle what was left, and let the worker look."""
    with Store(own / "agent.db") as store:
        desk = OrderDesk(store)
        desk.saga().recover()
        desk.work()


@pytest.mark.chaos(epic="Orders", feature="Outbox")
def test_mails_go_out_with_the_order_or_not_at_all(chaos: Chaos, tmp_path: Path) -> None:
    """The stock is reserved and both mails are sent, once each, or none of it."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api(WAREHOUSE)
    mail = chaos.api(MAIL)
    for check in (journal_is_whole, leases_end_with_their_runs, outbox_is_settled):
        chaos.invariant(check)

    chaos.explore(run=lambda: order(own), recover=lambda: restart(own))

    assert [letter["to"] for letter in mail.resources("mails")] == ["customer", "warehouse"]
