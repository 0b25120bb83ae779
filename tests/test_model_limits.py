"""A context that is too long, a model that is overloaded, a filter: each SDK raises or reads what its provider says."""

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest
from rollproof.boundary.media import respx_seam
from rollproof.faults.llm_limits import content_filter, context_overflow, overloaded
from rollproof.twins.llm import ModelTwin
from rollproof.values.actions import Respond, Say
from rollproof.values.faults import Fault
from rollproof.values.http import HttpRequest, HttpResponse, ModelAnswer
from rollproof.values.points import Effect, Phase, Point

OPENAI, ANTHROPIC, AZURE = "https://api.openai.com/v1", "https://api.anthropic.com", "https://mine.openai.azure.com"
HI: Any = [{"role": "user", "content": "hi"}]
TEXT = "This is the whole of the answer."


@pytest.fixture
def struck() -> Iterator[Callable[[Fault, Phase], None]]:
    """Return a function that lets a fault strike each request from then on, as an exploration does."""
    undo: list[Callable[[], None]] = []
    twins = [ModelTwin({"hi": TEXT}, base_url=url) for url in (OPENAI, ANTHROPIC, AZURE)]

    def strike(fault: Fault, when: Phase) -> None:
        def answered(request: HttpRequest) -> HttpResponse:
            twin = next(twin for twin in twins if request.url.startswith(twin.base_url))
            response = twin.handle(request)
            answer = twin.read_answer(response) if when == "after" else None
            effect = Effect(Point("llm", "chat", "m"), answer=answer, when=when, request=request)
            (action,) = fault.actions(effect)
            if isinstance(action, Say):
                return twin.write_answer(response, action.answer)
            assert isinstance(action, Respond)
            if action.body is not None:
                return HttpResponse.of_json(action.status, action.body)
            return twin.refuse(request, action.status, {}, action.reason)

        undo.append(respx_seam.install(answered))

    yield strike
    for uninstall in undo:
        uninstall()


def test_openai_says_which_limit_it_was(struck: Any) -> None:
    """By a code of its own, in chat completions and in responses."""
    struck(context_overflow, "before")
    client = openai.OpenAI(max_retries=0, api_key="k")
    for ask in (
        lambda: client.chat.completions.create(model="m", messages=HI),
        lambda: client.responses.create(model="m", input=HI),
    ):
        with pytest.raises(openai.BadRequestError) as caught:
            ask()
        assert caught.value.code == "context_length_exceeded"


def test_anthropic_says_it_in_words(struck: Any) -> None:
    """The prompt is too long, by so many tokens."""
    struck(context_overflow, "before")
    with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: \d+ tokens > \d+ maximum"):
        anthropic.Anthropic(max_retries=0, api_key="k").messages.create(model="m", max_tokens=9, messages=HI)


def test_only_anthropic_has_a_status_for_an_overload(struck: Any) -> None:
    """529; what the others say then is 503, which is another fault."""
    struck(overloaded, "before")
    with pytest.raises(anthropic.OverloadedError) as caught:
        anthropic.Anthropic(max_retries=0, api_key="k").messages.create(model="m", max_tokens=9, messages=HI)
    assert (caught.value.status_code, caught.value.body["error"]["type"]) == (529, "overloaded_error")  # type: ignore[index,call-overload]
    chat = HttpRequest("POST", f"{OPENAI}/chat/completions", {}, b"{}")
    assert list(overloaded.actions(Effect(Point("llm", "chat", "m"), request=chat))) == []


def test_a_filter_stops_an_answer_half_way(struck: Any) -> None:
    """Each SDK reads it as the reason to stop."""
    struck(content_filter, "after")
    client = openai.OpenAI(max_retries=0, api_key="k")
    choice = client.chat.completions.create(model="m", messages=HI).choices[0]
    assert (choice.finish_reason, choice.message.content) == ("content_filter", TEXT[: len(TEXT) // 2])
    response = client.responses.create(model="m", input=HI)
    assert response.incomplete_details is not None
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "content_filter")
    message = anthropic.Anthropic(max_retries=0, api_key="k").messages.create(model="m", max_tokens=9, messages=HI)
    assert message.stop_reason == "refusal"


def test_azures_filter_refuses_a_request(struck: Any) -> None:
    """With 400 and a code of its own; no other provider's does."""
    struck(content_filter, "before")
    client = openai.AzureOpenAI(api_key="k", api_version="2024-10-21", azure_endpoint=AZURE, max_retries=0)
    with pytest.raises(openai.BadRequestError, match="content management policy") as caught:
        client.chat.completions.create(model="mine", messages=HI)
    assert caught.value.code == "content_filter"
    chat = HttpRequest("POST", f"{OPENAI}/chat/completions", {}, b"{}")
    assert list(content_filter.actions(Effect(Point("llm", "chat", "m"), answer=ModelAnswer("x"), request=chat))) == []
