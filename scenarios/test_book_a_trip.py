"""An agent on an event loop books a flight, pays and has the ticket issued: all three stand, or all are cancelled."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from rollproof import Chaos
from rollproof.invariants.runtime import dead_letters_are_complete, journal_is_whole, leases_end_with_their_runs
from rollproof.runtime import AsyncSaga, Run, Status, Step, Store

AIRLINE, BANK = "https://api.airline.test", "https://api.bank.test"


class Agency:
    """Books trips; one client serves all its requests."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    def saga(self, store: Store) -> AsyncSaga:
        """Three orders, each with its cancellation."""
        booking, charge, ticket = f"{AIRLINE}/bookings", f"{BANK}/charges", f"{AIRLINE}/tickets"
        return AsyncSaga(
            store,
            "trip",
            [
                self.step("book", booking, {"flight": "XY 7"}, "cancelled"),
                self.step("pay", charge, {"cents": 19900}, "refunded"),
                self.step("issue", ticket, {"name": "Ada"}, "void"),
            ],
        )

    def step(self, name: str, url: str, content: dict[str, Any], undone: str) -> Step:
        """Order something at a service, and cancel it by its status."""

        async def act(run: Run) -> None:
            await self.order(url, run, content)

        async def undo(run: Run) -> None:
            await self.cancel(url, run, undone)

        return Step(name, act, undo=undo)

    async def order(self, url: str, run: Run, content: dict[str, Any]) -> None:
        """Order something under the run's key; the reference finds it again, whatever became of the answer."""
        body = {"reference": run.id, "status": "open", **content}
        answer = await self.client.post(url, json=body, headers={"Idempotency-Key": run.key}, timeout=20)
        answer.raise_for_status()

    async def cancel(self, url: str, run: Run, status: str) -> None:
        """Cancel what was ordered, if anything was: asked first, so that "already gone" and "never there" are fine."""
        found = (await self.client.get(url, params={"reference": run.id}, timeout=20)).raise_for_status().json()
        for thing in found:
            if thing["status"] != status:
                answer = await self.client.patch(f"{url}/{thing['id']}", json={"status": status}, timeout=20)
                answer.raise_for_status()


async def travel(own: Path) -> str:
    """Book the trip."""
    async with httpx.AsyncClient() as client:
        with Store(own / "agent.db") as store:
            await Agency(client).saga(store).run("to Oslo", {})
    return "booked"


async def resume(own: Path) -> Status | None:
    """Settle what an earlier process left."""
    async with httpx.AsyncClient() as client:
        with Store(own / "agent.db") as store:
            return await Agency(client).saga(store).recover()


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

    chaos.explore(run=lambda: asyncio.run(travel(own)), recover=lambda: asyncio.run(resume(own)))

    assert [ticket["name"] for ticket in airline.resources("tickets")] == ["Ada"]
