"""A provider's answers about its models, without asking one: the list of them, and the tokens of a request."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from ..values.http import HttpRequest, HttpResponse
from . import anthropic_errors, gemini_errors, openai_errors
from .wire import parsed, tokens

ANY_MODEL = "rollproof"
"""The one model in a list of models; a request may name any other one."""


class OpenAiModels:
    """OpenAI's ``/models`` and ``/models/MODEL``: each model that is asked for is there."""

    def answer(self, request: HttpRequest, created: int) -> HttpResponse:
        """Return the one model of the list, or the one that the path names."""
        _, named, name = request.path.rpartition("/models/")
        model = {
            "id": unquote(name) if named else ANY_MODEL,
            "object": "model",
            "created": created,
            "owned_by": "system",
        }
        return HttpResponse.of_json(200, model if named else {"object": "list", "data": [model]})

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with the provider's error of that status."""
        return openai_errors.error(status, reason, headers, request)


class GeminiCount:
    """Gemini's ``countTokens``."""

    def answer(self, request: HttpRequest, created: int) -> HttpResponse:
        """Return the tokens of the contents, or the provider's 400."""
        document = parsed(request)
        if document is None:
            return gemini_errors.error(request, 400, "Invalid JSON payload received. Expected an object.")
        return HttpResponse.of_json(200, {"totalTokens": _count(document, "contents", "generateContentRequest")})

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with the provider's error of that status."""
        return gemini_errors.error(request, status, reason, headers)


class AnthropicCount:
    """Anthropic's ``/messages/count_tokens``."""

    def answer(self, request: HttpRequest, created: int) -> HttpResponse:
        """Return the tokens of system prompt, messages and tools, or the provider's 400."""
        document = parsed(request)
        if document is None:
            return anthropic_errors.error(request, 400, "The request body is not valid JSON")
        return HttpResponse.of_json(200, {"input_tokens": _count(document, "system", "messages", "tools")})

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with the provider's error of that status."""
        return anthropic_errors.error(request, status, reason, headers)


def _count(document: Mapping[str, Any], *names: str) -> int:
    return tokens("".join(str(document[name]) for name in names if document.get(name)))
