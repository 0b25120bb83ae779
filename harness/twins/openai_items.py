"""Checks of the input items of OpenAI's Responses API, with its complaints.

Sources of the wordings: a call without its output, symgraph/GhidrAssist#78; an output without its call,
continuedev/continue#10092; a role that is none ("param": "items[0]") and a part as chat completions have them, the
tests of several clients.
"""

from collections.abc import Iterator
from typing import Any

from ..values.http import HttpResponse
from .openai_errors import invalid, missing, wrong_type

_ROLES = ("assistant", "system", "developer", "user")
_SUPPORTED = "Supported values are: 'assistant', 'system', 'developer', and 'user'."
_PARTS = (
    "Supported values are: 'input_text', 'input_image', 'output_text', 'refusal', 'input_file', 'computer_screenshot', "
    "and 'summary_text'."
)
_NEEDED = {"function_call": ("call_id", "name", "arguments"), "function_call_output": ("call_id", "output")}


def complaint_about_input(document: dict[str, Any], before: list[Any]) -> HttpResponse | None:
    """Return the provider's 400 for the first thing that is wrong with ``input``, or None.

    `before` holds the items of the responses that it continues.
    """
    return next(_complaints(document, before), None)


def as_items(asked: Any) -> list[Any]:
    """Return an input as the items it stands for: a text is a user message."""
    return [{"role": "user", "content": asked}] if isinstance(asked, str) else asked


def is_message(item: Any) -> bool:
    """Say whether an item is a message; its type may be left out."""
    return (item.get("type") or "message") == "message"


def _complaints(document: dict[str, Any], before: list[Any]) -> Iterator[HttpResponse]:
    """Yield complaints; what comes after one may rely on it not being there, so take the first only."""
    if document.get("input") is None and not before:
        yield missing("input")
    asked = document.get("input") or []
    if not isinstance(asked, str | list):
        yield wrong_type("input", "one of a string or array of input items", asked)
    items = as_items(asked)
    for n, item in enumerate(items):
        yield from _about_item(item, f"input[{n}]")
    yield from _about_pairs([*before, *items])


def _about_item(item: Any, where: str) -> Iterator[HttpResponse]:
    if not isinstance(item, dict):
        yield wrong_type(where, "an object", item)
    if not is_message(item):
        yield from (missing(f"{where}.{name}") for name in _NEEDED.get(item["type"], ()) if item.get(name) is None)
        return
    if "role" not in item:
        yield missing(f"{where}.role")
    if item["role"] not in _ROLES:
        yield invalid(f"Invalid value: '{item['role']}'. {_SUPPORTED}", where, "invalid_value")
    if item.get("content") is None:
        yield missing(f"{where}.content")
    if not isinstance(item["content"], str | list):
        yield wrong_type(f"{where}.content", "one of a string or array of objects", item["content"])
    for n, part in enumerate(item["content"] if isinstance(item["content"], list) else ()):
        if not isinstance(part, dict):
            yield wrong_type(f"{where}.content[{n}]", "an object", part)
        if part.get("type") in ("text", "image_url"):
            yield invalid(f"Invalid value: '{part['type']}'. {_PARTS}", f"{where}.content[{n}]", "invalid_value")
        if part.get("type") == "input_text" and not isinstance(part.get("text"), str):
            yield missing(f"{where}.content[{n}].text")


def _about_pairs(items: list[Any]) -> Iterator[HttpResponse]:
    """Every call has its output somewhere after it, every output its call before it."""
    called: dict[str, bool] = {}
    for item in items:
        if item.get("type") == "function_call":
            called.setdefault(item["call_id"], False)
        if item.get("type") == "function_call_output":
            id = item["call_id"]
            if id not in called:
                yield invalid(f"No tool call found for function call output with call_id {id}.", "input")
            called[id] = True
    yield from (invalid(f"No tool output found for function call {id}.", "input") for id in called if not called[id])
