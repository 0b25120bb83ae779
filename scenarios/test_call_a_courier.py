"""An agent calls a courier before its order is complete; if the order comes to nothing, the courier is called off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from rollproof import Chaos
from rollproof.invariants.runtime import journal_is_whole, leases_end_with_their_runs, outbox_is_settled
from rollproof.runtime import Message, Outbox, Run, Saga, Step, Store

WAREHOUSE, COURIER, MAIL = "https://api.warehouse.test", "https://api.courier.test", "https://api.mail.test"


class Dispatch:
    """Sends goods out; the workers for couriers and for mails look while the order is taken, and after it."""

    def __init__(self, store: Store) -> None:
        self.store, self.outbox = store, Outbox(store)

    def saga(self) -> Saga:
        """Call the courier, reserve the stock for it; the mail waits for the end of both."""
        steps = [Step("call", self.call, reads_only=True), Step("reserve", self.reserve, undo=self.release)]
        return Saga(self.store, "dispatch", steps, companions=[self.outbox])

    def call(self, run: Run) -> None:
        """Write that a courier is wanted at once, and a mail once all is done; then let both workers look."""
        with self.store.transaction():
            pickup, cancel = {"order": run.id, "from": "dock 4"}, {"cancel": run.id}
            self.outbox.add(run, f"{run.key}:pickup", "courier", pickup, at_once=True, cancel=cancel)
            self.outbox.add(run, f"{run.key}:mail", "mail", {"to": "customer", "text": "on its way"})
        self.outbox.deliver({"courier": send_courier, "mail": send_mail})

    def reserve(self, run: Run) -> None:
        """Reserve the stock for the courier that was called."""
        (pickup,) = httpx.get(f"{COURIER}/pickups", params={"order": run.id}).raise_for_status().json()
        body = {"sku": "panel", "order": run.id, "pickup": pickup["id"]}
        send(f"{WAREHOUSE}/reservations", run.key, body)

    def release(self, run: Run) -> None:
        """Give the stock back, if it was reserved."""
        delete_found(f"{WAREHOUSE}/reservations", run.id)

    def work(self) -> None:
        """Send all that is left, each when it is due: each topic has a worker of its own."""
        for send in ({"courier": send_courier}, {"mail": send_mail}):
            while self.outbox.wait(send):
                self.outbox.deliver(send)


def send_courier(message: Message) -> None:
    """Call a courier, or call off the one that an earlier message called."""
    if "cancel" in message.body:
        delete_found(f"{COURIER}/pickups", message.body["cancel"])
    else:
        send(f"{COURIER}/pickups", message.key, dict(message.body))


def send_mail(message: Message) -> None:
    """Hand one mail to the mail service."""
    send(f"{MAIL}/mails", message.key, dict(message.body))


def send(url: str, key: str, body: dict[str, Any]) -> None:
    """Post something under its key, which makes it once."""
    httpx.post(url, json=body, headers={"Idempotency-Key": key}).raise_for_status()


def delete_found(url: str, order: str) -> None:
    """Delete what is found there for an order, if anything is."""
    for found in httpx.get(url, params={"order": order}).raise_for_status().json():
        httpx.delete(f"{url}/{found['id']}").raise_for_status()


def dispatch(own: Path) -> str:
    """Take an order, and let the worker look at the outbox."""
    with Store(own / "agent.db") as store:
        desk = Dispatch(store)
        desk.saga().run("a panel from dock 4", {})
        desk.work()
    return "dispatched"


def restart(own: Path) -> None:
    """Settle what was left, and let the worker look."""
    with Store(own / "agent.db") as store:
        desk = Dispatch(store)
        desk.saga().recover()
        desk.work()


@pytest.mark.chaos(epic="Orders", feature="Outbox")
def test_a_courier_comes_for_what_was_reserved_and_for_nothing_else(chaos: Chaos, tmp_path: Path) -> None:
    """The stock is reserved, the courier called and the mail sent, once each, or none of it."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    stock, pickups, mail = (chaos.api(url) for url in (WAREHOUSE, COURIER, MAIL))
    for check in (journal_is_whole, leases_end_with_their_runs, outbox_is_settled):
        chaos.invariant(check)

    chaos.explore(run=lambda: dispatch(own), recover=lambda: restart(own))

    counts = stock.resources("reservations"), pickups.resources("pickups"), mail.resources("mails")
    assert [len(found) for found in counts] == [1, 1, 1]
