"""An agent prepares a contract and comes to a price that only a person may accept: it stops, tells, waits, goes on."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from rollproof import Chaos, World
from rollproof.invariants.runtime import journal_is_whole, leases_end_with_their_runs, one_owner
from rollproof.runtime import Alerts, Decision, Journal, NeedsPerson, Outbox, Run, Saga, Status, Step, Store, WrongState
from rollproof.runtime.handover import TOPIC, by_webhook
from rollproof.runtime.progress import all_runs

REGISTRY, PAGER = "https://api.registry.test", "https://api.pager.test"
SECRET = b"pager-of-this-test-alone"


def post(url: str, body: bytes, headers: Any) -> int:
    """Post with httpx."""
    return httpx.post(url, content=body, headers=dict(headers), timeout=20).status_code


class Clerk:
    """Reserves a number, has the price accepted, and registers the contract."""

    def __init__(self, store: Store) -> None:
        self.store, self.outbox = store, Outbox(store)

    def saga(self) -> Saga:
        """Reserve, ask, register."""
        alerts = Alerts(self.store, self.outbox, agent=f"{__name__}:saga", webhook=f"{PAGER}/alerts")
        steps = [
            Step("reserve", lambda run: order("numbers", run), undo=lambda run: cancel("numbers", run)),
            Step("accept", accept, reads_only=True),
            Step(
                "register",
                lambda run: order("contracts", run),
                undo=lambda run: cancel("contracts", run),
                repeatable=True,
            ),
        ]
        return Saga(self.store, "contract", steps, companions=[self.outbox, alerts], person="ada")

    def tell(self) -> None:
        """Deliver alerts, each when it is due: the work of the worker process."""
        while self.outbox.wait({TOPIC}):
            self.outbox.deliver({TOPIC: by_webhook(f"{PAGER}/alerts", SECRET, post)})


def saga(store: Store) -> Saga:
    """Give the saga to the command line, with which the person hands a run back."""
    return Clerk(store).saga()


def order(kind: str, run: Run) -> None:
    """Register something, under the run's key."""
    headers = {"Idempotency-Key": run.key}
    httpx.post(f"{REGISTRY}/{kind}", json={"run": run.id}, headers=headers).raise_for_status()


def cancel(kind: str, run: Run) -> None:
    """Take it back, if it was registered."""
    for found in httpx.get(f"{REGISTRY}/{kind}", params={"run": run.id}).raise_for_status().json():
        httpx.delete(f"{REGISTRY}/{kind}/{found['id']}").raise_for_status()


def accept(run: Run) -> None:
    """Go on only with a person's word."""
    if not run.variables.get("accepted"):
        raise NeedsPerson("12000 EUR is above what the agent may accept")


def ada_decides(clerk: Clerk) -> Status | None:
    """Do what the person does who has the run: accept, and hand it back."""
    status = None
    for progress in all_runs(Journal(clerk.store)):
        if progress.status is Status.WITH_PERSON:
            with suppress(WrongState):  # she was asked by another process, too, which was faster
                status = clerk.saga().hand_back(progress.run, Decision.GO_ON, {"accepted": True})
    return status


def contract(own: Path) -> str:
    """Prepare the contract; the person is there."""
    with Store(own / "agent.db") as store:
        clerk = Clerk(store)
        try:
            clerk.saga().run("a contract", {})
        except NeedsPerson:
            clerk.tell()
        return str(ada_decides(clerk))


def restart(own: Path) -> None:
    """Settle what is the agent's to settle, tell, and let the person decide what is hers."""
    with Store(own / "agent.db") as store:
        clerk = Clerk(store)
        clerk.saga().recover()
        clerk.tell()
        ada_decides(clerk)


@pytest.mark.chaos(epic="Contracts", feature="Handover")
def test_a_run_has_one_owner_at_any_time(chaos: Chaos, tmp_path: Path) -> None:
    """While the person has the run the agent touches nothing; number and contract are both there, or neither."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    registry = chaos.api(REGISTRY)
    chaos.api(PAGER, settled=lambda alert: True)  # a history: alerts are not taken back
    for check in (journal_is_whole, leases_end_with_their_runs, one_owner):
        chaos.invariant(check)

    @chaos.invariant
    def whoever_had_a_run_was_told(world: World) -> None:
        """Each handover has its alert, and it went out."""
        rows = world.private_tables.get("agent/agent.db:journal", [])
        alerts = world.private_tables.get("agent/agent.db:outbox", [])
        assert [row["event"] for row in rows].count("handed_over") == len(alerts)
        assert all(alert["state"] == "sent" for alert in alerts)

    @chaos.invariant
    def a_restart_obeys_the_person(world: World) -> None:
        """What ada accepted is gone on with; only an error is a reason to take it back."""
        rows = world.private_tables.get("agent/agent.db:journal", [])
        accepted = {row["run"] for row in rows if row["event"] == "handed_back"}
        given_up = {row["run"] for row in rows if row["event"] == "abandoned" and '"restart"' in row["detail"]}
        assert not accepted & given_up

    result = chaos.explore(run=lambda: contract(own), recover=lambda: restart(own))

    assert result.result == "completed"
    assert len(registry.resources("contracts")) == 1
