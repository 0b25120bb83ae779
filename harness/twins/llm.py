"""A model provider: answers the requests of the real SDKs with what the test says a model would say."""

from collections.abc import Callable, Mapping

from ..values.epoch import MADE
from ..values.errors import ChaosError
from ..values.http import HttpRequest, HttpResponse, ModelAnswer
from ..values.world import Row
from . import addresses
from .cassette import Cassette
from .cassette_values import swapped
from .credentials import shown
from .providers import (
    ANTHROPIC,
    GEMINI,
    OPENAI,
    PROVIDERS,
    Api,
    api_for,
    apis_at,
    default_credentials,
    is_local,
    unknown_api,
    wires,
)
from .replies import Replies, answerer
from .wire import Wire, parsed, spoken, tokens

__all__ = ["ANTHROPIC", "GEMINI", "OPENAI", "PROVIDERS", "ModelTwin", "default_credentials"]


class ModelTwin:
    """A model provider below `base_url`. It has no state: the same request gets the same answer.

    At a provider's own address it has that provider's APIs, at any other one all of them, as gateways do, whatever
    stands before their paths. Embeddings are made of the text, and need no reply.

    `requests` is a log for the test and no part of the state: it grows until a new list is assigned.

    Args:
        replies: see `replies.answerer`; checked here. None where a cassette answers alone.
        base_url: None means OpenAI's.
        now: seconds since the epoch that an answer says it was made at; a constant by default.
        cassette: is asked first; `replies` has what is not in it.

    Attributes:
        remarks: what the statement says of the cassette.

    Raises:
        ChaosError: ``bad-replies``; from `handle` also ``reply-missing``, ``bad-reply`` and ``not-yet``.
    """

    kind = "llm"

    def __init__(
        self,
        replies: Replies | None = None,
        *,
        base_url: str | None = None,
        now: Callable[[], int] = lambda: MADE,
        cassette: Cassette | None = None,
    ) -> None:
        self.base_url = addresses.base_url(base_url or OPENAI)
        self.requests: list[HttpRequest] = []
        self._answer = answerer(replies if replies is not None or cassette is None else _nothing)
        self._cassette, self.remarks = cassette, [] if cassette is None else cassette.remarks
        self._now = now
        self._run = 0
        self._apis = apis_at(self.base_url)
        self._wires = wires(self._apis)

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
        """Return ``chat``, ``embed``, or ``info`` for what a provider tells without a model."""
        api = api_for(self._apis, request)
        return api.verb if api is not None else "chat"

    def target(self, request: HttpRequest) -> str:
        """Return the provider's host."""
        return request.host

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Check a request as the provider does and answer it."""
        self.requests.append(request)
        api = api_for(self._apis, request)
        if api is None:
            raise unknown_api(self._apis, self.base_url, request)
        recorded = None if self._cassette is None else self._cassette.answer(request, self._run)
        has_key = shown(request) or request.query.get("key") or is_local(self.base_url)
        if not has_key and (recorded is None or recorded.wants_key):
            return api.own.refuse(request, 401, {})
        if recorded is not None:
            said = self.read_answer(recorded.response) if recorded.swaps else None
            now = None if said is None else swapped(said, recorded.swaps)
            return recorded.response if now in (None, said) else self.write_answer(recorded.response, now)
        if api.unasked is not None:
            return api.unasked.answer(request, self._now())
        wire = api.wire
        assert wire is not None, api.path
        return wire.complaint(request) or self._said(wire, request)

    def _said(self, wire: Wire, request: HttpRequest) -> HttpResponse:
        try:
            answer = self._answer(wire.question(request))
        except ChaosError as problem:
            if self._cassette is not None:
                problem.add_to_hint(str(self._cassette.missing(request).message).splitlines())
            raise
        return wire.say(request, answer, f"{self._run}/", self._now())

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with an error in the provider's own wording."""
        return (api_for(self._apis, request) or self._apis[0]).own.refuse(request, status, headers, reason)

    def read_answer(self, response: HttpResponse) -> ModelAnswer | None:
        """Return the model's answer in `response`; None if there is none."""
        answers = (wire.read_answer(response) for wire in self._wires)
        return next((answer for answer in answers if answer is not None), None)

    def with_what_was_asked(self, request: HttpRequest, answer: ModelAnswer) -> ModelAnswer:
        """Return the answer to a request, its text and its calls with what the request wanted them to be."""
        wire = _wire_of(api_for(self._apis, request))
        return answer if wire is None or parsed(request) is None else wire.wanted(request).of(answer)

    def tokens(self, request: HttpRequest, answer: ModelAnswer) -> int:
        """Return the tokens of a request and its answer: those of the usage, which a stream has only on demand."""
        wire = _wire_of(api_for(self._apis, request))
        read = tokens(wire.prompt(request)) if wire is not None and parsed(request) is not None else 0
        return read + tokens(spoken(answer))

    def write_answer(self, response: HttpResponse, answer: ModelAnswer) -> HttpResponse:
        """Return `response` saying `answer` instead; one in which nothing was said comes back as it is."""
        wires = (wire for wire in self._wires if wire.read_answer(response) is not None)
        return next((wire.write_answer(response, answer) for wire in wires), response)


def _nothing(document: object) -> None:
    """Return no reply: a cassette answers alone."""


def _wire_of(api: Api | None) -> Wire | None:
    """Return the wire format of the requests that ask a model; None where none is asked."""
    return api.wire if api is not None else None
