"""OpenAI's legacy completions on the wire, streamed or not, which many servers of open models still offer."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..values.errors import ChaosError
from ..values.http import HttpRequest, HttpResponse, ModelAnswer
from . import events
from .openai_errors import error, invalid, not_json
from .replies import Question
from .wire import Wanted, digest, kept, model_of, parsed, tokens


def complaint(request: HttpRequest) -> HttpResponse | None:
    """Return the provider's 400 for a request that it would not take, or None.

    Raises:
        ChaosError: ``not-yet`` for what the provider takes and this twin does not: several choices or prompts.
    """
    document = parsed(request)
    if document is None:
        return not_json()
    for name in ("n", "best_of"):
        if document.get(name) not in (None, 1):
            raise ChaosError("not-yet", f"chaos.llm does not answer {name}={document[name]!r} yet", "ask for one")
    if not model_of(request, document):
        return invalid("you must provide a model parameter")
    if not isinstance(document.get("prompt"), str):
        raise ChaosError("not-yet", f"chaos.llm does not complete {document.get('prompt')!r} yet", "send one text")
    return None


def question(request: HttpRequest) -> Question:
    """Return the question of a request that is valid: its prompt."""
    document = request.json()
    return Question(document, document["prompt"], 0)


def wanted(request: HttpRequest) -> Wanted:
    """Return that nothing is wanted: this API has no schemas."""
    return Wanted()


def prompt(request: HttpRequest) -> str:
    """Return all that a model reads of a request."""
    text: str = request.json()["prompt"]
    return text


def say(request: HttpRequest, answer: ModelAnswer, salt: str, created: int) -> HttpResponse:
    """Return `answer` as the completion of `request`; ids come from the request and `salt`.

    Raises:
        ChaosError: ``bad-reply`` for calls of tools, which this API does not have.
    """
    if answer.tool_calls:
        raise ChaosError("bad-reply", "chaos.llm: a completion cannot call tools", "reply with text")
    document = request.json()
    head = {
        "id": f"cmpl-{digest(salt, document)[:29]}",
        "object": "text_completion",
        "created": created,
        "model": model_of(request, document),
        "usage": {"prompt_tokens": tokens(prompt(request))},
    }
    return _written(head, replace(answer, streamed=bool(document.get("stream"))), {})


def read_answer(response: HttpResponse) -> ModelAnswer | None:
    """Return the answer in a completion; None for an error, for no completion, and for a stream without its end."""
    try:
        choice = _completion(response)["choices"][0]
        return ModelAnswer(choice["text"], (), choice["finish_reason"], streamed=events.is_stream(response))
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
    """Return a completion that says `answer`; a refusal is text here."""
    text = answer.text or answer.refusal
    choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": answer.finish_reason}
    asked, said = head["usage"]["prompt_tokens"], tokens(text)
    usage = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
    completion = {**head, "choices": [choice], "usage": usage}
    if answer.streamed:
        return events.streamed(_chunks(completion, answer), answer, headers)
    return HttpResponse.of_json(200, completion, headers)


def _chunks(completion: Mapping[str, Any], answer: ModelAnswer) -> Iterator[events.Event]:
    choice = completion["choices"][0]
    for piece in events.pieces(choice["text"]):
        yield "", {**completion, "choices": [{**choice, "text": piece, "finish_reason": None}]}
    if answer.ending == "whole":
        yield "", {**completion, "choices": [{**choice, "text": ""}]}
        yield events.DONE


def _completion(response: HttpResponse) -> dict[str, Any]:
    """Return a completion as it is when it is not streamed; raises ValueError for a stream without its end."""
    if not events.is_stream(response):
        completion: dict[str, Any] = response.json()
        return completion
    *chunks, end = events.decoded(response)
    if end != events.DONE:
        raise ValueError("the stream does not come to its end")
    choices = [chunk["choices"][0] for _, chunk in chunks]
    text = "".join(choice["text"] for choice in choices)
    return {**chunks[-1][1], "choices": [{**choices[-1], "text": text}]}
