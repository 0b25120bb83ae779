"""A tool loop on Anthropic's SDK that keeps its conversation in a file, and goes on with it after a restart.

`order` works as many do: each message is appended when it is there, and what a process left is sent as it is. `resume`
repairs it before: a call whose result nobody stored is made again, under the same key.
"""

import json
import os
from pathlib import Path

import anthropic
import httpx

SHOP = "https://api.shop.test"
TASK = "Reserve 4 panels and tell the customer"
TOOLS = [
    {"name": name, "description": text, "input_schema": {"type": "object", "properties": {"what": {"type": "string"}}}}
    for name, text in (("reservations", "Reserve pieces."), ("mails", "Mail the customer."))
]


def save(path: Path, messages):
    """Replace the conversation as a whole."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(messages))
    os.replace(draft, path)


def load(path: Path):
    """Return the conversation; a new one begins with the task."""
    return json.loads(path.read_text()) if path.exists() else [{"role": "user", "content": TASK}]


def call(block):
    """Do what the model asks for; the call's own id is the key, and it stands in the conversation."""
    body = {"what": block["input"]["what"]}
    answer = httpx.post(f"{SHOP}/{block['name']}", json=body, headers={"Idempotency-Key": block["id"]}, timeout=10)
    answer.raise_for_status()
    return {"type": "tool_result", "tool_use_id": block["id"], "content": "done"}


def results(message, path, messages):
    """Make all calls of a message and store their results; none where it calls nothing."""
    blocks = [block for block in message["content"] if block["type"] == "tool_use"]
    if blocks:
        messages.append({"role": "user", "content": [call(block) for block in blocks]})
        save(path, messages)
    return bool(blocks)


def closing_words(messages):
    """Return the text that ends the conversation; "" while it is not at its end."""
    last = messages[-1]
    texts = [block.get("text", "") for block in last["content"]] if last["role"] == "assistant" else [""]
    return texts[-1]


def order(path: Path):
    """Talk until the model asks for nothing more."""
    messages = load(path)
    if said := closing_words(messages):
        return said
    with anthropic.Anthropic(max_retries=0) as client:
        while True:
            answer = client.messages.create(model="claude-sonnet-4-5", max_tokens=900, tools=TOOLS, messages=messages)
            content = [block.model_dump(include={"type", "id", "name", "input", "text"}) for block in answer.content]
            messages.append({"role": "assistant", "content": content})
            save(path, messages)
            if not results(messages[-1], path, messages):
                return content[-1]["text"]


def resume(path: Path):
    """Go on where the conversation ends, after what was asked for and not done."""
    path.with_suffix(".tmp").unlink(missing_ok=True)
    messages = load(path)
    if messages[-1]["role"] == "assistant":
        results(messages[-1], path, messages)
    order(path)
