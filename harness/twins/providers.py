"""The providers of models with their addresses, and their APIs, which are told apart by the end of the path."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol
from urllib.parse import urlsplit

from ..values.errors import ChaosError
from ..values.http import HttpRequest, HttpResponse
from . import anthropic_messages, gemini_content, openai_chat, openai_completions
from .embeddings import GeminiEmbeddings, OpenAiEmbeddings
from .model_lists import AnthropicCount, GeminiCount, OpenAiModels
from .openai_responses import Responses
from .wire import Wire

OPENAI = "https://api.openai.com/v1"
ANTHROPIC = "https://api.anthropic.com"
GEMINI = "https://generativelanguage.googleapis.com"
PROVIDERS = (OPENAI, ANTHROPIC, GEMINI)
_LOCAL = re.compile(r"localhost|127\.\d+\.\d+\.\d+|\[?::1\]?|host\.docker\.internal")


class Unasked(Protocol):
    """An API that a provider answers without asking a model."""

    def answer(self, request: HttpRequest, created: int) -> HttpResponse:
        """Answer a request, `created` seconds after the epoch."""
        ...

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with the provider's error of that status."""
        ...


@dataclass(frozen=True, slots=True)
class Api:
    """One API of a provider: by a model, `wire`, or without one, `unasked`.

    Attributes:
        path: how its path ends; ``MODEL`` stands for the name of any model.
        verb: of its points.
    """

    path: str
    wire: Wire | None = None
    unasked: Unasked | None = None
    verb: str = "chat"
    method: str = "POST"

    def answers(self, request: HttpRequest) -> bool:
        """Say whether a request is for this API, whatever stands before its path, such as ``/v1``."""
        end = re.escape(self.path).replace("MODEL", "[^/]+" if ":" in self.path else ".+")
        return request.method == self.method and re.search(f"{end}/?$", request.path) is not None

    @property
    def own(self) -> Wire | Unasked:
        """Return the part of it that answers, `wire` or `unasked`: it also words the errors."""
        found = self.wire or self.unasked
        assert found is not None, f"{self.path} has nothing that answers"
        return found


def apis_at(base_url: str) -> list[Api]:
    """Return the APIs at an address: at a provider's own one that provider's, at any other one all, as gateways do.

    Google offers OpenAI's as well. The first of the list that answers a request is the one it is for.
    """
    embeddings, counted, listed = OpenAiEmbeddings(), GeminiCount(), OpenAiModels()
    openai = [
        Api("/chat/completions", openai_chat),
        Api("/completions", openai_completions),
        Api("/responses", Responses()),
        Api("/embeddings", unasked=embeddings, verb="embed"),
        Api("/models", unasked=listed, verb="info", method="GET"),
        Api("/models/MODEL", unasked=listed, verb="info", method="GET"),
    ]
    anthropic = [
        Api("/v1/messages", anthropic_messages),
        Api("/v1/messages/count_tokens", unasked=AnthropicCount(), verb="info"),
    ]
    vectors = GeminiEmbeddings()
    gemini = [
        Api("/models/MODEL:generateContent", gemini_content),
        Api("/models/MODEL:streamGenerateContent", gemini_content),
        Api("/models/MODEL:embedContent", unasked=vectors, verb="embed"),
        Api("/models/MODEL:batchEmbedContents", unasked=vectors, verb="embed"),
        Api("/models/MODEL:countTokens", unasked=counted, verb="info"),
    ]
    own = {OPENAI: openai, ANTHROPIC: anthropic, GEMINI: [*gemini, *openai]}
    return own.get(base_url, [*openai, *anthropic, *gemini])


def api_for(apis: Iterable[Api], request: HttpRequest) -> Api | None:
    """Return the API that a request is for; None if it is for none of them."""
    return next((api for api in apis if api.answers(request)), None)


def unknown_api(apis: Iterable[Api], base_url: str, request: HttpRequest) -> ChaosError:
    """Return the error about a request that is for none of the APIs at an address: it names those that are there."""
    is_v1 = base_url.endswith("/v1")
    paths = [(api.method, api.path.removeprefix("/v1") if is_v1 else api.path) for api in apis]
    known = "\n".join(f"it answers {method} {base_url}{path}" for method, path in paths)
    asked = f"{request.method} {request.path}"
    return ChaosError("not-yet", f"chaos.llm does not answer {asked} yet ({request.host})", known)


def is_local(base_url: str) -> bool:
    """Say whether a server is on this machine, where nobody asks for a key."""
    return _LOCAL.fullmatch(urlsplit(base_url).hostname or "") is not None


def wires(apis: Iterable[Api]) -> list[Wire]:
    """Return the wire formats by which models are asked, each once."""
    return list({id(api.wire): api.wire for api in apis if api.wire is not None}.values())


def default_credentials() -> Mapping[str, str]:
    """Return the environment variables in which the SDKs look for keys, with values that nobody's text contains."""
    return {
        "OPENAI_API_KEY": f"sk-rollproof-{_digits('openai')}",
        "AZURE_OPENAI_API_KEY": f"rollproof-{_digits('azure')}",
        "ANTHROPIC_API_KEY": f"sk-ant-rollproof-{_digits('anthropic')}",
        **dict.fromkeys(("GEMINI_API_KEY", "GOOGLE_API_KEY"), f"AIza-rollproof-{_digits('gemini')}"),
    }


def _digits(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:48]
