"""A LlamaIndex workflow of two steps whose context is saved after each event, and restored by a new process.

As the documentation of LlamaIndex Workflows shows: `handler.ctx.to_dict()` while events are streamed, and
`Context.from_dict(workflow, snapshot)` to go on with a run that was still going.
"""

import json
import os

from workflows import Context, Workflow, step
from workflows.events import Event, StartEvent, StopEvent

from .shop import post


class Reserved(Event):
    """The pieces are there."""

    sku: str


class Orders(Workflow):
    """Reserve, then tell the customer; with keys each of both is done once."""

    def __init__(self, *, keyed: bool) -> None:
        super().__init__(timeout=60)
        self.keyed = keyed

    @step
    async def reserve(self, ctx: Context, ev: StartEvent) -> Reserved:
        """Reserve pieces in the warehouse."""
        await post("/reservations", {"sku": ev.sku}, "order-1 reserves" if self.keyed else None)
        return Reserved(sku=ev.sku)

    @step
    async def mail(self, ctx: Context, ev: Reserved) -> StopEvent:
        """Tell the customer."""
        await post("/mails", {"text": f"Your {ev.sku} is reserved."}, "order-1 is told" if self.keyed else None)
        return StopEvent(result="ordered, and the customer knows")


def save(path, snapshot):
    """Replace the snapshot as a whole."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(snapshot))
    os.replace(draft, path)


async def order(own, keyed):
    """Start the order, or go on with the last snapshot that is running; one that is over is not done again."""
    path = own / "context.json"
    path.with_suffix(".tmp").unlink(missing_ok=True)
    workflow = Orders(keyed=keyed)
    if path.exists():
        snapshot = json.loads(path.read_text())
        if "result" in snapshot:
            return snapshot["result"]
        handler = workflow.run(ctx=Context.from_dict(workflow, snapshot))
    else:
        handler = workflow.run(sku="panel")
    async for _ in handler.stream_events(expose_internal=True):
        snapshot = handler.ctx.to_dict()
        if snapshot["is_running"]:
            save(path, snapshot)
    result = await handler
    save(path, {"result": result})
    return result
