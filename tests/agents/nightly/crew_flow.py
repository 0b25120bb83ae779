"""A CrewAI flow of two methods whose state is persisted in SQLite, and restored by the flow's id.

As CrewAI's documentation shows: `@persist` stores the state after each method, `kickoff(inputs={"id": …})` restores it.
A flow begins again with its first method; what its state says was done, a method leaves out.
"""

import os

os.environ.update(CREWAI_DISABLE_TELEMETRY="true", CREWAI_TRACING_ENABLED="false", OTEL_SDK_DISABLED="true")

from crewai.flow.flow import Flow, listen, start
from crewai.flow.persistence import SQLiteFlowPersistence, persist
from pydantic import BaseModel

from .shop import post

ORDER = "11111111-2222-4333-8444-555555555555"


class State(BaseModel):
    """What the methods hand on."""

    id: str = ORDER
    reserved: bool = False
    told: bool = False


def flow(database, keyed):
    """Return the flow on this database."""

    @persist(SQLiteFlowPersistence(str(database)))
    class Orders(Flow[State]):
        """Reserve, then tell the customer."""

        @start()
        async def reserve(self):
            """Reserve pieces in the warehouse."""
            if not self.state.reserved:
                await post("/reservations", {"sku": "panel"}, "order-1 reserves" if keyed else None)
                self.state.reserved = True

        @listen(reserve)
        async def mail(self):
            """Tell the customer."""
            if not self.state.told:
                await post("/mails", {"text": "Your panel is reserved."}, "order-1 is told" if keyed else None)
                self.state.told = True
            return "ordered, and the customer knows"

    return Orders(suppress_flow_events=True)


async def order(own, keyed):
    """Start the order, or go on with it under its id."""
    return await flow(own / "flows.db", keyed).kickoff_async(inputs={"id": ORDER})
