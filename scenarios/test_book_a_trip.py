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
        """Three orders, each with its cancellation, which goes the other way round."""
        pay = self.step("pay", f"{BANK}/charges", {"cents": 19900}, "refunded")
        issue = self.step("issue", f"{AIRLINE}/tickets", {"name": "Ada"}, "void")
        return AsyncSaga(store, "trip", [Step("book", self.book, undo=self.unbook), pay, issue])

    async def book(self, run: Run) -> dict[str, str]:
        """Reserve a seat; the reference finds it again, whatever became of the answer."""
        booking = await self.order(f"{AIRLINE}/bookings", run, {"reference": run.id, "flight": "XY 7"})
        return {"booking": booking["id"]}

    async def unbook(self, run: Run) -> None:
        """Give the seat back; then nobody can tell any more what was paid and issued for it."""
        for booking in await self.standing(run):
            await self.change(f"{AIRLINE}/bookings/{booking['id']}", "cancelled")

    def step(self, name: str, url: str, content: dict[str, Any], undone: str) -> Step:
        """Order something for the booking, and cancel it as long as that stands."""

        async def act(run: Run) -> None:
            await self.order(url, run, {"booking": run.variables["booking"], **content})

        async def undo(run: Run) -> None:
            for booking in await self.standing(run):
                for thing in await self.found(url, booking=booking["id"]):
                    await self.change(f"{url}/{thing['id']}", undone)

        return Step(name, act, undo=undo)

    async def order(self, url: str, run: Run, content: dict[str, Any]) -> dict[str, Any]:
        """Order something under the run's key."""
        body, headers = {"status": "open", **content}, {"Idempotency-Key": run.key}
        answer = await self.client.post(url, json=body, headers=headers, timeout=20)
        ordered: dict[str, Any] = answer.raise_for_status().json()
        return ordered

    async def standing(self, run: Run) -> list[dict[str, Any]]:
        """Ask the airline for the run's booking, unless it was cancelled, or never made."""
        return await self.found(f"{AIRLINE}/bookings", reference=run.id)

    async def found(self, url: str, **wanted: str) -> list[dict[str, Any]]:
        """Ask what is there and open: "already gone" and "never there" are fine."""
        answer = await self.client.get(url, params={"status": "open", **wanted}, timeout=20)
        things: list[dict[str, Any]] = answer.raise_for_status().json()
        return things

    async def change(self, url: str, status: str) -> None:
        """Cancel something."""
        (await self.client.patch(url, json={"status": status}, timeout=20)).raise_for_status()


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
