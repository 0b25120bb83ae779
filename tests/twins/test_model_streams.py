"""Each API says the same streamed and not, and what its SDK makes of a stream that does not come to its end."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollproof.twins.answering import Directly
from rollproof.twins.llm import PROVIDERS, ModelTwin
from rollproof.values.http import HttpRequest, HttpResponse, ModelAnswer, ToolCall
from rollproof.values.network import Reach

Serve = Callable[[Callable[[HttpRequest], HttpResponse]], None]
HI: list[Any] = [{"role": "user", "content": "hi"}]
BODIES = {
    "https://api.openai.com/v1/chat/completions": {"model": "m", "messages": HI},
    "https://api.openai.com/v1/responses": {"model": "m", "input": HI},
    "https://api.anthropic.com/v1/messages": {"model": "m", "messages": HI, "max_tokens": 9},
}
WAYS = [(url, stream) for url in BODIES for stream in (False, True)]
CALLS = [{"name": "save", "arguments": {"title": "Solär", "n": 3}}, {"name": "mail", "arguments": {"to": "Ada"}}]
REPLY = {"text": "Saving it now, as you like it: data: 3", "tool_calls": CALLS}


def answered(url: str, stream: bool, said: Any = "x") -> tuple[ModelTwin, HttpResponse]:
    """Return a twin, and what it answers to a question asked of one of its APIs."""
    twin = ModelTwin({"": said}, base_url=next(base for base in PROVIDERS if url.startswith(base)))
    body = json.dumps({**BODIES[url], "stream": stream}).encode()
    return twin, twin.handle(HttpRequest("POST", url, {"x-api-key": "k", "anthropic-version": "2023-06-01"}, body))


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ARGUMENTS = st.dictionaries(TEXT, st.integers() | TEXT, max_size=2).map(
    lambda value: json.dumps(value, ensure_ascii=False)
)
SPOKEN = st.builds(ModelAnswer, TEXT, finish_reason=st.sampled_from(["stop", "length", "content_filter"]))
CALLED = st.builds(
    ModelAnswer,
    TEXT,
    st.lists(st.builds(ToolCall, TEXT.filter(bool), ARGUMENTS, st.uuids().map(str)), min_size=1, max_size=3).map(tuple),
    st.sampled_from(["tool_calls", "length"]),
)
REFUSED = st.builds(ModelAnswer, TEXT, refusal=TEXT.filter(bool))


@pytest.mark.parametrize(("url", "stream"), WAYS)
@given(answer=SPOKEN | CALLED | REFUSED)
def test_an_answer_reads_back_as_it_was_written(url: str, stream: bool, answer: ModelAnswer) -> None:
    """Whatever a fault makes a model say arrives so, in the form that was asked for, and however it was given."""
    twin, response = answered(url, stream)
    changed = twin.write_answer(response, answer)
    assert twin.read_answer(changed) == replace(answer, streamed=stream)
    assert changed.headers["content-type"] == response.headers["content-type"]
    assert twin.write_answer(changed, answer) == changed


@pytest.mark.parametrize("url", BODIES)
def test_arguments_that_are_no_json_are_streamed_as_they_are(url: str) -> None:
    """So do the APIs of OpenAI without a stream; at Anthropic such a call arrives empty then."""
    broken = ModelAnswer("", (ToolCall("save", '{"title": "So', "c1"),), "length")
    for stream in (False, True):
        twin, response = answered(url, stream)
        read = twin.read_answer(twin.write_answer(response, broken))
        assert read is not None
        empty = "anthropic" in url and not stream
        assert read.tool_calls[0].arguments == ("{}" if empty else '{"title": "So')
        assert read.finish_reason == "length"


@pytest.mark.parametrize("url", BODIES)
@pytest.mark.parametrize("ending", ["closed", "cut", "stalled"])
def test_a_stream_without_its_end_says_nothing_that_can_be_read(url: str, ending: Any) -> None:
    """It holds what was said and not how it ends; only the two that break tell the client."""
    twin, response = answered(url, True)
    broken = twin.write_answer(response, ModelAnswer("Hello, hello", ending=ending))
    assert twin.read_answer(broken) is None
    assert twin.write_answer(broken, ModelAnswer("x")) == broken
    assert b"Hello, hello" in broken.body
    assert broken.broken == ("" if ending == "closed" else ending)


# what the SDKs see


def said_by_chat(client: openai.OpenAI, stream: bool) -> tuple[str, list[Any], Any]:
    """Text, calls and usage of a completion, through the SDK's own accumulation."""
    if stream:
        with client.chat.completions.stream(model="m", messages=HI, stream_options={"include_usage": True}) as events:
            completion: Any = events.get_final_completion()
    else:
        completion = client.chat.completions.create(model="m", messages=HI)
    message = completion.choices[0].message
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls]
    return message.content, calls, completion.usage.completion_tokens


def said_by_responses(client: openai.OpenAI, stream: bool) -> tuple[str, list[Any], Any]:
    """Text, calls and usage of a response."""
    if stream:
        with client.responses.stream(model="m", input=HI) as events:
            response: Any = events.get_final_response()
    else:
        response = client.responses.create(model="m", input=HI)
    calls = [(item.name, json.loads(item.arguments)) for item in response.output if item.type == "function_call"]
    return response.output_text, calls, response.usage.output_tokens


def said_by_messages(client: anthropic.Anthropic, stream: bool) -> tuple[str, list[Any], Any]:
    """Text, calls and usage of a message."""
    if stream:
        with client.messages.stream(model="m", messages=HI, max_tokens=9) as events:
            message: Any = events.get_final_message()
    else:
        message = client.messages.create(model="m", messages=HI, max_tokens=9)
    text, *calls = message.content
    return text.text, [(call.name, call.input) for call in calls], message.usage.output_tokens


@pytest.mark.parametrize("stream", [False, True])
def test_the_sdks_read_parallel_calls_and_usage(serve: Serve, stream: bool) -> None:
    """Text, both calls, and as many tokens, streamed or not."""
    serve(Directly([ModelTwin({"": REPLY}, base_url=url) for url in PROVIDERS], Reach()))
    openai_client = openai.OpenAI(api_key="k", max_retries=0)
    anthropic_client = anthropic.Anthropic(api_key="k", max_retries=0)
    all_said = [
        said_by_chat(openai_client, stream),
        said_by_responses(openai_client, stream),
        said_by_messages(anthropic_client, stream),
    ]
    for text, calls, used in all_said:
        assert (text, calls) == (REPLY["text"], [(call["name"], call["arguments"]) for call in CALLS])
        assert used == all_said[0][2] > 10


@pytest.mark.parametrize("url", BODIES)
def test_tokens_are_those_of_the_usage(url: str) -> None:
    """Those of a request and its answer; a request that is no JSON has none."""
    twin, response = answered(url, stream=False, said=REPLY)
    request = HttpRequest("POST", url, {}, json.dumps(BODIES[url]).encode())
    answer, usage = twin.read_answer(response), response.json()["usage"]
    assert answer is not None
    total = usage.get("total_tokens") or usage["input_tokens"] + usage["output_tokens"]
    assert twin.tokens(request, answer) == total > 10
    assert 0 < twin.tokens(replace(request, body=b"?"), answer) < total


def test_the_async_sdks_stream_as_well(serve: Serve) -> None:
    """Helpers of the async clients come to the same end."""
    serve(Directly([ModelTwin({"": "hello there, all of you"}, base_url=url) for url in PROVIDERS], Reach()))

    async def ask() -> list[str | None]:
        async with openai.AsyncOpenAI(api_key="k") as client, anthropic.AsyncAnthropic(api_key="k") as other:
            async with client.chat.completions.stream(model="m", messages=HI) as chat:
                first = (await chat.get_final_completion()).choices[0].message.content
            async with client.responses.stream(model="m", input="hi") as responses:
                second = (await responses.get_final_response()).output_text
            async with other.messages.stream(model="m", messages=HI, max_tokens=9) as messages:
                return [first, second, await messages.get_final_text()]

    assert asyncio.run(ask()) == ["hello there, all of you"] * 3


def breaking(ending: Any) -> Callable[[HttpRequest], HttpResponse]:
    """Return what answers every request with a stream that ends so after a few words."""
    twins = [ModelTwin({"": "hello there"}, base_url=url) for url in PROVIDERS]
    answer = Directly(twins, Reach())

    def respond(request: HttpRequest) -> HttpResponse:
        twin = twins[request.url.startswith(PROVIDERS[1])]
        return twin.write_answer(answer(request), ModelAnswer("hello th", ending=ending))

    return respond


ASKED: list[Callable[[], Any]] = [
    lambda: openai.OpenAI(api_key="k").chat.completions.create(model="m", messages=HI, stream=True),
    lambda: openai.OpenAI(api_key="k").responses.create(model="m", input=HI, stream=True),
    lambda: anthropic.Anthropic(api_key="k").messages.create(model="m", messages=HI, max_tokens=9, stream=True),
]


@pytest.mark.parametrize(
    ("ending", "errors"),
    [
        ("cut", (openai.APIConnectionError, openai.APIConnectionError, httpx2.RemoteProtocolError)),
        ("stalled", (openai.APITimeoutError, openai.APITimeoutError, httpx2.ReadTimeout)),
    ],
)
def test_a_broken_stream_raises_what_a_broken_connection_does(
    serve: Serve, ending: str, errors: tuple[type[Exception], ...]
) -> None:
    """After what came before; Anthropic's SDK lets the HTTP client's own exception through."""
    serve(breaking(ending))
    for ask, error in zip(ASKED, errors, strict=True):
        seen: list[Any] = []
        with pytest.raises(error):
            seen.extend(iter_into(seen, ask()))
        assert "hello th" in "".join(str(event) for event in seen)


def iter_into(seen: list[Any], stream: Any) -> list[Any]:
    """Append what a stream yields until it raises."""
    for event in stream:
        seen.append(event)
    return []


def test_a_closed_stream_raises_nothing(serve: Serve) -> None:
    """No reason to stop, no event of the end; only OpenAI's helper for responses misses it."""
    serve(breaking("closed"))
    chat, responses, messages = (list(ask()) for ask in ASKED)
    assert all(choice.finish_reason is None for chunk in chat for choice in chunk.choices)
    assert responses[-1].type == "response.output_text.delta"
    assert messages[-1].type == "content_block_delta"
    with anthropic.Anthropic(api_key="k").messages.stream(model="m", messages=HI, max_tokens=9) as stream:
        assert stream.get_final_message().stop_reason is None
    with (
        openai.OpenAI(api_key="k").responses.stream(model="m", input=HI) as events,
        pytest.raises(RuntimeError, match=r"response\.completed"),
    ):
        events.get_final_response()


def test_usage_is_streamed_where_it_is_asked_for(serve: Serve) -> None:
    """A last chunk without a choice, as OpenAI sends it; otherwise none."""
    serve(ModelTwin({"": "hello"}).handle)
    client = openai.OpenAI(api_key="k")
    plain = list(client.chat.completions.create(model="m", messages=HI, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in plain)
    options: Any = {"include_usage": True}
    *_, last = client.chat.completions.create(model="m", messages=HI, stream=True, stream_options=options)
    assert not last.choices
    assert last.usage is not None
    assert last.usage.total_tokens > 0
