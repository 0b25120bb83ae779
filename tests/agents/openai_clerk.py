"""An agent of the OpenAI Agents SDK with two tools and its SQLite session, started and resumed as documented.

A new process opens the session by its name and says "Continue."; whatever was said before is in the session.
"""

import contextlib

import httpx
from agents import Agent, Runner, SQLiteSession, function_tool, set_tracing_disabled

SHOP = "https://api.shop.test"
TASK = "Order 4 panels and tell the customer"
set_tracing_disabled(True)


async def post(path, body, key=None):
    """Create something at the shop; under a key it is created once."""
    headers = {"Idempotency-Key": key} if key else {}
    async with httpx.AsyncClient(base_url=SHOP, timeout=10) as client:
        answer = await client.post(path, json=body, headers=headers)
        answer.raise_for_status()
        return f"created {path[1:]}"


@function_tool
async def reserve(sku: str, pieces: int) -> str:
    """Reserve pieces in the warehouse."""
    return await post("/reservations", {"sku": sku, "pieces": pieces})


@function_tool
async def mail(text: str) -> str:
    """Mail the customer."""
    return await post("/mails", {"text": text})


@function_tool(name_override="reserve")
async def reserve_once(sku: str, pieces: int) -> str:
    """Reserve pieces in the warehouse, for one order once."""
    return await post("/reservations", {"sku": sku, "pieces": pieces}, "order-1 reserves")


@function_tool(name_override="mail")
async def mail_once(text: str) -> str:
    """Mail the customer, about one order once."""
    return await post("/mails", {"text": text}, "order-1 is told")


CARELESS, CAREFUL = [reserve, mail], [reserve_once, mail_once]


async def order(database, tools):
    """Start the order, or go on with it where its session has begun."""
    clerk = Agent(name="clerk", instructions="You take orders.", tools=tools, model="gpt-5")
    with contextlib.closing(SQLiteSession("order-1", database)) as session:
        begun = await session.get_items(limit=1)
        result = await Runner.run(clerk, "Continue." if begun else TASK, session=session)
        return result.final_output


def model(request):
    """Answer as a sensible model would: the next tool that has not done its work yet, by what the results say."""
    items = request["input"]
    names = {item["call_id"]: item["name"] for item in items if item.get("type") == "function_call"}
    results = [item for item in items if item.get("type") == "function_call_output"]
    done = {names.get(result["call_id"]) for result in results if result["output"].startswith("created")}
    if "reserve" not in done:
        return {"tool_calls": [{"name": "reserve", "arguments": {"sku": "panel", "pieces": 4}}]}
    if "mail" not in done:
        return {"tool_calls": [{"name": "mail", "arguments": {"text": "Your panels are reserved."}}]}
    return "Ordered, and the customer knows."
