"""Anthropic's Messages API: the real SDK is answered, and what the agent sends is checked as the provider does."""

import asyncio
from collections.abc import Callable
from typing import Any

import anthropic
import pytest
from pydantic import BaseModel
from rollproof.twins.llm import ANTHROPIC, ModelTwin
from rollproof.twins.replies import Replies
from rollproof.values.errors import ChaosError
from rollproof.values.http import HttpRequest, HttpResponse, ModelAnswer, ToolCall

Serve = Callable[[Callable[[HttpRequest], HttpResponse]], None]
CALLS = [{"name": "save", "arguments": {"title": "Solar"}}, {"name": "mail"}]
LOOP: Replies = {"Write": [{"text": "Saving.", "tool_calls": CALLS}, "Done."], "hi": '{"title": "Solar"}'}
HI = {"role": "user", "content": "hi"}
USE = {"type": "tool_use", "id": "t1", "name": "save", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}
TEXT = {"type": "text", "text": "and now?"}


def client() -> anthropic.Anthropic:
    """A client of the real SDK that does not try again."""
    return anthropic.Anthropic(api_key="sk-ant-test-0123456789", max_retries=0)


def twin(replies: Replies) -> ModelTwin:
    """A model at Anthropic's address."""
    return ModelTwin(replies, base_url=ANTHROPIC)


class Report(BaseModel):
    """What the agent wants to have."""

    title: str


def test_the_sdk_reads_a_message(serve: Serve) -> None:
    """Each field that an agent may read is there and plausible; structured answers are parsed."""
    serve(twin(LOOP).handle)
    asked: Any = {"model": "claude-opus-4-5", "max_tokens": 9, "messages": [HI]}
    message: Any = client().messages.create(**asked, system="Be short.")
    assert [(block.type, block.text) for block in message.content] == [("text", '{"title": "Solar"}')]
    assert (message.stop_reason, message.role, message.model) == ("end_turn", "assistant", "claude-opus-4-5")
    assert message.id.startswith("msg_")
    assert message._request_id.startswith("req_")
    assert min(message.usage.input_tokens, message.usage.output_tokens) > 0
    assert client().messages.parse(**asked, output_format=Report).parsed_output == Report(title="Solar")
    with client().messages.stream(**asked, output_format=Report) as events:
        assert events.get_final_message().parsed_output == Report(title="Solar")
    assert client().beta.messages.create(**asked).stop_reason == "end_turn"


def test_the_async_sdk_runs_a_tool_loop(serve: Serve) -> None:
    """Parallel calls have ids of their own; a message with nothing but their results leads to the next turn's reply."""
    serve(twin(LOOP).handle)

    async def loop() -> tuple[Any, Any]:
        async with anthropic.AsyncAnthropic(api_key="k", max_retries=0) as model:
            messages: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "Write it"}]}]
            first = await model.messages.create(model="m", max_tokens=9, messages=messages)
            uses = [block for block in first.content if block.type == "tool_use"]
            results = [{"type": "tool_result", "tool_use_id": use.id, "content": "ok"} for use in uses]
            messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
            return first, await model.messages.create(model="m", max_tokens=9, messages=messages)

    first, second = asyncio.run(loop())
    assert first.stop_reason == "tool_use"
    assert [(block.name, block.input) for block in first.content[1:]] == [("save", {"title": "Solar"}), ("mail", {})]
    assert len({block.id for block in first.content[1:]}) == 2
    assert second.content[0].text == "Done."


def _refused(document: Any, headers: dict[str, str] | None = None) -> tuple[int, str, str]:
    with pytest.raises(anthropic.APIStatusError) as caught:
        _post(document, headers)
    body: Any = caught.value.body
    assert body["type"] == "error"
    assert body["request_id"] == caught.value.request_id
    return caught.value.status_code, body["error"]["type"], body["error"]["message"]


def _post(document: Any, headers: dict[str, str] | None = None) -> Any:
    from rollproof.boundary.media import respx_seam

    undo = respx_seam.install(twin({"": "x"}).handle)
    try:
        return client().post("/v1/messages", cast_to=object, body=document, options={"headers": headers or {}})
    finally:
        undo()


UNANSWERED = "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t1. Each `tool_use`"
ORPHAN = "messages.{}.content.{}: unexpected `tool_use_id` found in `tool_result` blocks: {}. Each `tool_result` block"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": None}, "model: Field required"),
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"max_tokens": 0}, "max_tokens: must be greater than or equal to 1"),
        ({"max_tokens": "9"}, "max_tokens: Input should be a valid integer"),
        ({"messages": None}, "messages: Field required"),
        ({"messages": "hi"}, "messages: Input should be a valid list"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": [{"content": "hi"}]}, "messages.0.role: Field required"),
        ({"messages": [{**HI, "role": "bot"}]}, "messages.0.role: Input should be 'user' or 'assistant'"),
        ({"messages": [{**HI, "role": "system"}]}, 'messages: Unexpected role "system". The Messages API accepts'),
        ({"messages": [{**HI, "content": ""}]}, "messages.0: all messages must have non-empty content except for"),
        ({"messages": [{**HI, "content": [{**TEXT, "text": ""}]}]}, "messages: text content blocks must be non-empty"),
        ({"messages": [{**HI, "content": [{"text": "x"}]}]}, "messages.0.content.0.type: Field required"),
        ({"messages": [{**HI, "content": [{"type": "tool_result"}]}]}, "messages.0.content.0.tool_result.tool_use_id:"),
        ({"messages": [HI, {"role": "assistant", "content": [USE]}]}, UNANSWERED),
        ({"messages": [HI, {"role": "assistant", "content": [USE]}, HI]}, UNANSWERED),
        ({"messages": [HI, {"role": "assistant", "content": [USE]}, {**HI, "content": [TEXT, RESULT]}]}, UNANSWERED),
        ({"messages": [{**HI, "content": [RESULT]}]}, ORPHAN.format(0, 0, "t1")),
        (
            {"messages": [HI, {"role": "assistant", "content": [USE]}, {**HI, "content": [RESULT, RESULT]}]},
            "messages.2.content.1: each tool_use must have a single result. Found multiple `tool_result` blocks",
        ),
        (
            {"messages": [HI, {"role": "assistant", "content": [USE, USE]}, {**HI, "content": [RESULT]}]},
            "messages: `tool_use` ids must be unique",
        ),
    ],
)
def test_it_refuses_what_the_provider_refuses(changed: dict[str, Any], said: str) -> None:
    """A 400 in the provider's words, with the place."""
    document = {"model": "m", "max_tokens": 9, "messages": [HI], **changed}
    document = {name: value for name, value in document.items() if value is not None}
    status, type, message = _refused(document)
    assert (status, type) == (400, "invalid_request_error")
    assert message.startswith(said)


def test_what_the_provider_takes_is_taken() -> None:
    """Results with a text behind them, one role twice in a row, a system message in the middle, an empty last turn."""
    use, result = {"role": "assistant", "content": [TEXT, USE]}, {**HI, "content": [RESULT, TEXT]}
    for messages in (
        [HI, use, result],
        [HI, HI],
        [HI, {"role": "system", "content": "x"}],
        [HI, {**use, "content": []}],
    ):
        answer = _post({"model": "m", "max_tokens": 9, "messages": messages})
        assert [block["text"] for block in answer["content"]] == ["x"]


def test_its_version_is_asked_for() -> None:
    """The header that every client must send."""
    bare = HttpRequest("POST", f"{ANTHROPIC}/v1/messages", {"x-api-key": "k"}, b"{}")
    answer = twin({"": "x"}).handle(bare)
    assert (answer.status, answer.json()["error"]["message"]) == (400, "anthropic-version: header is required")


def test_keys_are_asked_for_and_can_be_refused(serve: Serve) -> None:
    """No key, one that a fault refuses, one where the SDK of today sends it: 401 in the provider's words."""
    model = twin({"": "x"})

    def asked(**headers: str) -> HttpRequest:
        return HttpRequest("POST", f"{ANTHROPIC}/v1/messages", headers, b"{}")

    bare = model.handle(asked())
    assert (bare.status, bare.json()["error"]["message"]) == (401, "x-api-key header is required")
    refusal = model.refuse(asked(**{"x-api-key": "sk-ant-test-0123456789"}), 401, {})
    assert (refusal.status, refusal.json()["error"]["message"]) == (401, "invalid x-api-key")
    serve(lambda request: model.refuse(request, 401, {}))
    with pytest.raises(anthropic.AuthenticationError, match="Invalid bearer token"):
        client().messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}])


@pytest.mark.parametrize(
    ("status", "error", "type"),
    [
        (401, anthropic.AuthenticationError, "authentication_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (503, anthropic.InternalServerError, "overloaded_error"),
    ],
)
def test_refusals_reach_the_sdk_as_its_own_errors(
    serve: Serve, status: int, error: type[anthropic.APIStatusError], type: str
) -> None:
    """Status, type and the fault's headers arrive."""
    model = twin({"": "x"})
    serve(lambda asked: model.refuse(asked, status, {"retry-after": "7"}))
    with pytest.raises(error) as caught:
        client().messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}])
    body: Any = caught.value.body
    assert (body["error"]["type"], caught.value.response.headers["retry-after"]) == (type, "7")


@pytest.mark.parametrize("stream", [False, True])
def test_limits_and_refusals_are_reasons_to_stop(serve: Serve, stream: bool) -> None:
    """As the provider calls them, streamed or not."""
    model = twin({"": "x"})
    answers: list[ModelAnswer] = []
    serve(lambda request: model.write_answer(model.handle(request), answers[-1]))

    def said(answer: ModelAnswer) -> Any:
        answers.append(answer)
        asked: Any = {"model": "m", "max_tokens": 9, "messages": [HI]}
        if not stream:
            return client().messages.create(**asked)
        with client().messages.stream(**asked) as events:
            return events.get_final_message()

    assert said(ModelAnswer("cut o", finish_reason="length")).stop_reason == "max_tokens"
    refused = said(ModelAnswer(refusal="No."))
    assert (refused.stop_reason, refused.stop_details.explanation, refused.content) == ("refusal", "No.", [])


def test_the_sdk_refuses_malformed_arguments_in_a_stream(serve: Serve) -> None:
    """Its helper parses them while they come; what is cut it completes without a word."""
    model = twin({"": "x"})
    said = ['{"a": 1,}', '{"a": 1, "b": [']
    serve(lambda request: model.write_answer(model.handle(request), ModelAnswer("", (ToolCall("f", said[0]),))))

    def ask() -> Any:
        with client().messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]) as events:
            return events.get_final_message().content[0]

    with pytest.raises(ValueError, match="Unable to parse tool parameter JSON"):
        ask()
    del said[0]
    assert ask().input == {"a": 1, "b": []}


def test_a_gateway_answers_for_both_providers(serve: Serve) -> None:
    """Below a base URL of one's own; at Anthropic's there is nothing of OpenAI."""
    serve(ModelTwin({"": "hello"}, base_url="http://localhost:4000/v1").handle)
    local = anthropic.Anthropic(api_key="k", base_url="http://localhost:4000")
    assert local.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]).content
    with pytest.raises(ChaosError, match="/v1/chat/completions"):
        twin({"": "x"}).handle(HttpRequest("POST", f"{ANTHROPIC}/v1/chat/completions"))
