"""Anthropic's Messages API on the wire, streamed or not, as the SDK of today (anthropic 2) reads it.

The order of events is that of its reference page on streaming. Arguments of a call that are no JSON object, because the
model was stopped or erred: the stream carries them as they are; without a stream the call arrives with an empty input
(mattmezza/humux#77).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..values.http import HttpRequest, HttpResponse, ModelAnswer, ToolCall
from . import events
from .anthropic_errors import error
from .anthropic_turns import blocks, complaint_about
from .replies import Question
from .wire import Wanted, asked, digest, kept, parsed, spoken, tokens, tools

_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_FINISHED = {reason: finished for finished, reason in _REASONS.items()} | {"stop_sequence": "stop"}

_SPOKEN = {"text_delta": ("text", "text"), "input_json_delta": ("input", "partial_json")}
"""Where a delta adds to, and from where, by its type; thoughts and citations are no part of what is said."""


def complaint(request: HttpRequest) -> HttpResponse | None:
    """Return the provider's 400 for a request that it would not take, or None."""
    if "anthropic-version" not in request.headers:
        return error(request, 400, "anthropic-version: header is required")
    document = parsed(request)
    if document is None:
        return error(request, 400, "The request body is not valid JSON")
    message = complaint_about(document)
    return error(request, 400, message) if message else None


def question(request: HttpRequest) -> Question:
    """Return the question of a request; a user message with nothing but results belongs to the turn before it."""
    document = request.json()
    messages = document["messages"]
    texts = [_text(message) if message["role"] == "user" else None for message in messages]
    last = max((n for n, text in enumerate(texts) if text is not None), default=-1)
    turn = sum(message["role"] == "assistant" for message in messages[last + 1 :])
    return Question(document, (texts[last] or "") if last >= 0 else "", turn)


def wanted(request: HttpRequest) -> Wanted:
    """Return the form that a request wants of an answer: a schema of the text always holds, one of a tool if strict."""
    document = request.json()
    own = [tool for tool in tools(document) if isinstance(tool.get("input_schema"), dict)]
    strictly = {tool.get("name", ""): asked(tool["input_schema"], strict=tool.get("strict") is True) for tool in own}
    config = document.get("output_config")
    form = (config.get("format") if isinstance(config, dict) else None) or document.get("output_format")
    is_schema = isinstance(form, dict) and form.get("type") == "json_schema"
    return Wanted(asked(form.get("schema"), strict=True) if is_schema else None, strictly)


def prompt(request: HttpRequest) -> str:
    """Return all that a model reads of a request, as JSON."""
    document = request.json()
    return json.dumps([document.get("system"), document["messages"]], ensure_ascii=False)


def say(request: HttpRequest, answer: ModelAnswer, salt: str, created: int) -> HttpResponse:
    """Return `answer` as the message that answers `request`; ids come from the request and `salt`."""
    document = request.json()
    identity = digest(salt, document)
    head = {
        "id": f"msg_01{identity[:22]}",
        "type": "message",
        "role": "assistant",
        "model": document["model"],
        "usage": {"input_tokens": tokens(prompt(request))},
    }
    headers = {"request-id": f"req_01{identity[-22:]}"}
    return _written(head, replace(answer, streamed=bool(document.get("stream"))), headers)


def read_answer(response: HttpResponse) -> ModelAnswer | None:
    """Return the answer in a message; None for an error, for no message, and for a stream without its end."""
    try:
        message = _message(response)
        said = message["content"]
        text = "".join(block["text"] for block in said if block["type"] == "text")
        called = [block for block in said if block["type"] == "tool_use"]
        calls = tuple(ToolCall(block["name"], _arguments(block["input"]), block["id"]) for block in called)
        refusal = (message.get("stop_details") or {}).get("explanation") or ""
        finish_reason = "stop" if refusal else _FINISHED[message["stop_reason"]]
        return ModelAnswer(text, calls, finish_reason, refusal, streamed=events.is_stream(response))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def write_answer(response: HttpResponse, answer: ModelAnswer) -> HttpResponse:
    """Return the message `response` saying `answer`; anything else comes back as it is."""
    said = read_answer(response)
    if said is None:
        return response
    return _written(_message(response), replace(answer, streamed=said.streamed), kept(response.headers))


def refuse(request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
    """Answer with the provider's error of that status."""
    return error(request, status, reason, headers)


def _written(head: Mapping[str, Any], answer: ModelAnswer, headers: dict[str, str]) -> HttpResponse:
    """Return a message that says `answer`; `head` is all of it that does not depend on what is said."""
    message = {
        **head,
        "content": _content(answer, head["id"]),
        "stop_reason": "refusal" if answer.refusal else _REASONS[answer.finish_reason],
        "stop_sequence": None,
        "stop_details": _details(answer),
        "usage": _usage(head["usage"]["input_tokens"], tokens(spoken(answer))),
    }
    if answer.streamed:
        return events.streamed(_events(message, answer), answer, headers)
    return HttpResponse.of_json(200, message, headers)


def _content(answer: ModelAnswer, id: str) -> list[dict[str, Any]]:
    said = [{"type": "text", "text": answer.text, "citations": None}] if answer.text else []
    return [*said, *(_call(call, n, id) for n, call in enumerate(answer.tool_calls))]


def _call(call: ToolCall, n: int, id: str) -> dict[str, Any]:
    try:
        input = json.loads(call.arguments or "{}")
    except ValueError:
        input = {}
    call_id = call.id or f"toolu_01{digest(id, n)[:22]}"
    return {"type": "tool_use", "id": call_id, "name": call.name, "input": input if isinstance(input, dict) else {}}


def _details(answer: ModelAnswer) -> dict[str, Any] | None:
    return {"type": "refusal", "category": None, "explanation": answer.refusal} if answer.refusal else None


def _usage(input_tokens: int, output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def _events(message: Mapping[str, Any], answer: ModelAnswer) -> Iterator[events.Event]:
    """Yield the events of a message; those of its end only where the stream comes to it."""
    begun = {**message, "content": [], "stop_reason": None, "stop_details": None}
    usage = message["usage"]
    yield _event("message_start", message={**begun, "usage": {**usage, "output_tokens": 1}})
    arguments = {block["id"]: call.arguments for block, call in _called(message, answer)}
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            begin, name, field, text = {**block, "text": ""}, "text_delta", "text", block["text"]
        else:
            begin, name, field, text = (
                {**block, "input": {}},
                "input_json_delta",
                "partial_json",
                arguments[block["id"]],
            )
        yield _event("content_block_start", index=index, content_block=begin)
        for piece in events.pieces(text):
            yield _event("content_block_delta", index=index, delta={"type": name, field: piece})
        if answer.ending == "whole" or index < len(message["content"]) - 1:
            yield _event("content_block_stop", index=index)
    if answer.ending == "whole":
        stopped = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
        yield _event("message_delta", delta=stopped, usage={"output_tokens": usage["output_tokens"]})
        yield _event("message_stop")


def _event(type: str, **content: Any) -> events.Event:
    return type, {"type": type, **content}


def _called(message: Mapping[str, Any], answer: ModelAnswer) -> Iterator[tuple[dict[str, Any], ToolCall]]:
    return zip((block for block in message["content"] if block["type"] == "tool_use"), answer.tool_calls, strict=True)


def _message(response: HttpResponse) -> dict[str, Any]:
    """Return a message as it is when it is not streamed, but for arguments as they came.

    Raises:
        ValueError: The stream does not come to its end.
    """
    if not events.is_stream(response):
        message: dict[str, Any] = response.json()
        return message
    stream = [event for _, event in events.decoded(response) if event["type"] != "ping"]
    if stream[-1]["type"] != "message_stop":
        raise ValueError("the stream does not come to its end")
    gathered = {**stream[0]["message"], **stream[-2]["delta"], "content": []}
    for event in stream:
        if event["type"] == "content_block_start":
            block = event["content_block"]
            gathered["content"].append({**block, "input": ""} if block["type"] == "tool_use" else {**block})
        elif event["type"] == "content_block_delta" and event["delta"]["type"] in _SPOKEN:
            field, text = _SPOKEN[event["delta"]["type"]]
            gathered["content"][-1][field] += event["delta"][text]
    return gathered


def _arguments(input: Any) -> str:
    return input if isinstance(input, str) else json.dumps(input, ensure_ascii=False)


def _text(message: dict[str, Any]) -> str | None:
    """Return the text of a user message, or None where it has nothing but results."""
    content = blocks(message)
    if content and all(block["type"] == "tool_result" for block in content):
        return None
    return "\n".join(block["text"] for block in content if block["type"] == "text")
