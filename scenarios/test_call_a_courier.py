"""An agent calls a courier before its order is complete; if the order comes to nothing, the courier is called off."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from rollproof import Chaos, World
from rollproof.invariants.runtime import journal_is_whole, leases_end_with_their_runs, outbox_is_settled
from rollproof.runtime import Message, Outbox, Run, Saga, Step, Store, Undelivered

WAREHOUSE, COURIER, MAIL = "https://api.warehouse.test", "https://api.courier.test", "https://api.mail.test"


class Dispatch:
    """Sends goods out: a worker for couriers looks while the order is taken, one for all topics after it."""

    def __init__(self, store: Store) -> None:
        self.store, self.outbox = store, Outbox(store)

    def saga(self) -> Saga:
        """Call the courier, reserve the stock; the mail waits for the end of both."""
        steps = [Step("call", self.call), Step("reserve", self.reserve, undo=self.release)]
        return Saga(self.store, "dispatch", steps, companions=[self.outbox])

    def call(self, run: Run) -> None:
        """Want a courier now, and a mail once all is done."""
        pickup, mail = f"{run.key}:pickup", f"{run.key}:mail"
        with self.store.transaction():
            body, cancel = {"reference": pickup, "from": "dock 4"}, {"cancel": pickup}
            self.outbox.add(run.id, pickup, "courier", body, at_once=True, cancel=cancel)
            self.outbox.add(run.id, mail, "mail", {"to": "customer", "text": "on its way"})
        with suppress(Undelivered):  # the worker looks again; the order goes on
            self.outbox.deliver({"courier": send_courier})

    def reserve(self, run: Run) -> None:
        """Reserve the stock."""
        body, headers = {"sku": "panel", "order": run.id}, {"Idempotency-Key": run.key}
        httpx.post(f"{WAREHOUSE}/reservations", json=body, headers=headers).raise_for_status()

    def release(self, run: Run) -> None:
        """Give the stock back, if it was reserved."""
        delete_all(f"{WAREHOUSE}/reservations", {"order": run.id})

    def work(self) -> None:
        """Send all that is ready: the worker does this again and again."""
        self.outbox.deliver({"courier": send_courier, "mail": send_mail})


def send_courier(message: Message) -> None:
    """Call a courier under the message's key, or call off the one that was called under another one's."""
    if "cancel" in message.body:
        delete_all(f"{COURIER}/pickups", {"reference": message.body["cancel"]})
    else:
        send(f"{COURIER}/pickups", message)


def send_mail(message: Message) -> None:
    """Hand one mail to the mail service."""
    send(f"{MAIL}/mails", message)


def send(url: str, message: Message) -> None:
    """Post what a message says, under its key."""
    httpx.post(url, json=dict(message.body), headers={"Idempotency-Key": message.key}).raise_for_status()


def delete_all(url: str, params: dict[str, str]) -> None:
    """Delete what is found there; nothing is fine, too."""
    for found in httpx.get(url, params=params).raise_for_status().json():
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
    """Stock, courier and mail, once each, or none of them."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    stock, pickups, mail = (chaos.api(url) for url in (WAREHOUSE, COURIER, MAIL))
    for check in (journal_is_whole, leases_end_with_their_runs, outbox_is_settled):
        chaos.invariant(check)

    @chaos.invariant
    def a_courier_comes_if_there_is_something_to_fetch(world: World) -> None:
        """All three, or none."""
        names = ("api.warehouse.test/reservations", "api.courier.test/pickups", "api.mail.test/mails")
        found = [len(world.resources.get(name, [])) for name in names]
        assert found in ([0, 0, 0], [1, 1, 1]), dict(zip(names, found, strict=True))

    chaos.explore(run=lambda: dispatch(own), recover=lambda: restart(own))

    counts = stock.resources("reservations"), pickups.resources("pickups"), mail.resources("mails")
    assert [len(found) for found in counts] == [1, 1, 1]
