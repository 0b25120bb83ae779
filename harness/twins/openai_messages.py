"""OpenAI's checks of chat messages, with its complaints.

Its messages name a place as ``messages[1].role`` where a field is malformed and as ``messages.[1].role`` where the
order of messages is; both are kept as they are.
"""

from collections.abc import Iterator
from typing import Any

from ..values.http import HttpResponse
from .openai_errors import invalid, missing, wrong_type

_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_SUPPORTED = "Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'."
_ORPHAN = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
_UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
    "The following tool_call_ids did not have response messages: {ids}"
)
_NO_ID = "Missing parameter 'tool_call_id': messages with role 'tool' must have a 'tool_call_id'."
_NO_JSON = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."


def complaint_about_messages(document: dict[str, Any]) -> HttpResponse | None:
    """Return the provider's 400 for the first thing that is wrong with ``messages``, or None."""
    return next(_complaints(document), None)


def _complaints(document: dict[str, Any]) -> Iterator[HttpResponse]:
    """Yield complaints; what comes after one may rely on it not being there, so take the first only."""
    if "messages" not in document:
        yield missing("messages")
    messages = document["messages"]
    if not isinstance(messages, list):
        yield wrong_type("messages", "an array of objects", messages)
    if not messages:
        yield _empty("messages")
    for n, message in enumerate(messages):
        yield from _about_message(message, f"messages[{n}]")
    yield from _about_order(messages)
    if _wants_json_object(document) and "json" not in str(messages).lower():
        yield invalid(_NO_JSON, "messages")


def _about_message(message: Any, where: str) -> Iterator[HttpResponse]:
    if not isinstance(message, dict):
        yield wrong_type(where, "an object", message)
    if "role" not in message:
        yield missing(f"{where}.role")
    if message["role"] not in _ROLES:
        yield invalid(f"Invalid value: '{message['role']}'. {_SUPPORTED}", f"{where}.role", "invalid_value")
    yield from _about_calls(message, f"{where}.tool_calls")
    yield from _about_content(message, where)


def _about_content(message: dict[str, Any], where: str) -> Iterator[HttpResponse]:
    content = message.get("content")
    instead = any(message.get(key) for key in ("tool_calls", "function_call", "refusal", "audio"))
    if content is None and not (message["role"] == "assistant" and instead):
        dotted = where.replace("[", ".[")
        yield invalid("Invalid value for 'content': expected a string, got null.", f"{dotted}.content")
    if content is not None and not isinstance(content, str) and not _are_parts(content):
        yield wrong_type(f"{where}.content", "one of a string or array of objects", content)


def _about_calls(message: dict[str, Any], where: str) -> Iterator[HttpResponse]:
    calls = message.get("tool_calls")
    if calls is None:
        return
    if not isinstance(calls, list):
        yield wrong_type(where, "an array of objects", calls)
    if not calls:
        yield _empty(where)
    for n, call in enumerate(calls):
        if not isinstance(call, dict):
            yield wrong_type(f"{where}[{n}]", "an object", call)
        if not isinstance(call.get("id"), str):
            yield missing(f"{where}[{n}].id")
        function = call.get("function") if call.get("type") == "function" else {"arguments": ""}
        if not isinstance(function, dict) or not isinstance(function.get("arguments"), str):
            yield missing(f"{where}[{n}].function.arguments")


def _about_order(messages: list[Any]) -> Iterator[HttpResponse]:
    offered: list[str] = []
    answered: set[str] = set()
    for n, message in enumerate(messages):
        if message["role"] == "tool":
            yield from _about_result(message, f"messages.[{n}]", offered)
            answered.add(message["tool_call_id"])
        else:
            yield from _about_unanswered(offered, answered, n)
            offered, answered = [call["id"] for call in message.get("tool_calls") or []], set()
    yield from _about_unanswered(offered, answered, len(messages) - 1)


def _about_result(message: dict[str, Any], where: str, offered: list[str]) -> Iterator[HttpResponse]:
    id = message.get("tool_call_id")
    if not offered:
        yield invalid(_ORPHAN, f"{where}.role")
    if not isinstance(id, str):
        yield invalid(_NO_ID, f"{where}.tool_call_id")
    if id not in offered:
        yield invalid(
            f"Invalid parameter: 'tool_call_id' of '{id}' not found in 'tool_calls' of previous message.",
            f"{where}.tool_call_id",
        )


def _about_unanswered(offered: list[str], answered: set[str], n: int) -> Iterator[HttpResponse]:
    left = [id for id in offered if id not in answered]
    if left:
        yield invalid(_UNANSWERED.format(ids=", ".join(left)), f"messages.[{n}].role")


def _empty(where: str) -> HttpResponse:
    wanted = "Expected an array with minimum length 1, but got an empty array instead."
    return invalid(f"Invalid '{where}': empty array. {wanted}", where, "empty_array")


def _wants_json_object(document: dict[str, Any]) -> bool:
    wanted = document.get("response_format")
    return isinstance(wanted, dict) and wanted.get("type") == "json_object"


def _are_parts(content: Any) -> bool:
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        return False
    return all(isinstance(part.get("text"), str) for part in content if part.get("type") == "text")
