"""OpenAI's Responses API on the wire, streamed or not, as the SDK of today (openai 3) reads it.

The order of events and their fields are those of the SDK's types.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..values.errors import ChaosError
from ..values.http import HttpRequest, HttpResponse, ModelAnswer, ToolCall
from . import events
from .openai_errors import error, invalid, missing, not_json
from .openai_formats import wanted_text
from .openai_items import as_items, complaint_about_input, is_message
from .replies import Question
from .wire import Wanted, asked, digest, kept, parsed, spoken, tokens, tools

_ENDS = ("response.completed", "response.incomplete")
_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ORIGIN = 20  # the first characters of a call's id, which it shares with the other calls of its response


class Responses:
    """The Responses API, with the responses that a later request may continue by their id.

    They are no part of the twin's state: an id comes from all that it stands for, so what it means never changes, and
    nobody can name one that was not given out.
    """

    def __init__(self) -> None:
        self._conversations: dict[str, list[Any]] = {}

    def complaint(self, request: HttpRequest) -> HttpResponse | None:
        """Return the provider's 400 for a request that it would not take, or None.

        Raises:
            ChaosError: ``not-yet`` for what the provider takes and this twin does not: background work, conversations.
        """
        document = parsed(request)
        if document is None:
            return not_json()
        for name in ("background", "conversation", "prompt"):
            if document.get(name):
                raise ChaosError("not-yet", f"chaos.llm does not answer {name}={document[name]!r} yet", "leave it out")
        if not document.get("model"):
            return missing("model")
        continued = document.get("previous_response_id")
        if continued is not None and continued not in self._conversations:
            message = f"Previous response with id '{continued}' not found."
            return invalid(message, "previous_response_id", "previous_response_not_found")
        return complaint_about_input(document, self._before(document))

    def question(self, request: HttpRequest) -> Question:
        """Return the question of a request that is valid."""
        document = request.json()
        items = self._items(document)
        asked = [n for n, item in enumerate(items) if is_message(item) and item["role"] == "user"]
        text = _text(items[asked[-1]]["content"]) if asked else ""
        return Question(document, text, _turns(items[asked[-1] + 1 :] if asked else items))

    def wanted(self, request: HttpRequest) -> Wanted:
        """Return the form that a request wants of an answer; a function is strict unless it says otherwise."""
        document = request.json()
        functions = [tool for tool in tools(document) if tool.get("type") == "function"]
        strictly = {
            f.get("name", ""): asked(f.get("parameters"), strict=f.get("strict") is not False) for f in functions
        }
        text = document.get("text")
        form = text.get("format") if isinstance(text, dict) else None
        return Wanted(wanted_text(form) if isinstance(form, dict) else None, strictly)

    def prompt(self, request: HttpRequest) -> str:
        """Return all that a model reads of a request, as JSON: what came before it in its conversation as well."""
        return json.dumps(self._items(request.json()), ensure_ascii=False)

    def say(self, request: HttpRequest, answer: ModelAnswer, salt: str, created: int) -> HttpResponse:
        """Return `answer` as the response to `request`; ids come from the request and `salt`."""
        document = request.json()
        identity = digest(salt, document)
        before = self._items(document)
        answer = replace(answer, streamed=bool(document.get("stream")))
        head = _head(document, identity, created, tokens(self.prompt(request)))
        return self._written(head, before, answer, {"x-request-id": f"req_{identity[-32:]}"})

    def read_answer(self, response: HttpResponse) -> ModelAnswer | None:
        """Return the answer in a response; None for an error, for no response, and for a stream without its end."""
        try:
            document = _document(response)
            messages = [part for item in document["output"] if is_message(item) for part in item["content"]]
            text = "".join(part["text"] for part in messages if part["type"] == "output_text")
            refusal = "".join(part["refusal"] for part in messages if part["type"] == "refusal")
            called = (item for item in document["output"] if item["type"] == "function_call")
            calls = tuple(ToolCall(item["name"], item["arguments"], item["call_id"]) for item in called)
            stopped = (document["incomplete_details"] or {}).get("reason")
            usual = "tool_calls" if calls else "stop"
            finish_reason = next((reason for reason, name in _REASONS.items() if name == stopped), usual)
            return ModelAnswer(text, calls, finish_reason, refusal, streamed=events.is_stream(response))
        except (ValueError, LookupError, TypeError, AttributeError):
            return None

    def write_answer(self, response: HttpResponse, answer: ModelAnswer) -> HttpResponse:
        """Return `response` saying `answer`, under an id of its own: it can be continued as well."""
        said = self.read_answer(response)
        if said is None:
            return response
        answer = replace(answer, streamed=said.streamed)
        if answer == said:
            return response
        head = _document(response)
        before = self._conversations.get(head["id"], [])[: -len(head["output"]) or None]
        head["id"] = f"resp_{digest(head['id'], repr(answer))[:48]}"
        return self._written(head, before, answer, kept(response.headers))

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with the provider's error of that status."""
        return error(status, reason, headers, request)

    def _items(self, document: Mapping[str, Any]) -> list[Any]:
        return [*self._before(document), *as_items(document.get("input") or [])]

    def _before(self, document: Mapping[str, Any]) -> list[Any]:
        return self._conversations.get(document.get("previous_response_id") or "", [])

    def _written(
        self, head: dict[str, Any], before: list[Any], answer: ModelAnswer, headers: dict[str, str]
    ) -> HttpResponse:
        """Return a response that says `answer`; `head` is all of it that does not depend on what is said."""
        stopped = _REASONS.get(answer.finish_reason)
        document = {
            **head,
            "status": "incomplete" if stopped else "completed",
            "incomplete_details": {"reason": stopped} if stopped else None,
            "output": _output(answer, head["id"]),
            "usage": _usage(head["usage"]["input_tokens"], answer),
        }
        if head["store"]:
            self._conversations[head["id"]] = [*before, *document["output"]]
        if answer.streamed:
            return events.streamed(_numbered(_events(document, answer)), answer, headers)
        return HttpResponse.of_json(200, document, headers)


def _head(document: Mapping[str, Any], identity: str, created: int, input_tokens: int) -> dict[str, Any]:
    asked = {name: document.get(name) for name in ("instructions", "max_output_tokens", "previous_response_id")}
    return {
        "id": f"resp_{identity[:48]}",
        "object": "response",
        "created_at": created,
        "model": document["model"],
        "error": None,
        **asked,
        "metadata": document.get("metadata") or {},
        "parallel_tool_calls": document.get("parallel_tool_calls", True),
        "store": document.get("store", True) is not False,
        "temperature": document.get("temperature", 1.0),
        "text": document.get("text") or {"format": {"type": "text"}},
        "tool_choice": document.get("tool_choice", "auto"),
        "tools": document.get("tools") or [],
        "top_p": document.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": {"input_tokens": input_tokens},
    }


def _output(answer: ModelAnswer, id: str) -> list[dict[str, Any]]:
    """Return the items of an answer: a message, where anything is said or nothing is called, and the calls."""
    stopped = answer.finish_reason in _REASONS
    parts: list[dict[str, Any]] = []
    if answer.text:
        parts.append({"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []})
    if answer.refusal:
        parts.append({"type": "refusal", "refusal": answer.refusal})
    items: list[dict[str, Any]] = []
    if parts or not answer.tool_calls:
        message = {"id": f"msg_{digest(id)[:48]}", "type": "message", "role": "assistant", "content": parts}
        items.append({**message, "status": "completed"})
    items += [_call(call, n, id) for n, call in enumerate(answer.tool_calls)]
    items[-1]["status"] = "incomplete" if stopped else "completed"
    return items


def _call(call: ToolCall, n: int, id: str) -> dict[str, Any]:
    call_id = call.id or f"call_{digest(id)[: _ORIGIN - 5]}{n:09d}"
    return {
        "id": f"fc_{digest(id, n)[:48]}",
        "type": "function_call",
        "call_id": call_id,
        "name": call.name,
        "arguments": call.arguments,
        "status": "completed",
    }


def _usage(input_tokens: int, answer: ModelAnswer) -> dict[str, Any]:
    output_tokens = tokens(spoken(answer))
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input_tokens + output_tokens,
    }


def _numbered(stream: Iterator[dict[str, Any]]) -> Iterator[events.Event]:
    return ((event["type"], {**event, "sequence_number": n}) for n, event in enumerate(stream))


def _events(document: Mapping[str, Any], answer: ModelAnswer) -> Iterator[dict[str, Any]]:
    """Yield the events of a response; those of its end only where the stream comes to it."""
    whole = answer.ending == "whole"
    begun = {**document, "status": "in_progress", "incomplete_details": None, "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(document["output"]):
        comes_to_its_end = whole or index < len(document["output"]) - 1
        spoken_of = _message_events if item["type"] == "message" else _call_events
        yield from spoken_of(item, index, whole=comes_to_its_end)
        if comes_to_its_end:
            yield {"type": "response.output_item.done", "output_index": index, "item": item}
    if whole:
        yield {"type": f"response.{document['status']}", "response": document}


def _message_events(item: Mapping[str, Any], index: int, *, whole: bool) -> Iterator[dict[str, Any]]:
    begun = {**item, "status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    for n, part in enumerate(item["content"]):
        place = {"item_id": item["id"], "output_index": index, "content_index": n}
        field, name = ("text", "output_text") if part["type"] == "output_text" else ("refusal", "refusal")
        extra: dict[str, Any] = {"logprobs": []} if field == "text" else {}
        yield {"type": "response.content_part.added", **place, "part": {**part, field: ""}}
        for piece in events.pieces(part[field]):
            yield {"type": f"response.{name}.delta", **place, "delta": piece, **extra}
        if whole:
            yield {"type": f"response.{name}.done", **place, field: part[field], **extra}
            yield {"type": "response.content_part.done", **place, "part": part}


def _call_events(item: Mapping[str, Any], index: int, *, whole: bool) -> Iterator[dict[str, Any]]:
    place = {"item_id": item["id"], "output_index": index}
    begun = {**item, "status": "in_progress", "arguments": ""}
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    for piece in events.pieces(item["arguments"]):
        yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
    if whole:
        done = {"name": item["name"], "arguments": item["arguments"]}
        yield {"type": "response.function_call_arguments.done", **place, **done}


def _document(response: HttpResponse) -> dict[str, Any]:
    """Return a response as it is when it is not streamed; raises ValueError for a stream without its end."""
    if not events.is_stream(response):
        document: dict[str, Any] = response.json()
        return document
    name, last = events.decoded(response)[-1]
    if name not in _ENDS:
        raise ValueError("the stream does not come to its end")
    ended: dict[str, Any] = last["response"]
    return ended


def _turns(items: list[Any]) -> int:
    """Count how many times the model has answered: once for all that stands together, or comes from one response.

    Some agents put each call's output right behind it, so that the calls of one response stand apart.
    """
    turns, together = 0, False
    origins: set[str] = set()
    for item in items:
        if item.get("type") == "function_call_output":
            together = False
            continue
        origin = item.get("call_id", "")[:_ORIGIN]
        turns += not together and (not origin or origin not in origins)
        together = True
        origins.add(origin)
    return turns


def _text(content: str | list[Any]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "input_text")
