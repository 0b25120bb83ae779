"""A model provider: answers the requests of the real SDKs with what the test says a model would say."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from urllib.parse import urlsplit

from ..values.errors import ChaosError
from ..values.http import HttpRequest, HttpResponse, ModelAnswer
from ..values.world import Row
from . import addresses, anthropic_messages, openai_chat
from .credentials import shown
from .openai_responses import Responses
from .replies import Replies, answerer
from .wire import Wire, parsed, spoken, tokens

OPENAI = "https://api.openai.com/v1"
ANTHROPIC = "https://api.anthropic.com"
PROVIDERS = (OPENAI, ANTHROPIC)
_CREATED = 1_767_225_600  # 2026-01-01T00:00:00Z


class ModelTwin:
    """A model provider below `base_url`. It has no state: the same request gets the same answer.

    At the provider's own address it has that provider's APIs, at any other one all of them, as gateways do.

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
        self.base_url = addresses.base_url(base_url or OPENAI)
        self.requests: list[HttpRequest] = []
        self._answer = answerer(replies)
        self._now = now
        self._run = 0
        openai: dict[str, Wire] = {"/chat/completions": openai_chat, "/responses": Responses()}
        anthropic: dict[str, Wire] = {"/messages": anthropic_messages}
        own = {OPENAI: openai, ANTHROPIC: anthropic}
        self._wires = own.get(self.base_url, openai | anthropic)

    def set_run(self, run: int) -> None:
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

    def full_state(self, state: bytes) -> Mapping[str, list[Row]]:
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
            known = "\n".join(f"it answers POST {self.base_url}{path}" for path in self._wires)
            asked = f"{request.method} {request.path}"
            raise ChaosError("not-yet", f"chaos.llm does not answer {asked} yet ({request.host})", known)
        if not shown(request):
            return wire.refuse(request, 401, {})
        complaint = wire.complaint(request)
        return complaint or wire.say(request, self._answer(wire.question(request)), f"{self._run}/", self._now())

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with an error in the provider's own wording."""
        wire = self._wires.get(self._path(request)) or next(iter(self._wires.values()))
        return wire.refuse(request, status, headers, reason)

    def read_answer(self, response: HttpResponse) -> ModelAnswer | None:
        """Return the model's answer in `response`; None if there is none."""
        answers = (wire.read_answer(response) for wire in self._wires.values())
        return next((answer for answer in answers if answer is not None), None)

    def with_what_was_asked(self, request: HttpRequest, answer: ModelAnswer) -> ModelAnswer:
        """Return the answer to a request, its text and its calls with what the request wanted them to be."""
        wire = self._wires.get(self._path(request))
        return answer if wire is None or parsed(request) is None else wire.wanted(request).of(answer)

    def tokens(self, request: HttpRequest, answer: ModelAnswer) -> int:
        """Return the tokens of a request and its answer: those of the usage, which a stream has only on demand."""
        wire = self._wires.get(self._path(request))
        read = tokens(wire.prompt(request)) if wire is not None and parsed(request) is not None else 0
        return read + tokens(spoken(answer))

    def write_answer(self, response: HttpResponse, answer: ModelAnswer) -> HttpResponse:
        """Return `response` saying `answer` instead; one in which nothing was said comes back as it is."""
        wires = (wire for wire in self._wires.values() if wire.read_answer(response) is not None)
        return next((wire.write_answer(response, answer) for wire in wires), response)

    def _path(self, request: HttpRequest) -> str:
        """Return the path below the base URL, which clients of Anthropic name without its ``/v1``."""
        return request.path.removeprefix(urlsplit(self.base_url).path).rstrip("/").removeprefix("/v1")


def default_credentials() -> Mapping[str, str]:
    """Return the environment variables in which the SDKs look for keys, with values that nobody's text contains."""
    return {
        "OPENAI_API_KEY": f"sk-rollproof-{sha256(b'openai').hexdigest()[:48]}",
        "ANTHROPIC_API_KEY": f"sk-ant-rollproof-{sha256(b'anthropic').hexdigest()[:48]}",
    }
