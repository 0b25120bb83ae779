"""A conversation that goes on is shortened to its task and its newest messages, wherever the cut falls.

It falls between two calls and their results: the provider refuses results that nobody asked for, now and at every
later start, and the customer is never told.
"""

import json
import os

import httpx
from openai import OpenAI

SHOP = "https://api.shop.test"
TASK = "Reserve a panel and a cable"
NEWEST = 2


def model(request):
    """Answer as a sensible model would: two calls at once, and a text when their results are there."""
    if any(message["role"] == "tool" for message in request["messages"]):
        return "Both are reserved."
    return {"tool_calls": [{"name": "reserve", "arguments": {"sku": sku}} for sku in ("panel", "cable")]}


def save(own, messages):
    """Replace the conversation as a whole."""
    draft = own / "conversation.part"
    draft.write_text(json.dumps(messages))
    os.replace(draft, own / "conversation.json")


def shortened(messages):
    """Return the task and the newest messages."""
    return [messages[0], *messages[1:][-NEWEST:]]


def load(own, shortened):
    """Return the conversation that was begun, not longer than need be; a new one begins with the task."""
    (own / "conversation.part").unlink(missing_ok=True)
    path = own / "conversation.json"
    messages = json.loads(path.read_text()) if path.exists() else [{"role": "user", "content": TASK}]
    return shortened(messages)


def call(one):
    """Do what the model asks for, once however often it is tried."""
    sku = json.loads(one["function"]["arguments"])["sku"]
    headers = {"Idempotency-Key": f"order-7 {sku}"}
    httpx.post(f"{SHOP}/reservations", json={"sku": sku}, headers=headers, timeout=10).raise_for_status()
    return {"role": "tool", "tool_call_id": one["id"], "content": f"{sku} is reserved"}


def order(own, shortened=shortened):
    """Talk until the model asks for nothing more; calls are stored together with their results."""
    messages = load(own, shortened)
    with OpenAI(max_retries=0) as client:
        while messages[-1]["role"] != "assistant":
            said = client.chat.completions.create(model="gpt-4o-mini", messages=messages).choices[0].message
            messages.append(said.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True))
            messages += [call(one) for one in messages[-1].get("tool_calls", ())]
            save(own, messages)
    return "ordered"


BREAKS = {"recovery_succeeds"}
FAULTS = ("process.kill", "http.unavailable")
CAUSES = ["raised in order, BadRequestError"]


def explore(chaos, tmp_path, shortened=shortened):
    """A shop, and a private folder with the conversation; the supervisor starts the agent again after a failure."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api(SHOP)
    chaos.llm(model)
    chaos.explore(run=lambda: order(own, shortened))
