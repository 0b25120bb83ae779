"""OpenAI's chat completions on the wire, not streamed, as the SDK of today (openai 3) reads them.

One module of this shape for each API of a provider; `llm.Wire` says what it must offer.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from ..values.errors import ChaosError
from ..values.http import HttpRequest, HttpResponse, ModelAnswer, ToolCall
from .openai_errors import error, invalid
from .openai_messages import complaint_about_messages
from .replies import Question

_NOT_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble "
    "figuring out how to fix this, please contact us through our help center at help.openai.com.)"
)


def complaint(request: HttpRequest) -> HttpResponse | None:
    """Return the provider's 400 for a request that it would not take, or None.

    Raises:
        ChaosError: ``not-yet`` for what the provider takes and this twin does not: streams, several choices.
    """
    try:
        document = request.json()
    except ValueError:
        return error(400, _NOT_JSON)
    if not isinstance(document, dict):
        return error(400, _NOT_JSON)
    if document.get("stream"):
        raise ChaosError("not-yet", "chaos.llm does not answer streams yet", "ask the model with stream=False")
    if document.get("n") not in (None, 1):
        raise ChaosError("not-yet", f"chaos.llm does not answer n={document['n']!r} yet", "ask for one choice")
    if not document.get("model"):
        return invalid("you must provide a model parameter")
    return complaint_about_messages(document)


def question(request: HttpRequest) -> Question:
    """Return what a request asks that nothing is to be complained about in."""
    document = request.json()
    messages = document["messages"]
    last = max((n for n, message in enumerate(messages) if message["role"] == "user"), default=-1)
    text = _text(messages[last]["content"]) if last >= 0 else ""
    return Question(document, text, sum(message["role"] == "assistant" for message in messages[last + 1 :]))


def say(request: HttpRequest, answer: ModelAnswer, salt: str, created: int) -> HttpResponse:
    """Return `answer` as the completion that answers `request`; ids come from the request and `salt`."""
    document = request.json()
    identity = sha256(salt.encode() + json.dumps(document, sort_keys=True).encode()).hexdigest()
    completion = {
        "id": f"chatcmpl-{identity[:29]}",
        "object": "chat.completion",
        "created": created,
        "model": document["model"],
        "choices": [_choice(answer, identity)],
        "usage": _usage(_tokens(json.dumps(document["messages"], ensure_ascii=False)), answer),
        "service_tier": "default",
        "system_fingerprint": None,
    }
    return HttpResponse.of_json(200, completion, {"x-request-id": f"req_{identity[-32:]}"})


def read_answer(response: HttpResponse) -> ModelAnswer | None:
    """Return what a completion says, or None where it is an error or no completion."""
    try:
        choice = response.json()["choices"][0]
        message = choice["message"]
        calls = tuple(
            ToolCall(c["function"]["name"], c["function"]["arguments"], c["id"])
            for c in message.get("tool_calls") or []
        )
        return ModelAnswer(message["content"] or "", calls, choice["finish_reason"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def write_answer(response: HttpResponse, answer: ModelAnswer) -> HttpResponse:
    """Return the completion `response` saying `answer`; anything else comes back as it is."""
    if read_answer(response) is None:
        return response
    completion = response.json()
    completion["choices"] = [_choice(answer, sha256(completion["id"].encode()).hexdigest())]
    completion["usage"] = _usage(completion["usage"]["prompt_tokens"], answer)
    headers = {name: value for name, value in response.headers.items() if name.lower() != "content-length"}
    return HttpResponse.of_json(response.status, completion, headers)


def refuse(request: HttpRequest, status: int, headers: Mapping[str, str]) -> HttpResponse:
    """Answer with the provider's error of that status."""
    return error(status, "", headers, request)


def _choice(answer: ModelAnswer, identity: str) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if answer.tool_calls and not answer.text else answer.text,
        "refusal": None,
        "annotations": [],
    }
    if answer.tool_calls:
        message["tool_calls"] = [_call(call, n, identity) for n, call in enumerate(answer.tool_calls)]
    return {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}


def _call(call: ToolCall, n: int, identity: str) -> dict[str, Any]:
    id = call.id or f"call_{sha256(f'{identity}/{n}'.encode()).hexdigest()[:24]}"
    return {"id": id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _usage(prompt_tokens: int, answer: ModelAnswer) -> dict[str, Any]:
    said = answer.text + "".join(call.name + call.arguments for call in answer.tool_calls)
    completion_tokens = _tokens(said)
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


def _tokens(text: str) -> int:
    """Estimate tokens as providers' rule of thumb does: four characters each."""
    return 1 + len(text) // 4


def _text(content: str | list[Any]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "text")
