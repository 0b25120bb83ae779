"""An agent books a flight, pays and has the ticket issued: all three stand, or all three are cancelled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from rollproof import Chaos
from rollproof.invariants.runtime import dead_letters_are_complete, journal_is_whole, leases_end_with_their_runs
from rollproof.runtime import Run, Saga, Status, Step, Store

AIRLINE, BANK = "https://api.airline.test", "https://api.bank.test"


def order(url: str, run: Run, content: dict[str, Any]) -> None:
    """Order something under the run's key; the reference finds it again, whatever became of the answer."""
    body = {"reference": run.id, "status": "open", **content}
    httpx.post(url, json=body, headers={"Idempotency-Key": run.key}, timeout=20).raise_for_status()


def cancel(url: str, run: Run, status: str) -> None:
    """Cancel what was ordered, if anything was: asked first, so that "already gone" and "never there" are fine."""
    found = httpx.get(url, params={"reference": run.id}, timeout=20).raise_for_status().json()
    for thing in found:
        if thing["status"] != status:
            httpx.patch(f"{url}/{thing['id']}", json={"status": status}, timeout=20).raise_for_status()


def saga(store: Store) -> Saga:
    """Three orders, each with its cancellation."""
    booking, charge, ticket = f"{AIRLINE}/bookings", f"{BANK}/charges", f"{AIRLINE}/tickets"
    book = Step(
        "book", lambda run: order(booking, run, {"flight": "XY 7"}), lambda run: cancel(booking, run, "cancelled")
    )
    pay = Step("pay", lambda run: order(charge, run, {"cents": 19900}), lambda run: cancel(charge, run, "refunded"))
    issue = Step("issue", lambda run: order(ticket, run, {"name": "Ada"}), lambda run: cancel(ticket, run, "void"))
    return Saga(store, "trip", [book, pay, issue])


def travel(own: Path) -> str:
    """Book the trip."""
    with Store(own / "agent.db") as store:
        saga(store).run("to Oslo", {})
    return "booked"


def resume(own: Path) -> Status | None:
    """Settle what an earlier process left."""
    with Store(own / "agent.db") as store:
        return saga(store).recover()


@pytest.mark.chaos(epic="Travel", feature="Compensation")
def test_booking_payment_and_ticket_stand_or_fall_together(chaos: Chaos, tmp_path: Path) -> None:
    """No payment without a ticket, no seat without a payment, nothing twice."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    airline = chaos.api(AIRLINE, settled=lambda thing: thing["status"] in ("cancelled", "void"))
    chaos.api(BANK, settled=lambda thing: thing["status"] == "refunded")
    for check in (journal_is_whole, leases_end_with_their_runs, dead_letters_are_complete):
        chaos.invariant(check)

    chaos.explore(run=lambda: travel(own), recover=lambda: resume(own))

    assert [ticket["name"] for ticket in airline.resources("tickets")] == ["Ada"]
