"""A model provider: answers the requests of the real SDKs with what the test says a model would say."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Protocol
from urllib.parse import urlsplit

from ..values.errors import ChaosError
from ..values.http import HttpRequest, HttpResponse, ModelAnswer
from ..values.world import Row
from . import addresses, openai_chat
from .credentials import Revocations, bearer
from .replies import Question, Replies, answerer

OPENAI = "https://api.openai.com/v1"
_CREATED = 1_767_225_600  # 2026-01-01T00:00:00Z


class Wire(Protocol):
    """One API of a provider on the wire; a module with these functions."""

    def complaint(self, request: HttpRequest) -> HttpResponse | None:
        """Return the provider's 400 for a request that it would not take, or None."""
        ...

    def question(self, request: HttpRequest) -> Question:
        """Return what a request asks."""
        ...

    def say(self, request: HttpRequest, answer: ModelAnswer, salt: str, created: int) -> HttpResponse:
        """Return `answer` as the response to `request`."""
        ...

    def read_answer(self, response: HttpResponse) -> ModelAnswer | None:
        """Return what `response` says, or None where it says nothing."""
        ...

    def write_answer(self, response: HttpResponse, answer: ModelAnswer) -> HttpResponse:
        """Return `response` saying `answer` instead."""
        ...

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str]) -> HttpResponse:
        """Answer with the provider's error of that status."""
        ...


class ModelTwin(Revocations):
    """A model provider below `base_url`. It remembers nothing: the same request gets the same answer.

    `requests` is a log for the test and no part of the state: it grows until a new list is assigned.

    Args:
        replies: see `replies.answerer`; checked here.
        base_url: None means OpenAI's.
        now: seconds since the epoch that an answer says it was made at; a constant by default.

    Raises:
        ChaosError: ``bad-replies``; from `handle` also ``reply-missing``, ``bad-reply`` and ``not-yet``.
    """

    kind = "llm"

    def __init__(
        self,
        replies: Replies,
        *,
        base_url: str | None = None,
        now: Callable[[], int] = lambda: _CREATED,
    ) -> None:
        super().__init__()
        self.base_url = addresses.base_url(base_url or OPENAI)
        self.requests: list[HttpRequest] = []
        self._answer = answerer(replies)
        self._now = now
        self._run = 0
        self._wires: Mapping[str, Wire] = {"/chat/completions": openai_chat}

    def vary(self, run: int) -> None:
        """Give answers and tool calls from now on other ids, as every run of a real provider does."""
        self._run = run

    def save(self) -> bytes:
        """Return a constant: a provider has no state of its own."""
        return b"{}"

    def restore(self, state: bytes) -> None:
        """Do nothing."""

    def describe(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return nothing: a provider is no part of the outside that is compared."""
        return {}

    def recall(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return nothing: a provider remembers nothing."""
        return {}

    def verb(self, request: HttpRequest) -> str:
        """Return ``chat``."""
        return "chat"

    def target(self, request: HttpRequest) -> str:
        """Return the provider's host."""
        return request.host

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Check a request as the provider does and answer it."""
        self.requests.append(request)
        wire = self._wires.get(self._path(request))
        if wire is None or request.method != "POST":
            known = "\n".join(f"it answers POST {self.base_url}{path}, not streamed" for path in self._wires)
            asked = f"{request.method} {request.path}"
            raise ChaosError("not-yet", f"chaos.llm does not answer {asked} yet ({request.host})", known)
        if not bearer(request) or self.is_revoked(request):
            return wire.refuse(request, 401, {})
        complaint = wire.complaint(request)
        return complaint or wire.say(request, self._answer(wire.question(request)), f"{self._run}/", self._now())

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str]) -> HttpResponse:
        """Answer with an error in the provider's own wording."""
        return self._wires.get(self._path(request), openai_chat).refuse(request, status, headers)

    def read_answer(self, response: HttpResponse) -> ModelAnswer | None:
        """Return what the model said in `response`, or None where it said nothing."""
        answers = (wire.read_answer(response) for wire in self._wires.values())
        return next((answer for answer in answers if answer is not None), None)

    def write_answer(self, response: HttpResponse, answer: ModelAnswer) -> HttpResponse:
        """Return `response` saying `answer` instead; one in which nothing was said comes back as it is."""
        wires = (wire for wire in self._wires.values() if wire.read_answer(response) is not None)
        return next((wire.write_answer(response, answer) for wire in wires), response)

    def _path(self, request: HttpRequest) -> str:
        return request.path.removeprefix(urlsplit(self.base_url).path).rstrip("/")


def default_credentials() -> Mapping[str, str]:
    """Return the environment variables in which the SDKs look for keys, with values that nobody's text contains."""
    return {
        "OPENAI_API_KEY": f"sk-rollproof-{sha256(b'openai').hexdigest()[:48]}",
        "ANTHROPIC_API_KEY": f"sk-ant-rollproof-{sha256(b'anthropic').hexdigest()[:48]}",
    }
