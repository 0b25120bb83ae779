"""A service of one's own: a function, a web application or an OpenAPI document answers for it and changes its state."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import islice
from typing import Any, Protocol

from ..values import arguments
from ..values.errors import ChaosError, shown
from ..values.http import HttpRequest, HttpResponse
from ..values.world import Row
from . import addresses, operations
from .answers import response_of
from .applications import Application
from .handlers import Handler, Handlers
from .plain_data import differences
from .route_options import RouteOptions

_REFUSALS = {401: "unauthorized", 403: "unauthorized", 429: "rate_limited", 503: "unavailable"}
_KIND = re.compile(r"\w+")
"""As a token has it: nothing that it prints could be replayed otherwise."""
_MOST_REMEMBERED = 20_000
_MOST_SHOWN = 4


class _Backend(Protocol):
    """The part of a service that answers, and keeps its state."""

    def save(self) -> bytes: ...
    def restore(self, state: bytes) -> None: ...
    def describe(self, state: bytes) -> Mapping[str, list[Row]]: ...
    def full(self, state: bytes) -> Mapping[str, list[Row]]: ...
    def answer(self, request: HttpRequest) -> object: ...
    def refusal(self, request: HttpRequest, status: int, reason: str) -> HttpResponse: ...
    def target(self, request: HttpRequest) -> str: ...


class HandledService:
    """A service below `base_url` that a handler answers for, as the contract's row ``service`` describes it.

    From the same state the same request gets the same answer: a handler that keeps something elsewhere, asks a clock
    other than ``request.time`` or draws a number at random is told by ``unrepeatable-service`` as soon as that shows.

    It takes one request at a time. `requests` is a log for the test and no part of the state.

    Args:
        base_url: e.g. ``https://slack.test/api``.
        handler: ``handler(request, state)``, see `handlers.Handlers`; or an ASGI or WSGI application with ``save()``
            and ``restore(state)``, see `applications.Application`; or an OpenAPI document, its path or a dict, see
            `openapi.OpenApi`.
        state: what the service has before the run: plain data, as JSON has it; None is ``{}``.
        refuse: ``refuse(kind)`` returns how the service says no, in the form of an answer; None for a kind leaves it
            to ``{"error": {"type": …, "message": …}}``. Kinds: "rate_limited", "unauthorized", "unavailable",
            "server_error".
        kind: of its points.
        lag: of a document: how many further requests there are before its lists show what was made. A handler has it
            route by route; an application keeps its lists itself.
    """

    def __init__(
        self,
        base_url: str,
        handler: Any,
        *,
        state: Any = None,
        refuse: Callable[[str], object] | None = None,
        kind: str = "http",
        lag: int = 0,
    ) -> None:
        if not isinstance(kind, str) or not _KIND.fullmatch(kind):
            raise ChaosError("bad-service", f"{shown(kind)} is no kind of points", 'one word, e.g. kind="http"')
        self.base_url, self.kind = addresses.base_url(base_url), kind
        self.requests: list[HttpRequest] = []
        if refuse is not None and not callable(refuse):
            hint = 'a function of the kind: refuse=lambda kind: {"ok": False, "error": kind}'
            raise ChaosError("bad-refusal", f"refuse={shown(refuse)} of {self.base_url} is no function", hint)
        self._refusal = refuse
        self._backend: _Backend = _backend(self.base_url, handler, state, lag)
        self._seen: dict[bytes, bytes] = {}
        self.restore(self.save())  # what cannot be saved is told where it is declared
        for name in dict.fromkeys(_REFUSALS.values()) | {"server_error": None} if refuse is not None else ():
            self._refused(name)

    @property
    def state(self) -> Any:
        """Return a copy of the state; that of an application is what its ``save()`` returns."""
        return (
            self._backend.save()
            if isinstance(self._backend, Application)
            else _handlers_of(self.base_url, self._backend).copy()
        )

    def route(
        self,
        method: str,
        path: str,
        handler: Handler,
        *,
        lag: int = 0,
        idempotent: bool = False,
        pages: bool = False,
    ) -> None:
        """Answer by another handler for a method and a path below the base URL: ``/users/{id}/orders``.

        What stands in braces is one part of the path, and an argument of the handler: ``handler(request, state, id)``.
        The first route that fits answers; where none does, the service's own handler. With `lag` the handler of a list
        sees what was made only after so many further requests: new keys of a dict, and new elements of a list, at the
        top of the state. With `idempotent` a POST gets its first answer again where its ``Idempotency-Key`` comes
        again. With `pages` the list that it returns is cut as the query says, see `listing.paged`.
        """
        arguments.check_lag(lag, f"the route {method} {path}")
        options = RouteOptions(lag, idempotent, pages)
        _handlers_of(self.base_url, self._backend).route(method, path, handler, options)

    def set_run(self, run: int) -> None:
        """Do nothing: ids are the handler's, made of its state."""

    def save(self) -> bytes:
        """Return the whole state."""
        return self._backend.save()

    def restore(self, state: bytes) -> None:
        """Put back what `save` returned."""
        self._backend.restore(state)

    def describe(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return the state as rows, by ``host/name`` for each name at its top."""
        return by_place(self.base_url, self._backend.describe(state))

    def full_state(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return the state as `describe` does, with the parts that are hidden there and change later answers."""
        return by_place(self.base_url, self._backend.full(state))

    def verb(self, request: HttpRequest) -> str:
        """Return the method in lower case."""
        return request.method.lower()

    def target(self, request: HttpRequest) -> str:
        """Return the host and the path, with the name of the operation where all go to one path.

        ``api.slack.test/chat.postMessage``, ``api.test/users/*`` for a route ``/users/{id}``, and
        ``api.github.test/graphql/CreateIssue``.
        """
        operation = operations.operation_of(request)
        path = f"{request.host}{self._backend.target(request)}"
        return addresses.in_a_token(f"{path}/{operation}" if operation else path)

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Hand a request to the handler, which acts on it and answers it.

        Raises:
            ChaosError: ``service-failed`` where it raises; ``bad-answer`` and ``bad-state`` for what it leaves behind;
                ``unrepeatable-service`` where it answers otherwise than before.
        """
        self.requests.append(request)
        before, answer, after = self._acted(request)
        if not self._repeats(request, before, answer, after):
            # Asked once more, as the first answer is not kept: what differs now differed then.
            self.restore(before)
            _, again, left = self._acted(request)
            self.restore(after)
            raise _unrepeatable(self.base_url, request, _differing(answer, again, after, left))
        return answer

    def _acted(self, request: HttpRequest) -> tuple[bytes, HttpResponse, bytes]:
        """Call the handler; returns the state before it, its answer, and the state after it."""
        before = self.save()
        what = f"{self.base_url} for {request.method} {request.path}"
        return before, response_of(self._backend.answer(request), f"the handler of {what}"), self.save()

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with an error in the service's own way, without acting."""
        said = self._refused(_REFUSALS.get(status, "server_error")) if self._refusal is not None else None
        if said is None:
            said = self._backend.refusal(request, status, reason)
        return HttpResponse(said.status, {**said.headers, **headers}, said.body)

    def _refused(self, kind: str) -> HttpResponse | None:
        what = f"refuse({kind!r}) of {self.base_url}"
        try:
            said = self._refusal(kind) if self._refusal is not None else None
        except Exception as problem:
            hint = 'it gets "rate_limited", "unauthorized", "unavailable" or "server_error"; None: the usual answer'
            raise ChaosError("bad-refusal", f"{what} raised {problem!r}", hint) from problem
        return None if said is None else response_of(said, what)

    def _repeats(self, request: HttpRequest, before: bytes, answer: HttpResponse, after: bytes) -> bool:
        """Return whether the same request in the same state, if it came before, had this answer and left this state."""
        asked = request.method, request.url, sorted(request.headers.items()), request.body, request.time
        key = _digest(asked, before)
        result = _digest((answer.status, sorted(answer.headers.items()), answer.body), after)
        known = self._seen.setdefault(key, result)
        if len(self._seen) > _MOST_REMEMBERED:
            self._seen.clear()
        return known == result


def _handlers_of(base_url: str, backend: _Backend) -> Handlers:
    if isinstance(backend, Handlers):
        return backend
    hint = "declare the route in the application"
    raise ChaosError("bad-service", f"{base_url} is an application with routes of its own", hint)


def _unrepeatable(base_url: str, request: HttpRequest, differing: Iterable[str]) -> ChaosError:
    """Return the error for an answer, or a state after it, that was another one before."""
    hint = [
        *islice(differing, _MOST_SHOWN),
        "all that it knows is to stand in `state`: no variable beside it, no random number; the time is `request.time`",
        "an id is made of the state, e.g. f\"m{len(state['messages'])}\"",
    ]
    text = f"{base_url} answers {request.method} {request.path} otherwise the second time, in the same state"
    return ChaosError("unrepeatable-service", text, "\n".join(hint))


def _digest(parts: object, state: bytes) -> bytes:
    return sha256(repr(parts).encode() + sha256(state).digest()).digest()


def _differing(one: HttpResponse, other: HttpResponse, state: bytes, other_state: bytes) -> Iterator[str]:
    """Yield in words what differs in two answers and in the states after them."""
    if one.status != other.status:
        yield f"its status: {one.status}, then {other.status}"
    for name in dict.fromkeys([*one.headers, *other.headers]):
        if one.headers.get(name) != other.headers.get(name):
            yield f"its header {name}: {shown(one.headers.get(name))}, then {shown(other.headers.get(name))}"
    yield from differences(one.body, other.body, "its answer")
    yield from differences(state, other_state, "the state after it")


def by_place(base_url: str, rows: Mapping[str, list[Row]]) -> Mapping[str, list[Row]]:
    """Return rows by ``host/name``, with the path of the base URL between the two."""
    place = addresses.place_of(base_url)
    return {f"{place}/{name}": some for name, some in rows.items()}


def _backend(base_url: str, handler: Any, state: Any, lag: int) -> _Backend:
    arguments.check_lag(lag, "chaos.service")
    if isinstance(handler, (str, Mapping)) or hasattr(handler, "__fspath__"):
        return _documented(base_url, handler, state, lag)
    if lag:
        raise _no_lists(base_url, lag, Application.is_one(handler))
    if Application.is_one(handler):
        if state is not None:
            raise ChaosError("bad-service", f"{base_url} is an application: it keeps its state itself", "no state=…")
        return Application(handler, base_url)
    return Handlers(handler, base_url, {} if state is None else state)


def _no_lists(base_url: str, lag: int, is_application: bool) -> ChaosError:
    """Return the error for `lag` of a service whose lists are not known: a handler or an application makes them."""
    if is_application:
        hint = "let its own lists leave out what is new, by a count in what save() returns"
        return ChaosError("bad-lag", f"lag={lag}: {base_url} is an application, which makes its lists itself", hint)
    hint = f'let the route of a list lag: .route("GET", "/things", handler, lag={lag})'
    return ChaosError("bad-lag", f"lag={lag} of {base_url}: nothing says which answers of a handler are lists", hint)


def _documented(base_url: str, source: Any, state: Any, lag: int) -> _Backend:
    try:
        from .openapi import OpenApi
    except ModuleNotFoundError as missing:
        text = f"an OpenAPI document as a service needs {missing.name}"
        raise ChaosError("missing-package", text, "pip install 'rollproof[openapi]'") from None
    return OpenApi(source, base_url, state, lag)
