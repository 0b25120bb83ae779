"""An agent opens a ticket for an incident, once, though the tracker's search shows a new ticket only later.

A search tells it whether a person has opened one already. Whether it has opened one itself it never asks a search: one
that lags says no, and the second attempt would open a second ticket. Its own record says so; and where it died before
it could write that down, the key of the request does: it belongs to the incident, not to the attempt.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from rollproof import Chaos, World

TRACKER = "https://api.tracker.test"
INCIDENT = "INC-17"


def key_of(what: str) -> str:
    """Return the key of a request: the same one at each attempt, whoever makes it."""
    return f"{INCIDENT}/{what}"


def ask(method: str, path: str, **rest: Any) -> Any:
    """Ask the tracker; what may pass is tried again, with the same key."""
    for attempt in (1, 2, 3):
        try:
            answer = httpx.request(method, f"{TRACKER}{path}", timeout=20, **rest)
            if answer.status_code != 429 and answer.status_code < 500:
                return answer.raise_for_status().json()
        except httpx.TransportError:
            if attempt == 3:
                raise
        time.sleep(5 * attempt)
    return answer.raise_for_status().json()


def ticket_of_the_agent(own: Path) -> str:
    """Return the ticket that this agent has opened, or opens now."""
    record = own / "ticket.json"
    if not record.exists():
        headers, content = {"Idempotency-Key": key_of("ticket")}, {"incident": INCIDENT, "by": "agent"}
        ticket = ask("POST", "/tickets", json=content, headers=headers)
        draft = own / "ticket.json.part"
        draft.write_text(json.dumps(ticket["id"]))
        os.replace(draft, record)
    return str(json.loads(record.read_text()))


def escalate(own: Path) -> str:
    """Say at the incident's ticket what was found: at that of a person where there is one, else at one's own."""
    found = ask("GET", "/tickets", params={"incident": INCIDENT, "sort": "opened"})
    people = [ticket["id"] for ticket in found if ticket["by"] != "agent"]
    ticket = people[0] if people else ticket_of_the_agent(own)
    headers = {"Idempotency-Key": key_of("comment")}
    ask("POST", f"/tickets/{ticket}/comments", json={"text": "The disk of db-2 is full."}, headers=headers)
    return "escalated"


@pytest.mark.chaos(epic="Incidents", feature="Search that lags")
def test_an_incident_has_one_ticket(chaos: Chaos, tmp_path: Path) -> None:
    """One ticket with one comment, however often the agent starts, and whatever the search shows by then."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    tracker = chaos.api(TRACKER, lag=2, seed={"tickets": [{"incident": "INC-16", "by": "ada"}]})

    @chaos.invariant
    def one_ticket_an_incident(world: World) -> None:
        """Nobody has to close a second one."""
        incidents = [ticket["incident"] for ticket in world.resources["api.tracker.test/tickets"]]
        assert len(incidents) == len(set(incidents)), incidents

    chaos.explore(run=lambda: escalate(own))

    assert [ticket["by"] for ticket in tracker.resources("tickets")] == ["ada", "agent"]
