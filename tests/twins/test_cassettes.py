"""A cassette records a real provider once, here a twin on a real port, and answers ever after; no key is in it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rollproof.network.provider import ask
from rollproof.network.twin_server_process import TwinServerProcess
from rollproof.twins import cassette_file
from rollproof.twins.cassette import Cassette, Recorder
from rollproof.twins.llm import ModelTwin
from rollproof.values.errors import ChaosError
from rollproof.values.http import HttpRequest, HttpResponse

KEY = "sk-proj-q8ZrT4mKx2Wv7LdY9bNc"
AGENT = """
import os
import anthropic, openai

TOOL = {"type": "function", "function": {"name": "save", "parameters": {"type": "object", "properties": {}}}}


def plan(shared, topic="solar"):
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
    """Both SDKs, streamed or not, in an ordinary run and under a fault; what is not in it is told, and can be added."""
    pytester.makepyfile(agent=AGENT, test_it=TEST)
    result = run(pytester)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*; 4 answers recorded into plan.json*"])
    file = pytester.path / "cassettes" / "plan.json"
    text = file.read_text()
    assert not any(secret in text for secret in (KEY, KEY.replace("proj", "ant"), "authorization", "api-key"))
    assert [exchange["request"]["url"].rpartition("/")[2] for exchange in json.loads(text)["exchanges"]] == [
        *["completions"] * 2,
        *["messages"] * 2,
    ]
    assert '\n          {"event": "message_stop", "data": {"type": "message_stop"}}\n' in text
    assert len(provider.requests) == 4

    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    result = run(pytester)  # in another temporary folder, which stands in the first request
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*; 2 requests answered by plan.json though times, uuids or temporary folders in*"])
    result = run(pytester, "--chaos", "--chaos-faults=llm.truncated_stream,llm.timeout")
    print(result.stdout)
    assert len(provider.requests) == 4
    assert file.read_text() == text
