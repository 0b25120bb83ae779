"""Anthropic's checks of the messages in a request: the text of its first complaint, or "".

Sources of the wordings: a call without its result, anthropics/claude-code#7929 (the number is that of the message with
the call); a result without its call, claude-code#13460; no max_tokens, tickernelz/opencode-mem#50; empty messages and
blocks, claude-code#6774 and #59812; a system role, ChainForge#271; two results, tests of several clients.
"""

from collections.abc import Iterator
from typing import Any

_SYSTEM = (
    'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an '
    "input message role."
)
_EMPTY = "all messages must have non-empty content except for the optional final assistant message"
_UNANSWERED = (
    "messages.{n}: `tool_use` ids were found without `tool_result` blocks immediately after: {ids}. Each `tool_use` "
    "block must have a corresponding `tool_result` block in the next message."
)
_ORPHAN = (
    "messages.{n}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` "
    "block must have a corresponding `tool_use` block in the previous message."
)
_TWICE = (
    "messages.{n}.content.{place}: each tool_use must have a single result. Found multiple `tool_result` blocks with "
    "id: {id}"
)
_NEEDED = {"text": ("text",), "tool_use": ("id", "input", "name"), "tool_result": ("tool_use_id",)}


def complaint_about(document: dict[str, Any]) -> str:
    """Return the provider's complaint about the first error in a request; "" if there is none."""
    return next(_complaints(document), "")


def blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the content of a message as blocks: a text is one."""
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _complaints(document: dict[str, Any]) -> Iterator[str]:
    """Yield complaints; what comes after one may rely on it not being there, so take the first only."""
    for name in ("model", "max_tokens", "messages"):
        if name not in document:
            yield f"{name}: Field required"
    limit = document["max_tokens"]
    if not isinstance(limit, int) or isinstance(limit, bool):
        yield "max_tokens: Input should be a valid integer"
    if limit < 1:
        yield "max_tokens: must be greater than or equal to 1"
    messages = document["messages"]
    if not isinstance(messages, list):
        yield "messages: Input should be a valid list"
    if not messages:
        yield "messages: at least one message is required"
    for n, message in enumerate(messages):
        yield from _about_message(message, n, last=n == len(messages) - 1)
    yield from _about_pairs(messages)


def _about_message(message: Any, n: int, *, last: bool) -> Iterator[str]:
    if not isinstance(message, dict):
        yield f"messages.{n}: Input should be a valid dictionary"
    for name in ("role", "content"):
        if message.get(name) is None:
            yield f"messages.{n}.{name}: Field required"
    role, content = message["role"], message["content"]
    if role == "system" and n == 0:
        yield _SYSTEM
    if role not in ("user", "assistant", "system"):
        yield f"messages.{n}.role: Input should be 'user' or 'assistant'"
    if not isinstance(content, str | list):
        yield f"messages.{n}.content: Input should be a valid list"
    if not content and not (last and role == "assistant"):
        yield f"messages.{n}: {_EMPTY}"
    if isinstance(content, list):
        for place, block in enumerate(content):
            yield from _about_block(block, f"messages.{n}.content.{place}")


def _about_block(block: Any, where: str) -> Iterator[str]:
    if not isinstance(block, dict):
        yield f"{where}: Input should be a valid dictionary"
    if "type" not in block:
        yield f"{where}.type: Field required"
    type = block["type"]
    yield from (f"{where}.{type}.{name}: Field required" for name in _NEEDED.get(type, ()) if block.get(name) is None)
    if type == "text" and not block["text"]:
        yield "messages: text content blocks must be non-empty"
    if type == "tool_use" and not isinstance(block["input"], dict):
        yield f"{where}.tool_use.input: Input should be a valid dictionary"


def _about_pairs(messages: list[dict[str, Any]]) -> Iterator[str]:
    """Every call is answered first thing in the next message, once; every result answers a call of the one before."""
    called: list[str] = []
    for n, message in enumerate([*messages, {"role": "", "content": ""}]):
        answered: list[str] = []
        for place, block in enumerate(blocks(message)):
            if block["type"] != "tool_result":
                continue
            id = block["tool_use_id"]
            if id not in called:
                yield _ORPHAN.format(n=n, place=place, id=id)
            if id in answered:
                yield _TWICE.format(n=n, place=place, id=id)
            if len(answered) == place:  # results behind a text do not come immediately after
                answered.append(id)
        left = [id for id in called if id not in answered]
        if left:
            yield _UNANSWERED.format(n=n - 1, ids=", ".join(left))
        called = [block["id"] for block in blocks(message) if block["type"] == "tool_use"]
        if len(set(called)) < len(called):
            yield "messages: `tool_use` ids must be unique"
