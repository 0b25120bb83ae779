"""The Responses API: what it takes, what it refuses, and what a later request may continue."""

from collections.abc import Callable
from typing import Any

import openai
import pytest
from pydantic import BaseModel
from rollproof.twins.llm import ModelTwin
from rollproof.values.errors import ChaosError
from rollproof.values.http import HttpRequest, HttpResponse, ModelAnswer, ToolCall

Serve = Callable[[Callable[[HttpRequest], HttpResponse]], None]
CALLS = [{"name": "save", "arguments": {"title": "Solar"}}, {"name": "mail"}]
LOOP: Any = {"Write": [{"text": "Saving.", "tool_calls": CALLS}, "Done."], "hi": '{"title": "Solar"}'}
CALL = {"type": "function_call", "call_id": "c1", "name": "save", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "ok"}
HI = {"role": "user", "content": "hi"}


def client() -> openai.OpenAI:
    """A client of the real SDK that does not try again."""
    return openai.OpenAI(api_key="sk-test-0123456789abcdef", max_retries=0)


def outputs(response: Any) -> list[Any]:
    """What an agent answers to each call of a response."""
    called = (item for item in response.output if item.type == "function_call")
    return [{"type": "function_call_output", "call_id": item.call_id, "output": "ok"} for item in called]


class Report(BaseModel):
    """What the agent wants to have."""

    title: str


def test_the_sdk_reads_a_response(serve: Serve) -> None:
    """Each field that an agent may read is there and plausible."""
    serve(ModelTwin(LOOP).handle)
    response = client().responses.create(model="gpt-5", input="hi", instructions="Be short.")
    assert (response.output_text, response.status, response.model) == ('{"title": "Solar"}', "completed", "gpt-5")
    assert (response.instructions, response.error, response.incomplete_details) == ("Be short.", None, None)
    assert response.id.startswith("resp_")
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens > 0
    assert client().responses.parse(model="m", input="hi", text_format=Report).output_parsed == Report(title="Solar")
    with client().responses.stream(model="m", input="hi", text_format=Report) as events:
        assert events.get_final_response().output_parsed == Report(title="Solar")


@pytest.mark.parametrize("apart", [False, True])
def test_a_tool_loop_comes_to_its_next_turn(serve: Serve, apart: bool) -> None:
    """Whether the agent puts each output behind its call or all at the end, one response is one turn."""
    serve(ModelTwin(LOOP).handle)
    asked: list[Any] = [{"role": "user", "content": [{"type": "input_text", "text": "Write it"}]}]
    first = client().responses.create(model="m", input=asked)
    said, one, other = first.output
    answers = outputs(first)
    assert len({answer["call_id"] for answer in answers}) == 2
    items = [said, one, answers[0], other, answers[1]] if apart else [*first.output, *answers]
    assert client().responses.create(model="m", input=[*asked, *items]).output_text == "Done."


def test_a_response_can_be_continued_by_its_id(serve: Serve) -> None:
    """Also one that a fault changed, which has an id of its own; one that is not kept, or of nobody, is not found."""
    twin, changes = ModelTwin(LOOP), [ModelAnswer("", (ToolCall("delete", "{}"),), "tool_calls")]
    serve(lambda request: twin.write_answer(twin.handle(request), changes.pop()) if changes else twin.handle(request))
    changed = client().responses.create(model="m", input="Write it")
    first = client().responses.create(model="m", input="Write it")
    assert changed.id != first.id
    for response in (changed, first):
        following = client().responses.create(model="m", input=outputs(response), previous_response_id=response.id)
        assert following.output_text == "Done."
    unkept = client().responses.create(model="m", input="hi", store=False)
    for id in (unkept.id, "resp_of_nobody"):
        with pytest.raises(openai.BadRequestError, match=f"Previous response with id '{id}' not found") as caught:
            client().responses.create(model="m", input="hi", previous_response_id=id)
        assert caught.value.code == "previous_response_not_found"


def test_a_continued_response_wants_its_outputs(serve: Serve) -> None:
    """A call that an earlier response made is open until it is answered."""
    serve(ModelTwin({"": {"tool_calls": CALLS}}).handle)
    first = client().responses.create(model="m", input="Write it")
    with pytest.raises(openai.BadRequestError, match="No tool output found for function call call_"):
        client().responses.create(model="m", input="go on", previous_response_id=first.id)


@pytest.mark.parametrize(
    ("asked", "message", "param"),
    [
        ({"input": "hi"}, "Missing required parameter: 'model'.", "model"),
        ({"model": "m"}, "Missing required parameter: 'input'.", "input"),
        ({"model": "m", "input": 3}, "Invalid type for 'input'", "input"),
        ({"model": "m", "input": ["hi"]}, "Invalid type for 'input[0]'", "input[0]"),
        ({"model": "m", "input": [{"content": "hi"}]}, "Missing required parameter: 'input[0].role'.", "input[0].role"),
        (
            {"model": "m", "input": [HI, {"role": "tool", "content": "ok"}]},
            "Invalid value: 'tool'. Supported values are: 'assistant', 'system', 'developer', and 'user'.",
            "input[1]",
        ),
        (
            {"model": "m", "input": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]},
            "Invalid value: 'text'. Supported values are: 'input_text', 'input_image', 'output_text', 'refusal',",
            "input[0].content[0]",
        ),
        ({"model": "m", "input": [{"role": "user"}]}, "Missing required parameter: 'input[0].content'.", None),
        ({"model": "m", "input": [HI, {**CALL, "name": None}]}, "Missing required parameter: 'input[1].name'.", None),
        ({"model": "m", "input": [HI, CALL]}, "No tool output found for function call c1.", "input"),
        ({"model": "m", "input": [HI, OUTPUT, CALL]}, "No tool call found for function call output with", "input"),
    ],
)
def test_it_refuses_what_the_provider_refuses(asked: Any, message: str, param: str | None) -> None:
    """A 400 in the provider's words, with the place."""
    with pytest.raises(openai.BadRequestError) as caught:
        _post(asked)
    body: Any = caught.value.body
    assert body["type"] == "invalid_request_error"
    assert body["message"].startswith(message)
    assert param is None or body["param"] == param


def _post(asked: Any) -> Any:
    from rollproof.boundary.media import respx_seam

    undo = respx_seam.install(ModelTwin({"": "x"}).handle)
    try:
        return client().post("/responses", cast_to=object, body=asked)
    finally:
        undo()


def test_calls_that_are_answered_in_another_order_are_taken() -> None:
    """Only what is missing is refused."""
    other = {**CALL, "call_id": "c2"}
    answer = _post({"model": "m", "input": [HI, CALL, other, {**OUTPUT, "call_id": "c2"}, OUTPUT]})
    assert [part["text"] for item in answer["output"] for part in item["content"]] == ["x"]


def test_what_it_does_not_answer_is_refused_clearly() -> None:
    """Not as the provider would, but as an error of the harness."""
    with pytest.raises(ChaosError, match="background") as caught:
        _post({"model": "m", "input": "hi", "background": True})
    assert caught.value.code == "not-yet"


def test_a_limit_is_an_incomplete_response(serve: Serve) -> None:
    """Whole and streamed, with the provider's reason."""
    twin = ModelTwin({"": "x"})
    serve(lambda request: twin.write_answer(twin.handle(request), ModelAnswer("cut o", finish_reason="length")))
    whole = client().responses.create(model="m", input="hi")
    *_, last = client().responses.create(model="m", input="hi", stream=True)
    assert last.type == "response.incomplete"
    for response in (whole, last.response):
        assert response.status == response.output[0].status == "incomplete"
        assert response.incomplete_details is not None
        assert response.incomplete_details.reason == "max_output_tokens"


def test_a_refusal_is_a_part_of_its_own(serve: Serve) -> None:
    """Nothing is said, and why stands beside it."""
    twin = ModelTwin({"": "x"})
    serve(lambda request: twin.write_answer(twin.handle(request), ModelAnswer(refusal="No.")))
    response: Any = client().responses.create(model="m", input="hi")
    assert (response.output_text, response.output[0].content[0].refusal) == ("", "No.")
