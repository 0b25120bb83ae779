"""A cassette records a real provider once, here a twin on a real port, and answers ever after; no key is in it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anthropic  # noqa: F401
import httpx
import openai  # noqa: F401  # loaded here once: pytest inside pytest forgets what it imported
import pytest
from rollproof.chaos import Chaos
from rollproof.network.provider import ask
from rollproof.network.twin_server_process import TwinServerProcess
from rollproof.twins import cassette_file, events
from rollproof.twins.cassette import Cassette, Recorder
from rollproof.twins.llm import OPENAI, ModelTwin
from rollproof.values.cleaning import Cleaner
from rollproof.values.errors import ChaosError
from rollproof.values.http import HttpRequest, HttpResponse
from rollproof.values.options import Options

KEY = "sk-proj-q8ZrT4mKx2Wv7LdY9bNc"
AGENT = """
import os
import anthropic, openai

TOOL = {"type": "function", "function": {"name": "save", "parameters": {"type": "object", "properties": {}}}}


def plan(shared):
    topic = os.environ.get("TOPIC", "solar")
    url = os.environ["PROVIDER"]
    model = openai.OpenAI(base_url=url, max_retries=0)
    messages = [{"role": "user", "content": f"Plan {topic} in {shared}"}]
    said = model.chat.completions.create(model="m", messages=messages, tools=[TOOL]).choices[0].message
    call, = said.tool_calls
    messages += [said, {"role": "tool", "tool_call_id": call.id, "content": "saved"}]
    stream = model.chat.completions.create(model="m", messages=messages, tools=[TOOL], stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    claude = anthropic.Anthropic(base_url=url.removesuffix("/v1"), max_retries=0)
    asked = [{"role": "user", "content": f"Review: {text}"}]
    review = claude.messages.create(model="m", max_tokens=9, messages=asked).content[0].text
    with claude.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "Bye"}]) as stream:
        bye = stream.get_final_text()
    (shared / "plan.md").write_text(f"{call.function.arguments} {text} {review} {bye}")
"""
TEST = """
import os
from agent import plan

def test_it(chaos, tmp_path):
    chaos.watch(tmp_path)
    chaos.llm(base_url=os.environ["PROVIDER"], cassette="cassettes/plan.json")
    said = chaos.explore(run=lambda: plan(tmp_path)).statement
    assert (tmp_path / "plan.md").read_text() == f'{{"in": "{tmp_path}"}} All planned, with care and in time. Good Bye'
    print(said)
"""


def says(document: Any) -> Any:
    """What the provider says: a call that names the folder it was told, then texts."""
    asked = [message for message in document["messages"] if message["role"] == "user"][-1]["content"]
    if asked.startswith("Plan") and len(document["messages"]) == 1:
        return {"tool_calls": [{"name": "save", "arguments": {"in": asked.rpartition(" ")[2]}}]}
    return "All planned, with care and in time." if asked.startswith("Plan") else "Good" if "Review" in asked else "Bye"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelTwin]:
    """A provider on a real port, and an environment with its address and a key."""
    twin = ModelTwin(says, base_url="http://provider.test/v1")
    server = TwinServerProcess(twin)
    monkeypatch.setenv("PROVIDER", f"http://{server.upstream}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY.replace("proj", "ant"))
    yield twin
    server.close()


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest in the project."""
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-s", *arguments)


def test_one_run_is_recorded_and_said_ever_after(
    pytester: pytest.Pytester, provider: ModelTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By both SDKs, streamed or not, also under a fault and in its recovery; what has no answer is told and added."""
    pytester.makepyfile(agent=AGENT, test_it=TEST)
    file = pytester.path / "cassettes" / "plan.json"
    with monkeypatch.context() as ci:
        ci.setenv("CI", "true")
        run(pytester).stdout.fnmatch_lines(["*there is no */plan.json*", "*one ordinary run records it*"])
    run(pytester, "--chaos").stdout.fnmatch_lines(["*there is no */plan.json*"])
    assert provider.requests == []

    result = run(pytester)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*; 4 answers recorded into plan.json"])
    assert provider.requests[0].headers["authorization"] == f"Bearer {KEY}"
    text = file.read_text()
    assert not any(secret in text for secret in (KEY, KEY.replace("proj", "ant"), "authorization", "api-key"))
    asked = [exchange["request"]["url"].rpartition("/v1/")[2] for exchange in json.loads(text)["exchanges"]]
    assert asked == ["chat/completions", "chat/completions", "messages", "messages"]
    assert '\n          {"event": "message_stop", "data": {"type": "message_stop"}}\n' in text

    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name)
    told = "*; 2 requests answered by plan.json though times, uuids or temporary folders in them are others*"
    result = run(pytester)  # in another temporary folder, which stands in a request and in an answer
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([told])

    monkeypatch.setenv("TOPIC", "wind")
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "chaos: plan.json has no answer to POST *: 'Plan wind in *",
            "*nearest of 4 recorded, number 1: 'Plan solar in *",
            "*messages?0?.content: recorded '… solar in *', asked '… wind in *",
            "*--chaos-record*",
        ]
    )
    run(pytester, "--chaos-record").stdout.fnmatch_lines(["*OPENAI_API_KEY is not in the environment*"])
    assert len(provider.requests) == 4
    assert file.read_text() == text

    monkeypatch.delenv("TOPIC")
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, KEY)
    result = run(pytester, "--chaos", "--chaos-faults=llm.cut_stream,llm.unknown_tool", "--chaos-record")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*exhaustive: *; 1 answer recorded into plan.json; 2 requests answered by*"])
    assert len(provider.requests) == 5  # the tool that a fault named instead stands in a request that was never made
    assert cassette_file.read(file)[:4] == json.loads(text)["exchanges"]


def test_replies_say_what_is_not_in_the_cassette(tmp_path: Path) -> None:
    """The cassette comes first; what neither has is one error that tells of both."""
    file = tmp_path / "it.json"
    cassette_file.write(file, [exchange("hi", "recorded")])
    twin = ModelTwin({"hi": "said", "you": "said"}, cassette=Cassette(file, None, alone=False))
    assert [twin.handle(asking(text)).json()["choices"][0]["message"]["content"] for text in ("hi", "you")] == [
        "recorded",
        "said",
    ]
    with pytest.raises(ChaosError, match=r"no reply to the user message 'x'(.|\n)*it\.json has no answer to"):
        twin.handle(asking("x"))


def asking(text: str, **more: Any) -> HttpRequest:
    """A request of a client."""
    document = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
    headers = {"authorization": f"Bearer {KEY}", "openai-organization": "org-solar-wind", "cookie": "a=Zx81kQ02mmPq"}
    return HttpRequest("POST", f"{OPENAI}/chat/completions", headers, json.dumps(document).encode())


def exchange(text: str, said: str) -> cassette_file.Exchange:
    """A recorded exchange."""
    cleaner, answer = Cleaner(), ModelTwin({"": said}).handle(asking(text))
    asked = cassette_file.request_of(asking(text), cleaner)
    return {"request": asked, "response": cassette_file.response_of(answer, cleaner)}


def recording(path: Path, answer: Callable[[HttpRequest], HttpResponse], *, exploring: bool = False) -> ModelTwin:
    """A model that is recorded; `answer` is the provider."""
    recorder = Recorder(answer, {"OPENAI_API_KEY": "sk-made-up-0123456789"}, exploring)
    return ModelTwin(cassette=Cassette(path, recorder))


def cassette_of(twin: ModelTwin) -> Cassette:
    """The cassette of a model."""
    assert twin._cassette is not None
    return twin._cassette


def test_secrets_are_nowhere_in_it(tmp_path: Path) -> None:
    """Neither of headers nor of texts, and what is asked again with its secret finds its answer; data is left whole."""
    signature = "c2lnbmF0dXJl" * 9 + "Zx81kQ02mmPqW7"

    def provider(request: HttpRequest) -> HttpResponse:
        return HttpResponse.of_json(
            200,
            {"id": f"of.{KEY}", "data": f"of.{KEY}", "said": f"of org-solar-wind, {KEY}", "signature": signature},
            {"set-cookie": "b=Rt55xYl0pQ8v", "x-request-id": "req_0123456789", "openai-organization": "org-rain"},
        )

    twin = recording(tmp_path / "it.json", provider)
    text = f"password: Tr0ub4dor-3x, mine is {KEY}"
    said = twin.handle(asking(text, previous_response_id=f"of.{KEY}"))
    cassette_of(twin).keep()
    written = (tmp_path / "it.json").read_text()
    for secret in (KEY, "org-", "Zx81kQ02mmPqQ", "a=Zx81", "Rt55xYl0pQ8v", "Tr0ub4dor"):
        assert secret not in written
    assert signature in written
    assert "req_0123456789" in written
    again = asking(text, previous_response_id=f"of.{KEY}")
    assert ModelTwin(cassette=Cassette(tmp_path / "it.json", None)).handle(again) == said


def streamed(*lines: Any) -> HttpResponse:
    """An answer in events."""
    body = "".join(f"data: {json.dumps(line)}\n\n" for line in lines)
    return HttpResponse(200, {"content-type": "text/event-stream"}, body.encode())


@pytest.mark.parametrize(
    "answer",
    [
        HttpResponse.of_json(429, {"error": {"message": "Rate limit reached"}}, {"retry-after": "2"}),
        HttpResponse(200, {"content-type": "text/event-stream"}, b': hi\r\n\r\ndata: {"error": "Rate limit"}\r\n\r\n'),
        streamed({"type": "response.failed", "response": {"error": {"message": "Rate limit"}}}),
        streamed({"type": "error", "code": "rate_limit_exceeded", "message": "Rate limit"}),
    ],
    ids=["status", "event", "response", "type"],
)
def test_errors_of_the_provider_are_told_and_not_recorded(tmp_path: Path, answer: HttpResponse) -> None:
    """The agent may come back; unless it does so with success nothing is written. While exploring it ends at once."""
    answers = [answer, answer, ModelTwin({"": "hello"}).handle(asking("hi"))]
    twin = recording(tmp_path / "it.json", lambda request: answers.pop(0))
    assert twin.handle(asking("hi")) == answer
    with pytest.raises(ChaosError, match=r"it\.json was not recorded: POST .* was answered .*Rate limit"):
        cassette_of(twin).keep()
    with pytest.raises(ChaosError, match="Rate limit"):
        recording(tmp_path / "it.json", lambda request: answers.pop(0), exploring=True).handle(asking("hi"))
    assert not (tmp_path / "it.json").exists()
    assert twin.handle(asking("hi")).status == 200
    cassette_of(twin).keep()
    assert len(cassette_file.read(tmp_path / "it.json")) == 1


@pytest.mark.parametrize(
    ("begun", "end"),
    [
        ({"type": "message_start"}, {"type": "message_stop"}),
        ({"type": "response.created"}, {"type": "response.incomplete"}),
        ({"choices": [{"finish_reason": None}]}, {"choices": [{"finish_reason": "stop"}]}),
        ({"choices": [{}]}, "[DONE]"),
        ({"candidates": [{}]}, {"candidates": [{"finishReason": "STOP"}]}),
    ],
)
def test_a_stream_that_stops_before_its_end_is_not_recorded(tmp_path: Path, begun: Any, end: Any) -> None:
    """In whichever of the four APIs; it is told as an error is."""
    answers = [streamed(begun), streamed(begun, end)]
    twin = recording(tmp_path / "it.json", lambda request: answers.pop(0))
    twin.handle(asking("hi"))
    with pytest.raises(ChaosError, match="was answered with a stream that stops before its end"):
        cassette_of(twin).keep()
    twin.handle(asking("hi"))
    cassette_of(twin).keep()
    assert len(cassette_file.read(tmp_path / "it.json")) == 1


def test_a_provider_that_cannot_be_reached_is_told() -> None:
    """With the reason, without a key in the query; the request is not repeated."""
    with pytest.raises(ChaosError, match="completions got no answer: ConnectError") as caught:
        ask(HttpRequest("POST", "http://127.0.0.1:1/v1/chat/completions?key=AIza0123"))
    assert caught.value.code == "no-provider"
    asked = cassette_file.request_of(replace(asking("hi"), url=f"{OPENAI}/models?auth=AIza0123&n=1"), Cleaner())
    assert asked["url"] == f"{OPENAI}/models?n=1"


def test_names_of_models_are_the_same_in_each_run(tmp_path: Path) -> None:
    """They are ids that nobody drew; and half a surrogate pair in an answer is written and read."""
    models = [
        {"id": "gpt-4o-20240806", "object": "model"},
        {"id": "claude-20250219", "type": "model", "note": "\ud83d"},
    ]
    body = json.dumps({"object": "list", "data": models}).encode()
    twin = recording(tmp_path / "it.json", lambda request: HttpResponse(200, {}, body))
    asked = HttpRequest("GET", f"{OPENAI}/models", {"authorization": f"Bearer {KEY}"})
    assert twin.handle(asked).json()["data"] == models
    cassette_of(twin).keep()
    again = ModelTwin(cassette=Cassette(tmp_path / "it.json", None))
    again.set_run(7)
    assert again.handle(asked).json()["data"] == models


def test_an_answer_depends_on_the_request_and_the_run(tmp_path: Path) -> None:
    """An equal request gets the same answer, and costs nothing; ids are those of the run, and are known again."""
    real = ModelTwin({"": [{"tool_calls": [{"name": "save"}]}, "done"]})
    twin = recording(tmp_path / "it.json", real.handle)
    first = twin.handle(asking("hi"))
    assert twin.handle(asking("hi", top_p=None)) != first
    assert twin.handle(asking("hi")) == first
    assert len(real.requests) == 2
    replies = []
    for run in (0, 7):
        twin.set_run(run)
        said = twin.handle(asking("hi")).json()
        message = said["choices"][0]["message"]
        result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "ok"}
        both = [{"role": "user", "content": "hi"}, message, result]
        replies.append((said, twin.handle(asking("hi", messages=both)).json()))
    assert len(real.requests) == 3
    (said, then), (later, then_later) = replies
    assert said["id"] != later["id"]
    assert said["choices"][0]["message"]["tool_calls"][0]["id"].startswith("call_")
    assert said["choices"] != later["choices"]
    assert then["choices"] == then_later["choices"]
    assert twin.remarks == ["3 answers recorded into it.json"]


def test_responses_are_continued_by_their_id(tmp_path: Path) -> None:
    """Streamed, in another run than that of the recording; what a fault makes of one is a stream of the same form."""
    url, headers = f"{OPENAI}/responses", {"authorization": f"Bearer {KEY}"}

    def respond(twin: ModelTwin, **more: Any) -> HttpResponse:
        document = {"model": "m", "stream": True, **more}
        return twin.handle(HttpRequest("POST", url, headers, json.dumps(document).encode()))

    def id_of(response: HttpResponse) -> str:
        return str(events.read(response)[-1][1]["response"]["id"])

    real = ModelTwin({"hi": "hello", "and": "bye"})
    for run in (0, 7):
        file = tmp_path / "it.json"
        twin = ModelTwin(cassette=Cassette(file, None)) if run else recording(file, real.handle)
        twin.set_run(run)
        first = respond(twin, input="hi")
        second = respond(twin, input="and", previous_response_id=id_of(first))
        said = twin.read_answer(second)
        assert said is not None
        assert (said.text, said.streamed) == ("bye", True)
        assert twin.read_answer(twin.write_answer(second, said.with_text("no"))) == said.with_text("no")
        cassette_of(twin).keep()
    assert len(real.requests) == 2
    assert id_of(first) not in (tmp_path / "it.json").read_text()


def test_a_run_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an error of the provider's the reason is told, whatever the agent makes of it."""
    hello = ModelTwin({"": "hello"}).handle(asking("hi"))
    refusal = HttpResponse.of_json(401, {"error": {"message": "Incorrect API key provided"}})
    answers = [hello, refusal, refusal, hello]
    monkeypatch.setattr("rollproof.network.provider.ask", lambda request: answers.pop(0))

    def explore(run: Callable[[httpx.Response], object]) -> None:
        chaos = Chaos(Options(record="once", projects=(tmp_path,)))
        chaos.llm(cassette="it.json")
        asked = asking("hi")
        chaos.explore(run=lambda: run(httpx.post(asked.url, headers=dict(asked.headers), content=asked.body)))
        chaos.close()

    def fail(response: httpx.Response) -> None:
        raise ValueError("no such plan")

    with pytest.raises(ValueError, match="no such plan"):
        explore(fail)
    for run in (httpx.Response.raise_for_status, str):
        with pytest.raises(ChaosError, match=r"was answered 401: .*Incorrect API key"):
            explore(run)
    assert not (tmp_path / "it.json").exists()
    explore(httpx.Response.raise_for_status)
    assert (tmp_path / "it.json").exists()


def test_what_was_not_asked_for_is_told(tmp_path: Path) -> None:
    """In the statement, and the request of a client that shows no key any more is refused as it would be."""
    cassette_file.write(tmp_path / "it.json", [exchange("hi", "hello"), exchange("on 2026-12-01", "at 2026-12-01")])
    twin = ModelTwin(cassette=Cassette(tmp_path / "it.json", None))
    assert twin.handle(asking("hi")).status == 200
    assert twin.remarks == ["1 of 2 answers of it.json not asked for"]
    assert twin.handle(replace(asking("hi"), headers={})).status == 401
    assert b"at 2027-01-02" in twin.handle(asking("on 2027-01-02")).body
    assert len(twin.remarks) == 1
    assert twin.remarks[0].startswith("1 request answered by it.json though times")


def test_of_two_dates_neither_is_meant(tmp_path: Path) -> None:
    """Where two recorded requests differ from one of today in times alone, it has no answer."""
    dates = ("2026-12-01", "2026-12-02")
    cassette_file.write(tmp_path / "it.json", [exchange(f"on {date}", date) for date in dates])
    twin = ModelTwin(cassette=Cassette(tmp_path / "it.json", None))
    assert b"2026-12-02" in twin.handle(asking("on 2026-12-02")).body
    with pytest.raises(ChaosError, match=r"recorded '… 2026-12-01', asked '… 2027-01-01'"):
        twin.handle(asking("on 2027-01-01"))


def test_a_longer_conversation_is_told_by_its_first_new_message(tmp_path: Path) -> None:
    """The nearest is the one with the same beginning, not the shortest one."""
    cassette_file.write(tmp_path / "it.json", [exchange("hello", "x"), exchange("hi", "y")])
    twin = ModelTwin(cassette=Cassette(tmp_path / "it.json", None))
    more = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "y"},
        {"role": "user", "content": "go on"},
    ]
    with pytest.raises(ChaosError) as caught:
        twin.handle(asking("", messages=more, temperature=0))
    assert "'go on'\n" in str(caught.value)
    assert "number 2: 'hi'\n" in str(caught.value)
    assert 'messages[1] is not in the recording: {"role": "assistant", "content": "y"}\n' in str(caught.value)
    assert "temperature is not in the recording: 0\n" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "Is a directory"),
        ("{", "cannot be read: Expecting"),
        ("[]", "is no cassette"),
        ('{"rollproof cassette": 2}', "is of version 2, and this Rollproof reads 1"),
        ('{"rollproof cassette": 1}', "exchange 1 has no request"),
        ('{"rollproof cassette": 1, "exchanges": [{"request": {}, "response": {}}]}', "exchange 1 has no request"),
    ],
)
def test_a_file_that_is_no_cassette_is_told(tmp_path: Path, text: str | None, said: str) -> None:
    """With what is wrong, and how to make another."""
    file = tmp_path / "it.json"
    file.mkdir() if text is None else file.write_text(text)
    with pytest.raises(ChaosError, match=said) as caught:
        Cassette(file, None)
    assert caught.value.code == "bad-cassette"


def test_a_secret_in_the_file_is_told(tmp_path: Path) -> None:
    """By the number of its exchange, and not by itself."""
    file = tmp_path / "it.json"
    cassette_file.write(file, [exchange("hi", "hello")])
    file.write_text(file.read_text().replace('"hello"', json.dumps(f"use {KEY}")))
    with pytest.raises(ChaosError, match="a secret stands in exchange 1") as caught:
        Cassette(file, None)
    assert KEY not in str(caught.value)


def test_faults_read_streams_as_providers_write_them(tmp_path: Path) -> None:
    """With pings, thoughts and chunks without usage; what a fault makes the model say comes as a stream as well."""
    lines = [
        {"type": "message_start", "message": {"id": "msg_01", "usage": {"input_tokens": 1}, "role": "assistant"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "hello"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "ping"},
        {"type": "message_stop"},
    ]
    claude = "".join(f"event: {line['type']}\r\ndata: {json.dumps(line)}\r\n\r\n" for line in lines)
    chunks = [
        {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "hello"}, "finish_reason": "stop"}]}
    ]
    gpt = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + ": that was all\n\ndata: [DONE]\n\n"
    for url, stream in (("/messages", claude), ("/chat/completions", gpt)):
        answer = HttpResponse(200, {"content-type": "text/event-stream"}, stream.encode())
        recorder = Recorder(lambda request, answer=answer: answer, {}, exploring=False)
        twin = ModelTwin(base_url="http://localhost:8000/v1", cassette=Cassette(tmp_path / "it.json", recorder))
        response = twin.handle(replace(asking("hi", stream=True), url=f"http://localhost:8000/v1{url}"))
        said = twin.read_answer(response)
        assert said is not None
        assert (said.text, said.finish_reason, said.streamed) == ("hello", "stop", True)
        changed = twin.read_answer(twin.write_answer(response, said.with_text("bye")))
        assert changed is not None
        assert (changed.text, changed.streamed) == ("bye", True)


def test_the_same_file_twice_and_no_path_are_refused(tmp_path: Path) -> None:
    """Two calls would write over each other."""
    chaos = Chaos(Options(record="once", projects=(tmp_path,)))
    chaos.llm(cassette="it.json", base_url="http://one.test")
    with pytest.raises(ChaosError, match="the cassette of another"):
        chaos.llm(cassette=tmp_path / "it.json", base_url="http://two.test")
    with pytest.raises(ChaosError, match="cassette=3"):
        chaos.llm(cassette=3)  # type: ignore[arg-type]
    with pytest.raises(ChaosError, match="not None"):
        chaos.llm()
