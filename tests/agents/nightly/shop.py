"""What each of these agents works with: a shop that reserves and mails, a sensible model, and how they are explored."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx

SHOP = "https://api.shop.test"
TASK = "Order 4 panels and tell the customer"
EFFECTS = tuple(f"http.post:api.shop.test/{path}" for path in ("reservations", "mails"))


async def post(path: str, body: dict[str, Any], key: str | None = None) -> str:
    """Create something at the shop; under a key it is created once."""
    headers = {"Idempotency-Key": key} if key else {}
    async with httpx.AsyncClient(base_url=SHOP, timeout=10) as client:
        (await client.post(path, json=body, headers=headers)).raise_for_status()
    return f"created {path[1:]}"


def model(request: dict[str, Any]) -> Any:
    """Answer as a sensible model would: the next tool that has not done its work yet, by what the results say."""
    messages = request["messages"]
    calls = [call for message in messages for call in message.get("tool_calls") or []]
    names = {call["id"]: call["function"]["name"] for call in calls}
    results = [message for message in messages if message["role"] == "tool"]
    done = {names.get(result["tool_call_id"]) for result in results if "created" in str(result["content"])}
    if "reserve" not in done:
        return {"tool_calls": [{"name": "reserve", "arguments": {"sku": "panel", "pieces": 4}}]}
    if "mail" not in done:
        return {"tool_calls": [{"name": "mail", "arguments": {"text": "Your panels are reserved."}}]}
    return "Ordered, and the customer knows."


def agent(
    run: Callable[[Path], Any],
    recover: Callable[[Path], Any] | None = None,
    *,
    prepare: Callable[[Path], Any] | None = None,
    asks_a_model: bool = True,
) -> Any:
    """Return an agent as `explored` takes it: `run` and `recover` get its private folder, `prepare` got it before."""

    def explore(chaos: Any, folder: Path) -> None:
        own = folder / "agent"
        own.mkdir()
        if prepare is not None:
            prepare(own)
        chaos.private(own)
        chaos.api(SHOP)
        if asks_a_model:
            chaos.llm(model)
        chaos.explore(run=lambda: run(own), recover=recover and (lambda: recover(own)))

    return SimpleNamespace(explore=explore)
