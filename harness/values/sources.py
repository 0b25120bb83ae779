"""The interface of anything whose state is part of the outside."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from .http import HttpRequest, HttpResponse, ModelAnswer
from .world import Row


@runtime_checkable
class WorldSource(Protocol):
    """External state that lives outside the agent's process and can be put back.

    `save` returns all of it as bytes, `restore` puts exactly that back, and `describe` names what a person would
    see in such bytes: a name such as ``queue/jobs`` → rows. Equal states save as equal bytes.
    """

    def save(self) -> bytes:
        """Return the whole state."""
        ...

    def restore(self, state: bytes) -> None:
        """Put `state` back."""
        ...

    def describe(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return the live resources in `state`, by readable names."""
        ...


Recognizer = Callable[[object], WorldSource | None]
"""Makes a source of what a test watches, such as the client of a store; None where it does not know it."""


@runtime_checkable
class Service(WorldSource, Protocol):
    """A twin: a stateful stand-in of an outside service below `base_url`. It outlives the agent's process.

    What it answers depends on its state and on `set_run` alone: from the same state the same request gets the same
    answer. The only clock is that of the process that asks, `HttpRequest.time`.
    """

    base_url: str  # without a slash at its end
    kind: str  # of its points: "http", "llm" for a model, "mcp" for tools, "stdio" for those of a subprocess
    requests: list[HttpRequest]  # a log for the test, no part of the state

    def set_run(self, run: int) -> None:
        """Set the number of the run: what is created from now on gets the ids of that run; 0 is the fault-free one."""
        ...

    def full_state(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return all of `state` that a later request can meet: also idempotency keys and deleted resources."""
        ...

    def verb(self, request: HttpRequest) -> str:
        """Return the verb of the point that this request is: "post", "get" …, or "chat" for a model; "" for none."""
        ...

    def target(self, request: HttpRequest) -> str:
        """Return the point's target, host first, ids of resources canonicalised: ``api.mail.test/mails/*``."""
        ...

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Act on a request and answer it."""
        ...

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with an error in the service's own form, without acting; `reason` is its sentence, or ""."""
        ...


Twin = Service
ServiceMaker = Callable[..., Service]


@runtime_checkable
class ModelService(Service, Protocol):
    """A twin of a model's provider: of its wire format, what a model says is read and written as a `ModelAnswer`."""

    def read_answer(self, response: HttpResponse) -> ModelAnswer | None:
        """Return the answer of a model in `response`, or None where it has none."""
        ...

    def write_answer(self, response: HttpResponse, answer: ModelAnswer) -> HttpResponse:
        """Return `response` saying `answer` instead."""
        ...


@runtime_checkable
class Misanswering(Protocol):
    """A twin with ways of its own to go wrong."""

    def fault_response(self, request: HttpRequest, how: str) -> HttpResponse:
        """Answer a request in the wrong way `how`."""
        ...


@runtime_checkable
class Authenticating(Protocol):
    """A twin that wants a credential in a form of its own."""

    def credential(self, request: HttpRequest) -> str:
        """Return the credential that a request shows, or ""."""
        ...


@runtime_checkable
class Secretive(Protocol):
    """A twin with secrets that a test has given it; no output may have them."""

    own_secrets: Mapping[str, str]  # by what each is: "the token of https://slack.com/api"


@runtime_checkable
class Keyless(Protocol):
    """A twin of a service that may know no idempotency keys."""

    instead_of_keys: str  # what helps there against doing something twice, as a sentence; "" where it takes keys


@runtime_checkable
class Remarking(Protocol):
    """A twin with remarks on the requests that it got."""

    remarks: list[str]  # sentences for the statement, each once


def remarks_of(twins: Iterable[Twin]) -> list[str]:
    """Return the remarks of twins, each once."""
    return list(dict.fromkeys(text for twin in twins if isinstance(twin, Remarking) for text in twin.remarks))


@runtime_checkable
class Asking(Protocol):
    """A twin whose requests say the form of the answer."""

    def with_what_was_asked(self, request: HttpRequest, answer: ModelAnswer) -> ModelAnswer:
        """Return the answer to a request, its text and its calls with what the request wanted them to be."""
        ...


@runtime_checkable
class Counting(Protocol):
    """A twin of a model that counts tokens."""

    def tokens(self, request: HttpRequest, answer: ModelAnswer) -> int:
        """Return how many tokens a request and its answer have, as the answer's usage says where it has one."""
        ...


@runtime_checkable
class KnowsDoubles(Protocol):
    """A service that can tell that two of its entries say the same, though their ids differ."""

    @property
    def name(self) -> str:
        """The host that the agent knows."""
        ...

    def without_doubles(self, state: bytes, usual: bytes) -> bytes:
        """Return a state without entries that are there more than once, and more often than in the state `usual`."""
        ...

    def names_all(self, state: bytes) -> bool:
        """Return whether each entry of a state has an id of its sender's."""
        ...


def twin_for(twins: Sequence[Twin], url: str) -> Twin | None:
    """Return the twin with the longest base URL that is a prefix of `url`; None for none."""
    below = [t for t in twins if url == t.base_url or url.startswith((f"{t.base_url}/", f"{t.base_url}?"))]
    return max(below, key=lambda t: len(t.base_url), default=None)


def commands_of(twins: Sequence[Twin]) -> dict[tuple[str, ...], str]:
    """Return the URLs of the twins that stand in for a subprocess, by the command that starts it."""
    started = {getattr(twin, "command", ()): twin.base_url for twin in twins}
    return {command: url for command, url in started.items() if command}
