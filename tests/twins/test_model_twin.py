"""The model twin answers the real openai SDK as the provider does, and is as strict about what the agent sends."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from rollproof.twins.llm import ModelTwin, default_credentials
from rollproof.twins.replies import Replies
from rollproof.values.errors import ChaosError
from rollproof.values.http import HttpRequest, HttpResponse, ModelAnswer, ToolCall
from rollproof.values.sources import Twin

Serve = Callable[[Callable[[HttpRequest], HttpResponse]], None]
URL = "https://api.openai.com/v1/chat/completions"
HI = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "save", "arguments": "{}"}}
CALLS = {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "c2"}]}
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def client() -> openai.OpenAI:
    """A client of the real SDK that does not try again."""
    return openai.OpenAI(api_key="sk-test-0123456789abcdef", max_retries=0)


def request(document: Any, **headers: str) -> HttpRequest:
    """A request as the SDK would send it."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return HttpRequest("POST", URL, {"authorization": "Bearer sk-1", **headers}, body)


def ask(replies: Replies, *messages: Any) -> ModelAnswer:
    """Return what a model with these replies says to these messages."""
    twin = ModelTwin(replies)
    answer = twin.read_answer(twin.handle(request({"model": "m", "messages": messages})))
    assert answer is not None
    return answer


def test_a_model_twin_is_a_twin() -> None:
    """It has all that the boundary asks for, and nothing to remember."""
    twin: Twin = ModelTwin({"hi": "hello"})
    assert (twin.kind, twin.verb(request({})), twin.target(request({}))) == ("llm", "chat", "api.openai.com")
    state = twin.save()
    twin.handle(request({"model": "m", "messages": [HI]}))
    assert [asked.url for asked in twin.requests] == [URL]
    twin.restore(state)
    assert twin.save() == state
    assert twin.describe(state) == {}


def test_the_sdk_reads_text(serve: Serve) -> None:
    """Each field of a completion that an agent may read is there and plausible."""
    serve(ModelTwin({"hi": "hello"}).handle)
    completion = client().chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
    choice = completion.choices[0]
    assert (choice.message.content, choice.message.role, choice.finish_reason) == ("hello", "assistant", "stop")
    assert choice.message.tool_calls is None
    assert (completion.object, completion.model) == ("chat.completion", "gpt-4o")
    assert completion.id.startswith("chatcmpl-")
    assert completion.created > 1_700_000_000
    assert completion._request_id
    assert completion.usage is not None
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens > 0


def test_the_async_sdk_runs_a_tool_loop(serve: Serve) -> None:
    """Parallel tool calls come with ids of their own; their results lead to the next turn's reply."""
    calls = [{"name": "save", "arguments": {"title": "Sol\u00e4r"}}, {"name": "mail"}]
    serve(ModelTwin({"Write": [{"text": "Saving.", "tool_calls": calls}, "Done."]}).handle)

    async def loop() -> list[Any]:
        async with openai.AsyncOpenAI(api_key="sk-1", max_retries=0) as model:
            messages: list[Any] = [{"role": "user", "content": "Write it"}]
            first = (await model.chat.completions.create(model="m", messages=messages)).choices[0]
            messages.append(first.message)
            for call in first.message.tool_calls or []:
                messages.append({"role": "tool", "tool_call_id": call.id, "content": "ok"})
            second = (await model.chat.completions.create(model="m", messages=messages)).choices[0]
            return [first, second]

    first, second = asyncio.run(loop())
    assert (first.message.content, first.finish_reason) == ("Saving.", "tool_calls")
    assert [json.loads(call.function.arguments) for call in first.message.tool_calls] == [{"title": "Solär"}, {}]
    assert len({call.id for call in first.message.tool_calls}) == 2
    assert second.message.content == "Done."


class Report(BaseModel):
    """What the agent wants to have."""

    title: str


def test_the_sdk_parses_structured_answers(serve: Serve) -> None:
    """`parse` with a schema gets its object: a response format is no obstacle."""
    serve(ModelTwin({"hi": '{"title": "Solar"}'}).handle)
    completion = client().chat.completions.parse(
        model="m", messages=[{"role": "user", "content": "hi"}], response_format=Report
    )
    assert completion.choices[0].message.parsed == Report(title="Solar")


def test_a_base_url_of_ones_own(serve: Serve) -> None:
    """A provider that speaks OpenAI's language elsewhere is answered there."""
    twin = ModelTwin({"": "hello"}, base_url="http://localhost:11434/v1/")
    serve(twin.handle)
    local = openai.OpenAI(api_key="sk-1", base_url="http://localhost:11434/v1")
    assert local.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}]).choices
    assert twin.target(HttpRequest("POST", "http://localhost:11434/v1/chat/completions")) == "localhost:11434"


def test_the_longest_substring_of_the_last_user_message_wins() -> None:
    """Earlier user messages do not count, nor does a system message; an empty substring is the default."""
    replies = {"report": "short", "Write the report": "long", "": "default"}
    assert ask(replies, {"role": "user", "content": "Write the report!"}).text == "long"
    assert ask(replies, {"role": "user", "content": "a report"}).text == "short"
    assert ask(replies, {"role": "user", "content": "a report"}, HI).text == "default"
    assert ask(replies, {"role": "system", "content": "report"}).text == "default"


def test_content_may_be_a_list_of_parts() -> None:
    """Text parts are looked at, images are not."""
    parts = [{"type": "image_url", "image_url": {"url": "report"}}, {"type": "text", "text": "the mail"}]
    assert ask({"report": "no", "mail": "yes"}, {"role": "user", "content": parts}).text == "yes"


def test_a_list_has_a_reply_for_each_turn() -> None:
    """Turns are counted from the request, so a repeated one gets the same reply; after the last it is an error."""
    replies: Replies = {"hi": ["one", "two"]}
    spoken = {"role": "assistant", "content": "one"}
    assert [ask(replies, HI).text, ask(replies, HI).text] == ["one", "one"]
    assert ask(replies, HI, spoken).text == "two"
    assert ask(replies, HI, spoken, HI).text == "one"
    with pytest.raises(ChaosError, match="this is turn 3") as caught:
        ask(replies, HI, spoken, spoken)
    assert caught.value.code == "reply-missing"


def test_a_function_may_answer() -> None:
    """It gets the request's JSON; what it breaks in there changes nothing."""

    def reply(document: Any) -> str:
        return str(document["messages"].pop()["content"]).upper()

    assert ask(reply, HI).text == "HI"


def test_an_answer_depends_on_the_request_alone() -> None:
    """The same request gives the same bytes; another request, or another run, gives other ids."""
    one, other = ModelTwin({"": "x"}), ModelTwin({"": "x"})
    asked = request({"model": "m", "messages": [HI]})
    assert one.handle(asked) == one.handle(asked) == other.handle(asked)
    again = one.handle(request({"model": "m", "messages": [HI, HI]}))
    other.set_run(1)
    assert len({r.json()["id"] for r in (one.handle(asked), other.handle(asked), again)}) == 3
    assert ModelTwin({"": "x"}, now=lambda: 7).handle(asked).json()["created"] == 7


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        ({"Write the report": "x"}, "'Write the report'"),
        (lambda document: None, "returned None"),
    ],
)
def test_a_request_nobody_answers_is_named(replies: Replies, said: str) -> None:
    """The error names the message and what is known."""
    with pytest.raises(ChaosError, match=said) as caught:
        ask(replies, {"role": "user", "content": "Write a rapport"})
    assert caught.value.code == "reply-missing"
    assert "'Write a rapport'" in str(caught.value)


def _broken(document: Any) -> str:
    raise KeyError("title")


@pytest.mark.parametrize(("reply", "said"), [(lambda document: 3, "is 3"), (_broken, "KeyError")])
def test_a_function_that_answers_nonsense_is_named(reply: Any, said: str) -> None:
    """What a function returns is checked as a mapping is; what it raises is said."""
    with pytest.raises(ChaosError, match=said) as caught:
        ask(reply, HI)
    assert caught.value.code == "bad-reply"


@pytest.mark.parametrize(
    "replies",
    [
        None,
        "text",
        [],
        {},
        {3: "x"},
        {"a": None},
        {"a": 3},
        {"a": []},
        {"a": [["x"]]},
        {"a": {}},
        {"a": {"text": 3}},
        {"a": {"title": "Solar"}},
        {"a": {"tool_calls": {}, "x": 1}},
        {"a": {"tool_calls": ["save"]}},
        {"a": {"tool_calls": [{"arguments": {}}]}},
        {"a": {"tool_calls": [{"name": "f", "arguments": "{}"}]}},
        {"a": {"tool_calls": [{"name": "f", "arguments": {"x": {1}}}]}},
        {"a": "\ud800"},
        {"a": {"tool_calls": [{"name": "f", "arguments": {"x": float("nan")}}]}},
        {"a": {"tool_calls": [{"name": "f", "id": "1"}]}},
    ],
)
def test_replies_are_checked_at_once(replies: Any) -> None:
    """What could not be said is refused when the test writes it, with what to type."""
    with pytest.raises(ChaosError) as caught:
        ModelTwin(replies)
    assert caught.value.code == "bad-replies"
    assert caught.value.hint


def test_an_answer_in_json_that_is_no_text_gets_a_hint() -> None:
    """The commonest slip: a dict meant as JSON."""
    with pytest.raises(ChaosError, match=r"unknown keys title(.|\n)*json\.dumps"):
        ModelTwin({"a": {"title": "Solar"}})


@pytest.mark.parametrize(
    ("document", "message", "param"),
    [
        (b"{", "We could not parse the JSON body of your request.", None),
        ([], "We could not parse the JSON body of your request.", None),
        ({"messages": [HI]}, "you must provide a model parameter", None),
        ({}, "Missing required parameter: 'messages'.", "messages"),
        ({"messages": "hi"}, "Invalid type for 'messages'", "messages"),
        ({"messages": []}, "Invalid 'messages': empty array.", "messages"),
        ({"messages": ["hi"]}, "Invalid type for 'messages[0]'", "messages[0]"),
        ({"messages": [{"content": "hi"}]}, "Missing required parameter: 'messages[0].role'.", "messages[0].role"),
        ({"messages": [HI, {**HI, "role": "bot"}]}, "Invalid value: 'bot'. Supported values are:", "messages[1].role"),
        (
            {"messages": [{"role": "user"}]},
            "Invalid value for 'content': expected a string, got null.",
            "messages.[0].content",
        ),
        ({"messages": [{**HI, "content": 3}]}, "Invalid type for 'messages[0].content'", "messages[0].content"),
        (
            {"messages": [HI, {**CALLS, "tool_calls": []}]},
            "Invalid 'messages[1].tool_calls': empty array.",
            "messages[1].tool_calls",
        ),
        (
            {"messages": [HI, {**CALLS, "tool_calls": [{}]}]},
            "Missing required parameter: 'messages[1].tool_calls[0].id'",
            "messages[1].tool_calls[0].id",
        ),
        (
            {"messages": [HI, {"role": "tool", "tool_call_id": "c1", "content": "ok"}]},
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
            "'tool_calls'.",
            "messages.[1].role",
        ),
        (
            {"messages": [HI, CALLS, {"role": "tool", "tool_call_id": "c1", "content": "ok"}, HI]},
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            "'tool_call_id'. The following tool_call_ids did not have response messages: c2",
            "messages.[3].role",
        ),
        (
            {"messages": [HI, CALLS]},
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            "'tool_call_id'. The following tool_call_ids did not have response messages: c1, c2",
            "messages.[1].role",
        ),
        (
            {"messages": [HI, CALLS, {"role": "tool", "tool_call_id": "c9", "content": "ok"}]},
            "Invalid parameter: 'tool_call_id' of 'c9' not found in 'tool_calls' of previous message.",
            "messages.[2].tool_call_id",
        ),
        (
            {"messages": [HI, CALLS, {"role": "tool", "content": "ok"}]},
            "Missing parameter 'tool_call_id'",
            "messages.[2].tool_call_id",
        ),
        (
            {"messages": [HI], "response_format": {"type": "json_object"}},
            "'messages' must contain the word 'json'",
            "messages",
        ),
    ],
)
def test_it_refuses_what_the_provider_refuses(document: Any, message: str, param: str | None) -> None:
    """A 400 in the provider's words, with the place."""
    if isinstance(document, dict) and document != {"messages": [HI]}:
        document = {"model": "m", **document}
    answer = ModelTwin({"": "x"}).handle(request(document))
    error = answer.json()["error"]
    assert (answer.status, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert error["message"].startswith(message)


def test_the_sdk_sees_the_refusal_as_its_own_error(serve: Serve) -> None:
    """A tool call without its result is a BadRequestError."""
    serve(ModelTwin({"": "x"}).handle)
    messages: list[Any] = [HI, CALLS]
    with pytest.raises(openai.BadRequestError, match="did not have response messages: c1, c2"):
        client().chat.completions.create(model="m", messages=messages)


def test_a_key_is_asked_for_and_can_be_refused(serve: Serve) -> None:
    """No key and one that a fault refuses are 401 in the provider's words; the key itself is masked."""
    twin = ModelTwin({"": "x"})
    bare = twin.handle(HttpRequest("POST", URL, {}, b"{}"))
    assert (bare.status, bare.json()["error"]["code"]) == (401, None)
    serve(lambda request: twin.refuse(request, 401, {}))
    with pytest.raises(openai.AuthenticationError) as caught:
        client().chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    assert caught.value.code == "invalid_api_key"
    assert "sk-test-************cdef" in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (401, openai.AuthenticationError, "invalid_api_key"),
        (429, openai.RateLimitError, "rate_limit_exceeded"),
        (500, openai.InternalServerError, "server_error"),
        (503, openai.InternalServerError, "service_unavailable"),
        (404, openai.NotFoundError, None),
    ],
)
def test_refusals_reach_the_sdk_as_its_own_errors(
    serve: Serve, status: int, error: type[openai.APIStatusError], code: str | None
) -> None:
    """Status, code and the fault's headers arrive."""
    twin = ModelTwin({"": "x"})
    serve(lambda asked: twin.refuse(asked, status, {"retry-after": "7"}))
    with pytest.raises(error) as caught:
        client().chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    assert (caught.value.code, caught.value.response.headers["retry-after"]) == (code, "7")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (request({"model": "m", "messages": [HI], "n": 2}), "n=2"),
        (HttpRequest("POST", "https://api.openai.com/v1/messages"), "/v1/messages"),
        (HttpRequest("POST", "https://api.openai.com/v1/moderations"), "/v1/moderations"),
        (HttpRequest("GET", URL), "GET /v1/chat/completions"),
    ],
)
def test_what_is_not_there_yet_is_refused_clearly(asked: HttpRequest, said: str) -> None:
    """Not as the provider would, but as an error of the harness."""
    with pytest.raises(ChaosError, match=said) as caught:
        ModelTwin({"": "x"}).handle(asked)
    assert caught.value.code == "not-yet"
    assert caught.value.hint


ANSWERS = st.builds(
    ModelAnswer,
    TEXT,
    st.lists(st.builds(ToolCall, TEXT.filter(bool), TEXT, st.uuids().map(str)), max_size=2).map(tuple),
    st.sampled_from(["stop", "length", "tool_calls", "content_filter"]),
    TEXT,
)


@given(ANSWERS)
def test_an_answer_reads_back_as_it_was_written(answer: ModelAnswer) -> None:
    """Whatever a fault makes a model say arrives so, in a completion that is still one."""
    twin = ModelTwin({"": "x"})
    response = twin.handle(request({"model": "m", "messages": [HI]}))
    changed = twin.write_answer(response, answer)
    assert twin.read_answer(changed) == answer
    assert changed.json()["id"] == response.json()["id"]
    assert twin.write_answer(changed, answer) == changed


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"choices": []}', b'{"error": {}}', b'{"choices": [3]}'])
def test_nothing_is_read_where_nothing_was_said(body: bytes) -> None:
    """Errors and rubbish are no answers and stay as they are."""
    twin, response = ModelTwin({"": "x"}), HttpResponse(500, {}, body)
    assert twin.read_answer(response) is None
    assert twin.write_answer(response, ModelAnswer("x")) == response


def test_default_keys_are_long_and_unmistakable() -> None:
    """They name us, and are not the same."""
    keys = default_credentials()
    names = {"OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"}
    assert set(keys) == names
    assert all("rollproof" in key and len(key) > 48 for key in keys.values())
    assert len(set(keys.values())) == 4  # Google's SDK reads one key by two names
