"""A DBOS workflow of two steps with its SQLite system database, started and resumed as DBOS's documentation shows.

A workflow's id is the order's. A new process calls `DBOS.launch()`, which recovers what is pending, and asks for the
result under that id; the application version is pinned, so that it recovers what an earlier process began. An error
that leaves a workflow is its stored result: who wants it done after all rewinds it.
"""

import httpx
from dbos import DBOS, SetWorkflowID

from .dbos_launch import launched

SHOP = "https://api.shop.test"
ORDER = "order-1"


def post(path, body, key):
    """Create something at the shop; under a key it is created once."""
    headers = {"Idempotency-Key": key} if key else {}
    return httpx.post(f"{SHOP}{path}", json=body, headers=headers, timeout=10).raise_for_status().json()["id"]


@DBOS.step()
def reserve(sku: str, key: str | None) -> str:
    """Reserve pieces in the warehouse."""
    return post("/reservations", {"sku": sku}, key)


@DBOS.step()
def mail(text: str, key: str | None) -> str:
    """Tell the customer."""
    return post("/mails", {"text": text}, key)


@DBOS.workflow()
def order(sku: str, keyed: bool) -> str:
    """Reserve, then tell the customer."""
    reserve(sku, f"{DBOS.workflow_id} reserves" if keyed else None)
    mail(f"Your {sku} is reserved.", f"{DBOS.workflow_id} is told" if keyed else None)
    return "reserved, and the customer knows"


def migrate(database):
    """Create the system database, as a deployment does before its first process starts."""
    DBOS.migrate(f"sqlite:///{database}")


def start(keyed):
    """Start the order, or find it under its id, and wait for its result."""
    with SetWorkflowID(ORDER):
        return DBOS.start_workflow(order, "panel", keyed).get_result()


def run(database, keyed):
    """Order."""
    with launched(database):
        return start(keyed)


def resume(database, keyed):
    """Go on with the order; one that a failed step ended is rewound to it, and keeps its id."""
    with launched(database):
        status = DBOS.get_workflow_status(ORDER)
        if status is not None and status.status == "ERROR":
            failed = next(step["function_id"] for step in DBOS.list_workflow_steps(ORDER) if step["error"])
            return DBOS.rewind_workflow(ORDER, start_step=failed).get_result()
        return start(keyed)
