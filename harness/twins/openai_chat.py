"""OpenAI's chat completions on the wire, streamed or not, as the SDK of today (openai 3) reads them.

The shape of chunks is that of the SDK's types and of the reference: a first one with the role, one for each piece, one
with the reason to stop, one with the usage where ``stream_options`` asks for it, and ``[DONE]``.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..values.errors import ChaosError
from ..values.http import HttpRequest, HttpResponse, ModelAnswer, ToolCall
from . import events
from .openai_errors import error, invalid, not_json
from .openai_formats import wanted_text
from .openai_messages import complaint_about_messages
from .replies import Question
from .wire import Wanted, asked, digest, kept, model_of, parsed, spoken, tokens, tools


def complaint(request: HttpRequest) -> HttpResponse | None:
    """Return the provider's 400 for a request that it would not take, or None.

    Raises:
        ChaosError: ``not-yet`` for what the provider takes and this twin does not: several choices.
    """
    document = parsed(request)
    if document is None:
        return not_json()
    if document.get("n") not in (None, 1):
        raise ChaosError("not-yet", f"chaos.llm does not answer n={document['n']!r} yet", "ask for one choice")
    if not model_of(request, document):
        return invalid("you must provide a model parameter")
    return complaint_about_messages(document)


def question(request: HttpRequest) -> Question:
    """Return the question of a request that is valid."""
    document = request.json()
    messages = document["messages"]
    last = max((n for n, message in enumerate(messages) if message["role"] == "user"), default=-1)
    text = _text(messages[last]["content"]) if last >= 0 else ""
    return Question(document, text, sum(message["role"] == "assistant" for message in messages[last + 1 :]))


def wanted(request: HttpRequest) -> Wanted:
    """Return the form that a request wants of an answer; a schema is strict only if it says so."""
    document = request.json()
    functions = [tool["function"] for tool in tools(document) if isinstance(tool.get("function"), dict)]
    strictly = {f.get("name", ""): asked(f.get("parameters"), strict=f.get("strict") is True) for f in functions}
    form = document.get("response_format")
    form = form if isinstance(form, dict) else {}
    return Wanted(wanted_text({**form, **(form.get("json_schema") or {}), "type": form.get("type")}), strictly)


def prompt(request: HttpRequest) -> str:
    """Return all that a model reads of a request, as JSON."""
    return json.dumps(request.json()["messages"], ensure_ascii=False)


def say(request: HttpRequest, answer: ModelAnswer, salt: str, created: int) -> HttpResponse:
    """Return `answer` as the completion that answers `request`; ids come from the request and `salt`."""
    document = request.json()
    identity = digest(salt, document)
    stream = bool(document.get("stream"))
    with_usage = not stream or (document.get("stream_options") or {}).get("include_usage")
    head = {
        "id": f"chatcmpl-{identity[:29]}",
        "object": "chat.completion",
        "created": created,
        "model": model_of(request, document),
        "usage": {"prompt_tokens": tokens(prompt(request))} if with_usage else None,
        "service_tier": "default",
        "system_fingerprint": None,
    }
    return _written(head, replace(answer, streamed=stream), {"x-request-id": f"req_{identity[-32:]}"})


def read_answer(response: HttpResponse) -> ModelAnswer | None:
    """Return the answer in a completion; None for an error, for no completion, and for a stream without its end."""
    try:
        choice = _completion(response)["choices"][0]
        message = choice["message"]
        calls = tuple(
            ToolCall(c["function"]["name"], c["function"]["arguments"], c["id"])
            for c in message.get("tool_calls") or []
        )
        said = message.get("content") or "", calls, choice["finish_reason"], message.get("refusal") or ""
        return ModelAnswer(*said, streamed=events.is_stream(response))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def write_answer(response: HttpResponse, answer: ModelAnswer) -> HttpResponse:
    """Return the completion `response` saying `answer`; anything else comes back as it is."""
    said = read_answer(response)
    if said is None:
        return response
    return _written(_completion(response), replace(answer, streamed=said.streamed), kept(response.headers))


def refuse(request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
    """Answer with the provider's error of that status."""
    return error(status, reason, headers, request)


def _written(head: Mapping[str, Any], answer: ModelAnswer, headers: dict[str, str]) -> HttpResponse:
    """Return a completion that says `answer`; `head` is all of it that does not depend on what is said."""
    usage = head["usage"] and _usage(head["usage"]["prompt_tokens"], answer)
    completion = {**head, "choices": [_choice(answer, digest(head["id"]))], "usage": usage}
    if answer.streamed:
        return events.streamed(_chunks(completion, answer), answer, headers)
    return HttpResponse.of_json(200, completion, headers)


def _choice(answer: ModelAnswer, identity: str) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if (answer.tool_calls or answer.refusal) and not answer.text else answer.text,
        "refusal": answer.refusal or None,
        "annotations": [],
    }
    if answer.tool_calls:
        message["tool_calls"] = [_call(call, n, identity) for n, call in enumerate(answer.tool_calls)]
    return {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}


def _call(call: ToolCall, n: int, identity: str) -> dict[str, Any]:
    id = call.id or f"call_{digest(identity, n)[:24]}"
    return {"id": id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _usage(prompt_tokens: int, answer: ModelAnswer) -> dict[str, Any]:
    completion_tokens = tokens(spoken(answer))
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _chunks(completion: Mapping[str, Any], answer: ModelAnswer) -> Iterator[events.Event]:
    """Yield the events of a completion; those of its end only where the stream comes to it."""
    head = {key: value for key, value in completion.items() if key != "choices"}
    head |= {"object": "chat.completion.chunk", "usage": None}
    choice = completion["choices"][0]

    def chunk(delta: Mapping[str, Any], finish_reason: str | None = None) -> events.Event:
        choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]
        return "", {**head, "choices": choices}

    yield from map(chunk, _deltas(choice["message"]))
    if answer.ending == "whole":
        yield chunk({}, choice["finish_reason"])
        if completion["usage"]:
            yield "", {**head, "choices": [], "usage": completion["usage"]}
        yield events.DONE


def _deltas(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    calls = message.get("tool_calls") or []
    yield {"role": "assistant", "content": None if message["content"] is None else "", "refusal": None}
    yield from ({"content": piece} for piece in events.pieces(message["content"] or ""))
    yield from ({"refusal": piece} for piece in events.pieces(message["refusal"] or ""))
    for index, call in enumerate(calls):
        function = call["function"]
        yield {"tool_calls": [{"index": index, **call, "function": {"name": function["name"], "arguments": ""}}]}
        for piece in events.pieces(function["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _completion(response: HttpResponse) -> dict[str, Any]:
    """Return a completion as it is when it is not streamed; raises ValueError for a stream without its end."""
    if not events.is_stream(response):
        completion: dict[str, Any] = response.json()
        return completion
    *chunks, end = events.decoded(response)
    if end != events.DONE:
        raise ValueError("the stream does not come to its end")
    documents = [document for _, document in chunks]
    choices = [choice for document in documents for choice in document["choices"]]
    usage = documents[-1].get("usage")
    message = _gathered([choice["delta"] for choice in choices])
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": choices[-1]["finish_reason"]}
    return {**documents[0], "object": "chat.completion", "choices": [choice], "usage": usage}


def _gathered(deltas: list[dict[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None, "tool_calls": []}
    for delta in deltas:
        for name in ("content", "refusal"):
            if delta.get(name) is not None:
                message[name] = (message[name] or "") + delta[name]
        for part in delta.get("tool_calls") or ():
            if part.get("id"):
                message["tool_calls"].append({**part, "function": {"arguments": "", **part["function"]}})
            else:
                message["tool_calls"][part["index"]]["function"]["arguments"] += part["function"]["arguments"]
    return message


def _text(content: str | list[Any]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "text")
