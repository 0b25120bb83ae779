"""Embeddings: the vector of a text, and the APIs of OpenAI and Gemini that are asked for it.

A vector is made of the text alone, so that the same text always has the same one: a hashed bag of its words and of the
three letters in a row of each word (after fastText), of length 1. Texts that share words are near to each other.
"""

import base64
import re
import struct
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import chain
from math import sqrt
from typing import Any

from ..values.http import HttpRequest, HttpResponse
from . import gemini_errors, openai_errors, wire
from .gemini_content import model_of
from .gemini_turns import field, parts

_WORD = re.compile(r"\w+")
_OF_A_PIECE = 0.3  # the weight of three letters, where that of a word is 1
_USUAL_SIZE = 1536
_SIZES = {
    "text-embedding-3-large": 3072,
    "gemini-embedding-001": 3072,
    "gemini-embedding-2": 3072,
    "text-embedding-004": 768,
    "nomic-embed-text": 768,
}
_MOST_TEXTS = 2048
_NO_CONTENT = "Invalid value at 'content' (type.googleapis.com/google.ai.generativelanguage.v1beta.Content)"
_NOT_VALID = "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference."


def vector(text: str, size: int) -> list[float]:
    """Return the vector of a text: `size` numbers, as precise as four bytes are, with the length 1."""
    counted = [0.0] * size
    for word in _WORD.findall(text.lower()) or [text]:
        counted[_place(word, size)] += 1.0
        marked = f"<{word}>"
        for start in range(len(marked) - 2):
            counted[_place(marked[start : start + 3], size)] += _OF_A_PIECE
    length = sqrt(sum(number * number for number in counted))
    return list(struct.unpack(f"<{size}f", struct.pack(f"<{size}f", *(number / length for number in counted))))


def size_of(model: str) -> int:
    """Return the usual size of a model's vectors, for a request that names none."""
    return _SIZES.get(model.rpartition("/")[2], _USUAL_SIZE)


class OpenAiEmbeddings:
    """OpenAI's ``/embeddings``, which many servers offer alike."""

    def answer(self, request: HttpRequest, created: int) -> HttpResponse:
        """Return the vectors of a text or of each of several, or the provider's 400."""
        document = wire.parsed(request)
        if document is None:
            return openai_errors.not_json()
        model, texts = wire.model_of(request, document), _inputs(document.get("input"))
        if not model:
            return openai_errors.invalid("you must provide a model parameter")
        if not texts or len(texts) > _MOST_TEXTS:
            return openai_errors.invalid(_NOT_VALID)
        if not all(texts):
            return openai_errors.invalid("Invalid 'input': input cannot be an empty string.", "input")
        size, complaint = _wanted_size(document, model)
        if complaint is not None:
            return complaint
        as_text = document.get("encoding_format") == "base64"
        data = [{"object": "embedding", "index": n, "embedding": _coded(t, size, as_text)} for n, t in enumerate(texts)]
        read = sum(map(wire.tokens, texts))
        usage = {"prompt_tokens": read, "total_tokens": read}
        return HttpResponse.of_json(200, {"object": "list", "data": data, "model": model, "usage": usage})

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with the provider's error of that status."""
        return openai_errors.error(status, reason, headers, request)


class GeminiEmbeddings:
    """Gemini's ``embedContent`` and ``batchEmbedContents``."""

    def answer(self, request: HttpRequest, created: int) -> HttpResponse:
        """Return the vector of a content or of each of several, or the provider's 400."""
        document = wire.parsed(request)
        if document is None:
            return gemini_errors.error(request, 400, "Invalid JSON payload received. Expected an object.")
        batched = request.path.endswith(":batchEmbedContents")
        asked = field(document, "requests") if batched else [document]
        if not asked or not isinstance(asked, list):
            return gemini_errors.error(
                request, 400, "* BatchEmbedContentsRequest.requests: requests is not specified\n"
            )
        found = []
        for one in asked:
            content, size = field(one, "content") or {}, _size(one, model_of(request))
            if not isinstance(content, dict) or not isinstance(content.get("parts") or [], list):
                return gemini_errors.error(request, 400, _NO_CONTENT)
            if size is None:
                return gemini_errors.error(request, 400)
            text = "\n".join(map(str, parts(content, "text")))
            if not text:
                return gemini_errors.error(request, 400, "content is empty")
            found.append({"values": vector(text, size)})
        return HttpResponse.of_json(200, {"embeddings": found} if batched else {"embedding": found[0]})

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with the provider's error of that status."""
        return gemini_errors.error(request, status, reason, headers)


def _place(feature: str, size: int) -> int:
    return int.from_bytes(blake2b(feature.encode(errors="replace"), digest_size=8).digest()) % size


def _size(asked: Any, model: str) -> int | None:
    """Return the size that Gemini is asked for, None for a wrong one; as in proto3, "5" is 5 and 0 is not set."""
    given = field(asked, "outputDimensionality") or size_of(model)
    try:
        size = int(str(given))
    except ValueError:
        return None
    return size if 0 < size <= max(_SIZES.values()) else None


def _inputs(given: Any) -> list[str]:
    """Return the texts of an input; tokens, which a client may send as numbers, count as words."""
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list):
        return []
    if given and all(isinstance(one, int) for one in given):
        return [" ".join(map(str, given))]
    return list(chain.from_iterable(_texts(one) for one in given))


def _texts(one: Any) -> Iterator[str]:
    if isinstance(one, str):
        yield one
    elif isinstance(one, list):
        yield " ".join(map(str, one))


def _wanted_size(document: Mapping[str, Any], model: str) -> tuple[int, HttpResponse | None]:
    size, usual = document.get("dimensions"), size_of(model)
    if size is None:
        return usual, None
    if model == "text-embedding-ada-002":
        return usual, openai_errors.invalid("This model does not support specifying dimensions.")
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        return usual, openai_errors.wrong_type("dimensions", "an integer of at least 1", size)
    if model in _SIZES and size > usual:
        return usual, openai_errors.invalid(f"Invalid value for 'dimensions': at most {usual}.", "dimensions")
    return size, None


def _coded(text: str, size: int, as_text: bool) -> str | list[float]:
    numbers = vector(text, size)
    return base64.b64encode(struct.pack(f"<{size}f", *numbers)).decode() if as_text else numbers
