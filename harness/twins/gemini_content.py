"""Gemini's generateContent and streamGenerateContent on the wire, as the SDK of today (google-genai 3) reads them.

Calls of functions end with ``STOP``, as text does. Arguments are an object on the wire: a call whose arguments are no
JSON object does not arrive, and the answer ends with ``MALFORMED_FUNCTION_CALL`` (NousResearch/hermes-agent#83886), or
with ``MAX_TOKENS`` where the limit cut them. What the filter stops has no content; a prompt that is blocked has no
candidate.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..values.errors import ChaosError
from ..values.http import HttpRequest, HttpResponse, ModelAnswer, ToolCall
from . import events, gemini_schemas
from .gemini_errors import error
from .gemini_turns import complaint_about, field, parts, role
from .replies import Question
from .wire import Wanted, digest, kept, parsed, spoken, tokens

_REASONS = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
_FINISHED = {"MAX_TOKENS": "length"} | dict.fromkeys(
    ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE"), "content_filter"
)
_MODEL = re.compile(r"/models/([^/]+):\w+$")
_NOT_JSON = "Invalid JSON payload received. Expected an object."
_MALFORMED = {"content": {}, "finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "Malformed function call"}


def complaint(request: HttpRequest) -> HttpResponse | None:
    """Return the provider's 400 for a request that it would not take, or None.

    Raises:
        ChaosError: ``not-yet`` for what the provider takes and this twin does not: several candidates, a stream that
            does not come as events, content that is cached.
    """
    document = parsed(request)
    if document is None:
        return error(request, 400, _NOT_JSON)
    count = field(field(document, "generationConfig"), "candidateCount")
    if count not in (None, 1):
        raise ChaosError("not-yet", f"chaos.llm does not answer candidateCount={count!r} yet", "ask for one candidate")
    if field(document, "cachedContent"):
        raise ChaosError("not-yet", "chaos.llm does not answer cachedContent yet", "leave it out")
    if _is_streamed(request) and request.query.get("alt") != "sse":
        raise ChaosError("not-yet", "chaos.llm streams events only", "ask for them with alt=sse, as the SDKs do")
    message = complaint_about(document)
    return error(request, 400, message) if message else None


def question(request: HttpRequest) -> Question:
    """Return the question of a request; a content with nothing but responses belongs to the turn before it."""
    document = request.json()
    contents = document["contents"]
    asked = [n for n, content in enumerate(contents) if role(content) == "user" and parts(content, "text")]
    if not asked:
        return Question(document, "", sum(role(content) == "model" for content in contents))
    after = contents[asked[-1] + 1 :]
    text = "\n".join(map(str, parts(contents[asked[-1]], "text")))
    return Question(document, text, sum(role(content) == "model" for content in after))


def wanted(request: HttpRequest) -> Wanted:
    """Return the form that a request wants of an answer."""
    return gemini_schemas.wanted(request.json())


def prompt(request: HttpRequest) -> str:
    """Return all that a model reads of a request, as JSON."""
    document = request.json()
    return json.dumps([field(document, "systemInstruction"), document["contents"]], ensure_ascii=False)


def say(request: HttpRequest, answer: ModelAnswer, salt: str, created: int) -> HttpResponse:
    """Return `answer` as the response to `request`; ids come from the request and `salt`."""
    head = {
        "usageMetadata": {"promptTokenCount": tokens(prompt(request))},
        "modelVersion": model_of(request),
        "responseId": digest(salt, request.path, request.json())[:22],
    }
    return _written(head, replace(answer, streamed=_is_streamed(request)), {})


def read_answer(response: HttpResponse) -> ModelAnswer | None:
    """Return the answer in a response; None for an error, for no response, and for a stream without its end."""
    try:
        document = _document(response)
        streamed = events.is_stream(response)
        if blocked := (document.get("promptFeedback") or {}).get("blockReason"):
            return ModelAnswer(refusal=blocked, streamed=streamed)
        candidate = document["candidates"][0]
        content, reason = candidate.get("content") or {}, candidate["finishReason"]
        calls = tuple(
            ToolCall(call["name"], json.dumps(call.get("args") or {}, ensure_ascii=False), call.get("id") or "")
            for call in parts(content, "functionCall")
        )
        text = "".join(parts(content, "text"))
        usual = "tool_calls" if calls else "stop"
        return ModelAnswer(text, calls, _FINISHED.get(reason, usual), streamed=streamed)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def write_answer(response: HttpResponse, answer: ModelAnswer) -> HttpResponse:
    """Return `response` saying `answer`; anything else comes back as it is."""
    said = read_answer(response)
    if said is None:
        return response
    return _written(_document(response), replace(answer, streamed=said.streamed), kept(response.headers))


def refuse(request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
    """Answer with the provider's error of that status."""
    return error(request, status, reason, headers)


def model_of(request: HttpRequest) -> str:
    """Return the model that the path of a request names; "" where it names none."""
    found = _MODEL.search(request.path)
    return found[1] if found else ""


def _is_streamed(request: HttpRequest) -> bool:
    return request.path.endswith(":streamGenerateContent")


def _written(head: Mapping[str, Any], answer: ModelAnswer, headers: dict[str, str]) -> HttpResponse:
    """Return a response that says `answer`; `head` has all of it that does not depend on what is said."""
    same = {name: head[name] for name in ("modelVersion", "responseId") if name in head}
    asked = head["usageMetadata"]["promptTokenCount"]
    if answer.refusal:
        usage = {"promptTokenCount": asked, "totalTokenCount": asked}
        document = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": usage, **same}
    else:
        candidate = _candidate(answer, head.get("responseId", ""))
        document = {"candidates": [candidate], "usageMetadata": _usage(asked, answer), **same}
    if answer.streamed:
        return events.streamed((("", chunk) for chunk in _chunks(document, answer)), answer, headers)
    return HttpResponse.of_json(200, document, headers)


def _candidate(answer: ModelAnswer, id: str) -> dict[str, Any]:
    calls = [_call(call, n, id) for n, call in enumerate(answer.tool_calls)]
    if None in calls and answer.finish_reason not in ("length", "content_filter"):
        return {**_MALFORMED, "index": 0}
    said: list[Any] = [{"text": answer.text}] if answer.text or not calls else []
    said += [{"functionCall": call} for call in calls if call is not None]
    content = {} if answer.finish_reason == "content_filter" else {"parts": said, "role": "model"}
    return {"content": content, "finishReason": _REASONS[answer.finish_reason], "index": 0}


def _call(call: ToolCall, n: int, id: str) -> dict[str, Any] | None:
    """Return a call as it is sent; None where its arguments are no object."""
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        return None
    if not isinstance(arguments, dict):
        return None
    return {"id": call.id or f"call_{digest(id, n)[:16]}", "name": call.name, "args": arguments}


def _usage(asked: int, answer: ModelAnswer) -> dict[str, Any]:
    said = tokens(spoken(answer))
    details = [{"modality": "TEXT", "tokenCount": asked}]
    counts = {"promptTokenCount": asked, "candidatesTokenCount": said, "totalTokenCount": asked + said}
    return {**counts, "promptTokensDetails": details}


def _chunks(document: Mapping[str, Any], answer: ModelAnswer) -> Iterator[dict[str, Any]]:
    """Yield the chunks of a response; the reason to stop comes only where the stream comes to its end."""
    if "candidates" not in document:
        yield dict(document)
        return
    candidate = document["candidates"][0]
    for part in candidate["content"].get("parts", ()):
        for piece in [{"text": text} for text in events.pieces(part["text"])] if "text" in part else [part]:
            yield {**document, "candidates": [{"content": {"parts": [piece], "role": "model"}, "index": 0}]}
    if answer.ending == "whole":
        content = {"parts": [{"text": ""}], "role": "model"} if candidate["content"] else {}
        yield {**document, "candidates": [{**candidate, "content": content}]}


def _document(response: HttpResponse) -> dict[str, Any]:
    """Return a response as it is when it is not streamed; raises ValueError for a stream without its end."""
    if not events.is_stream(response):
        whole: dict[str, Any] = response.json()
        return whole
    chunks = [chunk for _, chunk in events.decoded(response)]
    last: dict[str, Any] = chunks[-1]
    if "promptFeedback" in last:
        return last
    said = [part for chunk in chunks for part in (chunk["candidates"][0].get("content") or {}).get("parts", ())]
    candidate = last["candidates"][0]
    if "finishReason" not in candidate:
        raise ValueError("the stream does not come to its end")
    return {**last, "candidates": [{**candidate, "content": {"parts": said, "role": "model"}}]}
