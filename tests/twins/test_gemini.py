"""The model twin answers the real google-genai SDK as Gemini does, and is as strict about what the agent sends."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from google.genai import Client, errors, types
from pydantic import BaseModel
from rollproof.faults.llm_limits import context_overflow
from rollproof.testing import check_twin
from rollproof.twins.llm import GEMINI, ModelTwin
from rollproof.twins.replies import Replies
from rollproof.values.actions import Respond
from rollproof.values.errors import ChaosError
from rollproof.values.http import Asked, HttpRequest, HttpResponse, ModelAnswer, ToolCall
from rollproof.values.points import Effect, Point

Serve = Callable[[Callable[[HttpRequest], HttpResponse]], None]
MODEL = "gemini-2.5-flash"
URL = f"{GEMINI}/v1beta/models/{MODEL}:generateContent"
HI = {"role": "user", "parts": [{"text": "hi"}]}
CALL = {"role": "model", "parts": [{"functionCall": {"name": "save", "args": {"a": 1}}}]}
RESULT = {"role": "user", "parts": [{"functionResponse": {"name": "save", "response": {"ok": True}}}]}
SAVE = types.FunctionDeclaration(
    name="save",
    parameters=types.Schema(type=types.Type.OBJECT, properties={"title": types.Schema(type=types.Type.STRING)}),
)
WITH_TOOLS = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[SAVE])])


class Report(BaseModel):
    """What the agent wants to have."""

    title: str
    pages: int | None = None


def twin(replies: Replies) -> ModelTwin:
    """A twin at Gemini's own address."""
    return ModelTwin(replies, base_url=GEMINI)


def client(**options: Any) -> Client:
    """A client of the real SDK."""
    return Client(api_key="AIza-test-0123456789", http_options=types.HttpOptions(**options))


def request(*contents: Any, url: str = URL, **more: Any) -> HttpRequest:
    """A request as the SDK would send it."""
    body = json.dumps({"contents": list(contents), **more}).encode()
    return HttpRequest("POST", url, {"x-goog-api-key": "AIza-test"}, body)


def said(answer: ModelAnswer, url: str = URL) -> tuple[dict[str, Any], ModelAnswer | None]:
    """Return what the twin writes where a model says `answer`, and what it reads of that again."""
    gemini = twin({"": "x"})
    written = gemini.write_answer(gemini.handle(request(HI, url=url)), answer)
    document = {} if url != URL else written.json()
    return document, gemini.read_answer(written)


def test_it_keeps_the_promises_of_a_twin() -> None:
    """Its refusals are worded in Google's form; what it says can be read and written."""
    check_twin(twin({"hi": "hello"}), request(HI), changes=False)
    check_twin(twin({"hi": "hello"}), request(HI, url=f"{URL.replace(':g', ':streamG')}?alt=sse"), changes=False)


def test_the_sdk_reads_text_and_usage(serve: Serve) -> None:
    """Whole and streamed, sync and async, by a model that is told its system instruction."""
    serve(twin({"hi": "hello, this is more than one piece"}).handle)
    model = client()
    config = types.GenerateContentConfig(system_instruction="Be kind.")
    whole = model.models.generate_content(model=MODEL, contents="hi", config=config)
    assert whole.text == "hello, this is more than one piece"
    assert whole.candidates is not None
    assert whole.usage_metadata is not None
    assert (whole.candidates[0].finish_reason, whole.model_version) == (types.FinishReason.STOP, MODEL)
    counts = whole.usage_metadata
    assert counts.total_token_count == (counts.prompt_token_count or 0) + (counts.candidates_token_count or 0) > 0
    chunks = list(model.models.generate_content_stream(model=MODEL, contents="hi"))
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    reasons = [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates]
    assert reasons == [*[None] * (len(chunks) - 1), types.FinishReason.STOP]

    async def asked() -> str:
        own = client(httpx_async_client=httpx2.AsyncClient())
        return (await own.aio.models.generate_content(model=MODEL, contents="hi")).text or ""

    assert asyncio.run(asked()) == whole.text
    assert model.models.count_tokens(model=MODEL, contents="hi").total_tokens


def test_functions_are_called_and_answered(serve: Serve) -> None:
    """By hand, and by the SDK itself; calls have ids, and results lead to the next turn."""
    calls = [{"name": "save", "arguments": {"title": "Solär"}}, {"name": "save", "arguments": {"title": "Wind"}}]
    serve(twin({"Write": [{"text": "Saving.", "tool_calls": calls}, "Done."]}).handle)
    model = client()
    history: list[Any] = [types.UserContent("Write it")]
    first = model.models.generate_content(model=MODEL, contents=history, config=WITH_TOOLS)
    assert [call.args for call in first.function_calls or []] == [{"title": "Solär"}, {"title": "Wind"}]
    assert len({call.id for call in first.function_calls or []}) == 2
    assert first.candidates is not None
    parts = [types.Part.from_function_response(name="save", response={"ok": True}) for _ in calls]
    history += [first.candidates[0].content, types.Content(role="user", parts=parts)]
    assert model.models.generate_content(model=MODEL, contents=history, config=WITH_TOOLS).text == "Done."
    saved = []

    def save(title: str) -> str:
        """Save a title."""
        saved.append(title)
        return "saved"

    chat = model.chats.create(model=MODEL, config=types.GenerateContentConfig(tools=[save]))
    assert chat.send_message("Write it").text == "Done."
    assert saved == ["Solär", "Wind"]


@pytest.mark.parametrize("form", ["response_schema", "response_json_schema"])
def test_structured_answers_are_parsed_and_their_schema_is_known(serve: Serve, form: str) -> None:
    """The SDK gets its object, and faults know the schema, which the provider guarantees."""
    gemini = twin({"hi": '{"title": "Solar"}'})
    serve(gemini.handle)
    schema: Any = Report if form == "response_schema" else Report.model_json_schema()
    config = types.GenerateContentConfig(response_mime_type="application/json", **{form: schema})
    with client() as model:
        answer = model.models.generate_content(model=MODEL, contents="hi", config=config)
    assert json.loads(answer.text or "")["title"] == "Solar"
    asked = gemini.with_what_was_asked(gemini.requests[-1], ModelAnswer("{}")).asked
    assert asked is not None
    assert asked.strict
    assert (asked.schema or {})["properties"]["title"]["type"] == "string"
    assert (asked.schema or {})["required"] == ["title"]


def test_a_functions_schema_is_guaranteed_by_its_mode_only() -> None:
    """Types in capitals are read, and ``nullable``; ``VALIDATED`` and ``ANY`` guarantee them."""
    fields = {"n": {"type": "INTEGER", "nullable": True}, "type": {"type": "STRING", "enum": ["a"]}}
    tools = [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT", "properties": fields}}]}]
    schema = {
        "type": "object",
        "properties": {"n": {"type": ["integer", "null"]}, "type": {"type": "string", "enum": ["a"]}},
    }
    for mode in ("AUTO", "VALIDATED"):
        sent = request(HI, tools=tools, tool_config={"function_calling_config": {"mode": mode}})
        answer = twin({"": "x"}).with_what_was_asked(sent, ModelAnswer(tool_calls=(ToolCall("f", "{}"),)))
        assert answer.tool_calls[0].asked == Asked(schema, strict=mode == "VALIDATED")


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ([], "contents is not specified"),
        ([{"role": "user", "parts": []}], "must not be empty"),
        ([{"role": "user", "parts": [{}]}], "required oneof field 'data'"),
        ([{**HI, "role": "assistant"}], "valid role: user, model"),
        ([HI, CALL], "number of function response parts"),
        ([HI, CALL, HI], "number of function response parts"),
        ([HI, RESULT], "immediately after a function call turn"),
    ],
)
def test_what_gemini_does_not_take_is_refused(contents: Any, words: str) -> None:
    """With 400 and INVALID_ARGUMENT, which the SDK raises as its ClientError."""
    gemini = twin({"": "x"})
    response = gemini.handle(request(*contents))
    with pytest.raises(errors.ClientError, match=words) as caught:
        errors.APIError.raise_error(response.status, response.json(), None)
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (401, "UNAUTHENTICATED", errors.ClientError),
        (429, "RESOURCE_EXHAUSTED", errors.ClientError),
        (500, "INTERNAL", errors.ServerError),
        (503, "UNAVAILABLE", errors.ServerError),
    ],
)
def test_errors_are_googles(serve: Serve, status: int, name: str, kind: type[errors.APIError]) -> None:
    """In Google's form, raised as the SDK's own classes; a wait stands in the details."""
    gemini = twin({"": "x"})
    serve(lambda asked: gemini.refuse(asked, status, {"retry-after": "2"}))
    with client() as model, pytest.raises(kind) as caught:
        model.models.generate_content(model=MODEL, contents="hi")
    assert (caught.value.code, caught.value.status) == (status, name)
    assert caught.value.details["error"]["details"][0]["retryDelay"] == "2s"


def test_without_a_key_nothing_is_said() -> None:
    """Google answers 403; the key may also stand in the query, as in its own examples."""
    bare = HttpRequest("POST", URL, {}, json.dumps({"contents": [HI]}).encode())
    refused = twin({"": "x"}).handle(bare)
    assert (refused.status, refused.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert twin({"": "x"}).handle(HttpRequest("POST", f"{URL}?key=AIza-1", {}, bare.body)).status == 200


def test_what_stops_a_model_is_said_as_gemini_says_it() -> None:
    """The limit, the filter, a blocked prompt, and a call that is no JSON object, which does not arrive."""
    written, read = said(ModelAnswer("half", finish_reason="length"))
    assert written["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert read == ModelAnswer("half", finish_reason="length")
    written, read = said(ModelAnswer("half", finish_reason="content_filter"))
    assert written["candidates"][0] == {"content": {}, "finishReason": "SAFETY", "index": 0}
    assert read == ModelAnswer(finish_reason="content_filter")
    written, read = said(ModelAnswer(refusal="No."))
    assert written["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT"}
    assert "candidates" not in written
    assert read is not None
    assert read.refusal
    call = ToolCall("save", '{"a": 1,}')
    written, read = said(ModelAnswer(tool_calls=(call,), finish_reason="tool_calls"))
    assert written["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"
    assert read == ModelAnswer()
    written, _ = said(ModelAnswer(tool_calls=(call,), finish_reason="length"))
    assert written["candidates"][0]["finishReason"] == "MAX_TOKENS"


@pytest.mark.parametrize("ending", ["closed", "cut"])
def test_a_stream_that_ends_early_gives_no_reason(serve: Serve, ending: Any) -> None:
    """What came before it is read; a cut is the HTTP client's own error."""
    gemini = twin({"hi": "x"})
    broken = ModelAnswer("This is half of what there was to say", ending=ending)
    serve(lambda asked: gemini.write_answer(gemini.handle(asked), broken))
    text, reasons = "", []
    model = client()
    try:
        for chunk in model.models.generate_content_stream(model=MODEL, contents="hi"):
            text += chunk.text or ""
            reasons += [one.finish_reason for one in chunk.candidates or []]
        assert ending == "closed"
    except httpx2.TransportError:
        assert ending == "cut"
    assert text == broken.text
    assert set(reasons) == {None}


def test_a_context_overflow_is_said_in_googles_words(serve: Serve) -> None:
    """400 and INVALID_ARGUMENT, with both counts of tokens."""
    gemini = twin({"hi": "x"})
    (action,) = context_overflow.actions(Effect(Point("llm", "chat", "x"), request=request(HI)))
    assert isinstance(action, Respond)
    serve(lambda asked: gemini.refuse(asked, action.status, {}, action.reason))
    words = r"The input token count \(\d+\) exceeds"
    with client() as model, pytest.raises(errors.ClientError, match=words) as caught:
        model.models.generate_content(model=MODEL, contents="hi")
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")


def test_what_is_not_there_yet_is_refused_clearly() -> None:
    """Several candidates, streams that are no events, content that is cached."""
    plain = URL.replace(":g", ":streamG")
    for asked in (
        request(HI, generationConfig={"candidateCount": 2}),
        request(HI, url=plain),
        request(HI, cachedContent="cachedContents/1"),
        request(HI, url=f"{GEMINI}/v1beta/models/{MODEL}:predict"),
    ):
        with pytest.raises(ChaosError) as caught:
            twin({"": "x"}).handle(asked)
        assert caught.value.code == "not-yet"
