"""Servers that speak OpenAI's language, at any address: local ones, gateways, Azure's deployments, Google's own."""

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest
from rollproof.twins.llm import GEMINI, ModelTwin
from rollproof.values.errors import ChaosError
from rollproof.values.http import HttpRequest, HttpResponse

Serve = Callable[[Callable[[HttpRequest], HttpResponse]], None]
HI: Any = [{"role": "user", "content": "hi"}]
ADDRESSES = [
    # where the twin is declared, and where the client asks
    ("http://localhost:11434/v1", "http://localhost:11434/v1"),
    ("http://localhost:8000", "http://localhost:8000/v1"),
    ("http://localhost:8000", "http://localhost:8000"),
    ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1/"),
    ("https://ark.test", "https://ark.test/api/v3"),
    (GEMINI, f"{GEMINI}/v1beta/openai/"),
]


def every_answer(client: openai.OpenAI) -> Iterator[Any]:
    """Yield what a client is told by each API."""
    yield client.chat.completions.create(model="m", messages=HI).choices[0].message.content
    yield client.responses.create(model="m", input="hi").output_text
    yield client.completions.create(model="m", prompt="hi").choices[0].text
    yield "".join(c.choices[0].text for c in client.completions.create(model="m", prompt="hi", stream=True))


@pytest.mark.parametrize(("declared", "asked"), ADDRESSES)
def test_every_api_is_there_whatever_stands_before_its_path(serve: Serve, declared: str, asked: str) -> None:
    """Chat, responses, legacy completions whole and streamed, embeddings, and the list of models."""
    serve(ModelTwin({"hi": "hello, and more than one piece"}, base_url=declared).handle)
    client = openai.OpenAI(api_key="k-1", base_url=asked, max_retries=0)
    assert set(every_answer(client)) == {"hello, and more than one piece"}
    assert client.embeddings.create(model="m", input="hi").data[0].embedding
    (listed,) = client.models.list().data
    assert client.models.retrieve("qwen/qwen3").id == "qwen/qwen3"
    assert client.chat.completions.create(model=listed.id, messages=HI).model == listed.id


def test_azure_names_its_deployment_in_the_path(serve: Serve) -> None:
    """Its key has a header of its own; a request without one is refused."""
    twin = ModelTwin({"hi": "hello"}, base_url="https://res.openai.azure.com")
    serve(twin.handle)
    client = openai.AzureOpenAI(
        api_key="k-1", api_version="2024-10-21", azure_endpoint="https://res.openai.azure.com", max_retries=0
    )
    assert client.chat.completions.create(model="mine", messages=HI).choices[0].message.content == "hello"
    assert twin.requests[-1].headers["api-key"] == "k-1"
    url = "https://res.openai.azure.com/openai/deployments/mine/chat/completions?api-version=2024-10-21"
    assert httpx.post(url, json={"messages": HI}).status_code == 401
    assert httpx.post(url, json={"messages": HI}, headers={"api-key": "k-1"}).json()["model"] == "mine"


def test_a_server_on_this_machine_wants_no_key(serve: Serve) -> None:
    """As Ollama and vLLM do not; one elsewhere does."""
    here, there = (
        ModelTwin({"": "x"}, base_url="http://127.0.0.1:8000"),
        ModelTwin({"": "x"}, base_url="http://gpu:8000"),
    )
    for twin, status in ((here, 200), (there, 401)):
        request = HttpRequest("POST", f"{twin.base_url}/v1/completions", {}, b'{"model": "m", "prompt": "hi"}')
        assert twin.handle(request).status == status


def test_a_gateway_has_anthropics_api_too(serve: Serve) -> None:
    """Messages, and how many tokens they have."""
    serve(ModelTwin({"hi": "hello"}, base_url="https://gateway.test/api").handle)
    client = anthropic.Anthropic(api_key="k-1", base_url="https://gateway.test/api", max_retries=0)
    answer = client.messages.create(model="m", max_tokens=9, messages=HI)
    assert answer.content[0].to_dict()["text"] == "hello"
    assert client.messages.count_tokens(model="m", messages=HI).input_tokens > 0


def test_what_legacy_completions_cannot_say_is_refused() -> None:
    """No tools are called, and one text is completed at a time."""
    twin = ModelTwin({"hi": {"tool_calls": [{"name": "save"}]}}, base_url="http://localhost:8000")
    for body, code in ((b'{"model": "m", "prompt": "hi"}', "bad-reply"), (b'{"model": "m", "prompt": []}', "not-yet")):
        with pytest.raises(ChaosError) as caught:
            twin.handle(HttpRequest("POST", "http://localhost:8000/v1/completions", {}, body))
        assert caught.value.code == code
