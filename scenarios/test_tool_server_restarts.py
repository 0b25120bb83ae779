"""An agent books a flight with a tool of a server that is started again in the middle of the call.

The session is gone, and perhaps the flight is booked already. The agent opens a new session and calls again, with the
number of the trip as its key: the tool knows by it what it has booked.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from rollproof import Chaos

TOOLS = "https://tools.travel.test/mcp"
BOOKED = {"type": "object", "properties": {"booking": {"type": "string"}}, "required": ["booking"]}


def book(state: Any, flight: str, key: str) -> dict[str, str]:
    """Book a seat; the same key gets the same booking."""
    for booked in state["bookings"]:
        if booked["key"] == key:
            return {"booking": booked["id"]}
    state["bookings"].append({"id": f"booking-{len(state['bookings']) + 1}", "flight": flight, "key": key})
    return {"booking": state["bookings"][-1]["id"]}


async def call(tool: str, **arguments: str) -> Any:
    """Call a tool in a session of its own; what it returns has been checked against its schema."""
    async with streamable_http_client(TOOLS) as streams, ClientSession(*streams) as session:
        await session.initialize()
        result: Any = await session.call_tool(tool, arguments)
    if result.is_error:
        raise RuntimeError(result.content[0].text)
    return result.structured_content


async def with_patience(tool: str, **arguments: str) -> Any:
    """Call again what can be called again: a server that restarts needs a moment."""
    for attempt in (1, 2, 3):
        try:
            return await call(tool, **arguments)
        except Exception:
            if attempt == 3:
                raise
            await asyncio.sleep(5 * attempt)


async def travel(shared: Path, trip: str) -> str:
    """Book the flight of a trip and write its itinerary. Started again, it does what is missing."""
    itinerary, draft = shared / f"{trip}.json", shared / f"{trip}.tmp"
    if not itinerary.exists():
        booked = await with_patience("book", flight="LH 454", key=trip)
        draft.write_text(json.dumps({"flight": "LH 454", "booking": booked["booking"]}))
        os.replace(draft, itinerary)
    return "booked"


@pytest.mark.chaos(epic="Travel", feature="Tools over MCP")
def test_one_flight_whenever_the_tool_server_restarts(chaos: Chaos, tmp_path: Path) -> None:
    """One seat is booked and stands in the itinerary, however often the server or the agent is started again."""
    shared = tmp_path / "shared"
    shared.mkdir()
    chaos.watch(shared)
    tools = chaos.mcp({"book": ({"outputSchema": BOOKED}, book)}, base_url=TOOLS)

    chaos.explore(run=lambda: travel(shared, "trip-17"))

    (booking,) = tools.rows("bookings")
    assert json.loads((shared / "trip-17.json").read_text())["booking"] == booking["id"]
