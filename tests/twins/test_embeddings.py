"""Embeddings by the SDKs of OpenAI and Gemini: a text always has the same vector, and shared words bring texts near."""

import json
from collections.abc import Callable
from math import isclose, sqrt
from typing import Any

import openai
import pytest
from google.genai import Client
from rollproof.twins.embeddings import vector
from rollproof.twins.llm import GEMINI, OPENAI, ModelTwin
from rollproof.values.http import HttpRequest, HttpResponse

Serve = Callable[[Callable[[HttpRequest], HttpResponse]], None]
QUERY = "How do I get a refund for my order?"
NOTES = ["Refunds are paid within five days of the order.", "Our office is closed on Sundays.", "Solar power grew."]


def client() -> openai.OpenAI:
    """A client of the real SDK that does not try again."""
    return openai.OpenAI(api_key="sk-test-0123456789abcdef", max_retries=0)


def embeds(document: Any) -> HttpResponse:
    """Return what OpenAI's twin answers to a request for embeddings."""
    headers = {"authorization": "Bearer sk-1"}
    return ModelTwin({"": "x"}).handle(
        HttpRequest("POST", f"{OPENAI}/embeddings", headers, json.dumps(document).encode())
    )


def near(one: list[float], other: list[float]) -> float:
    """Return the cosine of two unit vectors."""
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("text", ["a", " ", "\n--\n", QUERY, "Solär 東京 \ud800", "x" * 999])
@pytest.mark.parametrize("size", [1, 3, 256])
def test_a_vector_is_of_the_text_alone_and_has_the_length_one(text: str, size: int) -> None:
    """Whatever stands in the text."""
    found = vector(text, size)
    assert found == vector(text, size)
    assert len(found) == size
    assert isclose(sqrt(sum(number * number for number in found)), 1.0, rel_tol=1e-5)


def test_the_nearest_text_is_the_one_that_shares_words(serve: Serve) -> None:
    """A batch keeps its order; both encodings are the same numbers; usage is counted."""
    serve(ModelTwin({"": "x"}).handle)
    asked = client().embeddings.create(model="text-embedding-3-small", input=[QUERY, *NOTES])
    query, *notes = (one.embedding for one in asked.data)
    assert [one.index for one in asked.data] == [0, 1, 2, 3]
    assert len(query) == 1536
    assert max(notes, key=lambda note: near(query, note)) == notes[0]
    floats = client().embeddings.create(model="text-embedding-3-small", input=QUERY, encoding_format="float")
    assert floats.data[0].embedding == query
    assert asked.usage.total_tokens > floats.usage.total_tokens > 0
    small = client().embeddings.create(model="text-embedding-3-large", input=QUERY, dimensions=256)
    assert len(small.data[0].embedding) == 256


def test_geminis_sdk_gets_them_one_by_one_and_in_batches(serve: Serve) -> None:
    """Each text has its vector, in the size that was asked for, or the model's own."""
    serve(ModelTwin({"": "x"}, base_url=GEMINI).handle)
    model = Client(api_key="AIza-1")
    found = model.models.embed_content(model="gemini-embedding-001", contents=[QUERY, *NOTES]).embeddings or []
    query, *notes = (one.values or [] for one in found)
    assert len(query) == 3072
    assert max(notes, key=lambda note: near(query, note)) == notes[0]
    small = model.models.embed_content(
        model="gemini-embedding-001", contents=QUERY, config={"output_dimensionality": 64}
    )
    assert [len(one.values or []) for one in small.embeddings or []] == [64]
    body = json.dumps({"content": {"parts": [{"text": QUERY}]}, "outputDimensionality": 64}).encode()
    url = f"{GEMINI}/v1beta/models/gemini-embedding-001:embedContent"
    alone = ModelTwin({"": "x"}, base_url=GEMINI).handle(HttpRequest("POST", url, {"x-goog-api-key": "k"}, body))
    assert alone.json()["embedding"]["values"] == (small.embeddings or [])[0].values


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"input": "x"}, "model parameter"),
        ({"model": "m", "input": []}, "'$.input' is invalid"),
        ({"model": "m", "input": ["x", ""]}, "empty string"),
        ({"model": "m", "input": "x", "dimensions": 0}, "dimensions"),
        ({"model": "text-embedding-ada-002", "input": "x", "dimensions": 8}, "does not support specifying dimensions"),
        ({"model": "text-embedding-3-large", "input": "x", "dimensions": 4000}, "at most 3072"),
    ],
)
def test_what_openai_does_not_take_is_refused(document: Any, words: str) -> None:
    """With 400, in its own form."""
    refused = embeds(document)
    assert refused.status == 400
    assert words in refused.json()["error"]["message"]


@pytest.mark.parametrize("wrong", [{"outputDimensionality": -1}, {"outputDimensionality": "x"}, {"content": ["x"]}])
def test_what_gemini_does_not_take_is_refused(wrong: Any) -> None:
    """With 400, alone and in a batch; a number may be sent as a text."""
    model = f"{GEMINI}/v1beta/models/gemini-embedding-001"

    def embedded(document: Any, method: str = "embedContent") -> HttpResponse:
        request = HttpRequest("POST", f"{model}:{method}", {"x-goog-api-key": "k"}, json.dumps(document).encode())
        return ModelTwin({"": "x"}, base_url=GEMINI).handle(request)

    asked = {"content": {"parts": [{"text": QUERY}]}, "outputDimensionality": "5"}
    assert len(embedded(asked).json()["embedding"]["values"]) == 5
    for refused in (embedded(asked | wrong), embedded({"requests": [asked, asked | wrong]}, "batchEmbedContents")):
        assert (refused.status, refused.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_tokens_are_embedded_too() -> None:
    """Clients that count tokens send numbers: one list is one text, a list of lists several."""
    assert len(embeds({"model": "m", "input": [1, 2, 3]}).json()["data"]) == 1
    assert len(embeds({"model": "m", "input": [[1, 2], [3]]}).json()["data"]) == 2
