"""A stateful REST service: things can be created, read, listed, changed and deleted, and it remembers them."""

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import NoReturn
from urllib.parse import urlsplit

from ..values.errors import ChaosError
from ..values.http import HttpRequest, HttpResponse
from ..values.world import Row
from . import addresses
from .answers import Refused, response_of
from .bodies import BadBody, content_of
from .credentials import Credential, Token, shown
from .listing import BadQuery, listed
from .places import Place
from .plain_data import dumped
from .store import FirstAnswers, KeyReused, Store

_ERRORS = {
    400: ("invalid_request_error", "The request is not valid."),
    401: ("authentication_error", "Invalid credentials: the token is wrong, has expired or was revoked."),
    404: ("not_found_error", "No such resource."),
    405: ("invalid_request_error", "Method not allowed."),
    409: ("conflict_error", "There is such a resource already."),
    412: ("precondition_failed", "The resource is not as the request expects it."),
    429: ("rate_limit_error", "Too many requests. Please slow down."),
    500: ("api_error", "An internal error occurred. Please try again."),
    503: ("service_unavailable_error", "The service is temporarily unavailable."),
}


_BEARER = Credential("bearer", "authorization", "", "")


@dataclass(frozen=True, slots=True)
class _Address:
    """The address of the service, and the names of its collections in the outside, which come from it.

    Attributes:
        host: with its port.
        path: before that of each collection.
    """

    host: str
    path: str

    @classmethod
    def of(cls, base_url: str) -> "_Address":
        """Return the address that a base URL stands for."""
        return cls(HttpRequest("GET", base_url).host, urlsplit(base_url).path)

    def place(self, request: HttpRequest) -> Place:
        """Return the collection and the id that a request is about."""
        if not f"{request.path}/".startswith(f"{self.path}/"):
            return Place()
        return Place.of(request.path.removeprefix(self.path))

    def name(self, collection: str) -> str:
        """Return ``host/things``."""
        return f"{self.host}{self.path}/{collection}".rstrip("/")

    def by_kind(self, collections: Mapping[str, list[Row]]) -> dict[str, list[Row]]:
        """Return collections by their names; those that are parts of resources together, each saying of which."""
        found: dict[str, list[Row]] = {}
        for name, rows in collections.items():
            place = Place.of(name)
            if rows and place.above:
                found.setdefault(self.name(place.kind), []).extend({**row, **place.above} for row in rows)
            elif rows:
                found[self.name(name)] = rows
        return found


@dataclass(frozen=True, slots=True)
class _Resources:
    """Carries out requests on the resources of a service.

    Attributes:
        store: has them.
        ids: what the ids of new ones are derived from.
        lag: how many further requests there are before lists show a new one.
        remark: is told what nobody understands.
    """

    store: Store
    ids: str
    lag: int = 0
    remark: Callable[[str], object] = lambda text: None

    def act(self, place: Place, request: HttpRequest) -> HttpResponse:
        """Act on a request for `place`; raises Refused, with the answer, for a request that is not acted on."""
        match request.method.upper(), bool(place.things), bool(place.id):
            case _, False, _:
                return error(404, f"There is nothing at {request.path}")
            case "POST", _, False:
                return self._create(place, request)
            case "HEAD", _, _:
                answer = self.act(place, replace(request, method="GET"))
                return replace(answer, headers={**answer.headers, "content-length": str(len(answer.body))}, body=b"")
            case "GET", _, False:
                return self._list(place, request)
            case "GET", _, True:
                return self._read(self._there(place), request)
            case "PUT", _, True if request.headers.get("if-none-match") == "*":
                return self._put_new(place, request)
            case "PUT", _, True:
                self._as_expected(place, request)
                return self._change(place, _content(request))
            case "PATCH", _, True:
                return self._change(place, {**self._as_expected(place, request), **_content(request)})
            case "DELETE", _, True:
                self._as_expected(place, request)
                self.store.delete(place.collection, place.id)
                return HttpResponse(204)
        return _not_allowed(place, request)

    def _create(self, place: Place, request: HttpRequest) -> HttpResponse:
        content = _content(request)

        def create() -> HttpResponse:
            self._require_parent(place)
            if self.store.get(place.collection, str(content.get("id", ""))) is not None:
                _refuse(409, f"There is one already: {place.collection}/{content['id']}")
            return self._created(place.collection, self.store.create(place.collection, content, self.ids))

        try:
            return FirstAnswers(self.store.replies).answer(request, content, create)
        except KeyReused as problem:
            return error(400, key_reused(problem.key), type="idempotency_error")

    def _list(self, place: Place, request: HttpRequest) -> HttpResponse:
        self._require_parent(place)
        try:
            found = listed(*self.store.listable(place.collection), request)
        except BadQuery as problem:
            return error(400, str(problem))
        for name in found.unknown:
            what = f"nobody understands {name!r} of GET {request.host}{request.path}"
            self.remark(f"{what}: no field of any resource there, and no word for pages, so it was ignored")
        ids = ", ".join(str(row["id"]) for row in found.late)
        note = f"the list of GET {request.path} did not show {ids} yet (lag {self.lag})" if ids else ""
        return replace(HttpResponse.of_json(200, found.rows, {"link": found.link} if found.link else {}), note=note)

    def _read(self, row: Row, request: HttpRequest) -> HttpResponse:
        if request.headers.get("if-none-match") == _tag(row):
            return HttpResponse(304, {"etag": _tag(row)})
        return _of_row(200, row)

    def _created(self, collection: str, row: Row) -> HttpResponse:
        if self.lag:
            self.store.hidden[f"{collection}/{row['id']}"] = self.lag + 1  # the next request counts, too
        return _of_row(201, row)

    def _put_new(self, place: Place, request: HttpRequest) -> HttpResponse:
        """Create a resource by an id of the client's."""
        content = _content(request)
        self._require_parent(place)
        if self.store.get(place.collection, place.id) is not None:
            _refuse(412, f"There is one already: {place.collection}/{place.id}")
        self.store.created.setdefault(place.collection, 0)
        return self._created(place.collection, self.store.put(place.collection, place.id, content))

    def _change(self, place: Place, content: Row) -> HttpResponse:
        return _of_row(200, self.store.put(place.collection, place.id, content))

    def _as_expected(self, place: Place, request: HttpRequest) -> Row:
        """Return the resource of a place; refuses with 404 for none, with 412 where ``If-Match`` does not fit."""
        row, expected = self._there(place), request.headers.get("if-match", "*")
        if expected != "*" and _tag(row) not in expected.replace(" ", "").split(","):
            _refuse(412, f"Somebody has changed {place.collection}/{place.id}: its ETag is not {expected}")
        return row

    def _there(self, place: Place) -> Row:
        row = self.store.get(place.collection, place.id)
        return row if row is not None else _refuse(404, f"No such resource: {place.collection}/{place.id}")

    def _require_parent(self, place: Place) -> None:
        if self.store.is_orphan(place.collection):
            _refuse(404, f"No such resource: {place.collection.rpartition('/')[0]}")


class RestTwin:
    """A REST service below `base_url`, as the contract's row ``api`` describes it.

    Decisions where services differ:

    - The service's own ``id`` wins over one that is posted; that of a resource which is there already is a 409. PATCH
      replaces top-level keys; null is stored as null.
    - ``Idempotency-Key`` counts for POST and follows Stripe: it is global, the first answer comes again (with
      ``Idempotent-Replayed: true``) even after a DELETE, requests that fail validation do not use it up, and another
      body or path under the same key is a 400 ``idempotency_error``.
    - A parameter of a list that is a field of any resource there filters; one that nobody understands is ignored, and
      told in the statement.
    - A resource has an ``ETag``; ``If-Match`` that is another one is a 412. PUT with ``If-None-Match: *`` creates a
      resource by an id of the client's. Lists take the words of pages, see `listing.listed`.
    - ``/orders/ID/items`` is a collection of its own; it goes away with the order. Outside, the items of all orders are
      ``orders/*/items``, and each says whose it is (``"orders id"``).
    - Leading ``/api`` and ``/v1`` belong to the address, whether `base_url` names them or not.
    - A settled resource is still there for GET; only the outside no longer counts it.

    It takes one request at a time. `requests` is a log for the test and no part of the state: it grows until a new list
    is assigned.

    Args:
        base_url: e.g. ``https://api.mail.test`` or ``https://api.test/v1``.
        token: the only credential that is accepted, see `credentials.Token`; None accepts everybody.
        settled: true for a resource that counts as gone.
        seed: what generated ids are derived from.
        resources: those that there are at first, by collection: ``{"things": [{…}]}``.
        lag: how many further requests there are before lists show what was created.

    Attributes:
        remarks: what a user should know of what was asked: parameters that nobody understands.
    """

    kind = "http"

    def __init__(
        self,
        base_url: str,
        *,
        token: Token | None = None,
        settled: Callable[[Row], bool] | None = None,
        seed: int = 0,
        resources: Mapping[str, Sequence[Row]] | None = None,
        lag: int = 0,
    ) -> None:
        self.base_url = addresses.base_url(base_url)
        self.requests: list[HttpRequest] = []
        self._address = _Address.of(self.base_url)
        self._credential = Credential.of(token) if token is not None else None
        self._settled = settled
        self._seed = seed
        self._run = 0
        self._store, self._lag = Store(), lag
        self.remarks: list[str] = []
        for name, rows in (resources or {}).items():
            for row in json.loads(dumped(list(rows), f"seed of {base_url}")):
                self._add(name.strip("/"), row)

    def set_run(self, run: int) -> None:
        """Give things created from now on other ids, as every run of a real service does; 0 is where it starts."""
        self._run = run

    def resources(self, collection: str) -> list[Row]:
        """Return copies of what the service lists under ``things``, in the order of creation, settled ones included."""
        wanted = Place.of(collection)
        found = [rows for name, rows in self._store.collections.items() if wanted.includes(Place.of(name))]
        return [deepcopy(row) for rows in found for row in rows.values()]

    def save(self) -> bytes:
        """Return resources, counters and idempotency keys; not the log."""
        return self._store.dump()

    def restore(self, state: bytes) -> None:
        """Put back what `save` returned."""
        self._store = Store.load(state)

    def describe(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return the resources that are there and not settled, by ``host/things``."""
        collections = Store.load(state).collections
        return self._address.by_kind(
            {name: [r for r in rows.values() if not self._is_settled(r)] for name, rows in collections.items()}
        )

    def full_state(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return all that a later request can meet: settled resources and first answers too, counters not."""
        store = Store.load(state)
        kept = self._address.by_kind({name: list(rows.values()) for name, rows in store.collections.items()})
        keys = FirstAnswers(store.replies).rows()
        hidden = [{"what": name, "requests": left} for name, left in store.hidden.items()]
        name = self._address.name("")
        return {**kept, f"{name}/idempotency-keys": keys, **({f"{name}/not-listed-yet": hidden} if hidden else {})}

    def verb(self, request: HttpRequest) -> str:
        """Return the method in lower case."""
        return request.method.lower()

    def target(self, request: HttpRequest) -> str:
        """Return ``host/things`` or ``host/things/*``."""
        return self._address.name(self._address.place(request).target)

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Act on a request and answer it."""
        self.requests.append(request)
        if self._credential is not None:
            if self._credential.shown_in(request) != self._credential.sent:
                return self.refuse(request, 401, {})
            request = self._credential.without(request)
        self._store.age()
        try:
            resources = _Resources(self._store, f"{self._seed}/{self._run}", self._lag, self._remark)
            return resources.act(self._address.place(request), request)
        except Refused as refused:
            return response_of(refused.answer, self.base_url)

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with an error in the service's own wording, without acting."""
        if status != 401:
            return error(status, reason, headers)
        wanted = self._credential or _BEARER
        if self.credential(request):
            return error(401, reason, {**wanted.challenge(invalid=True), **headers})
        missing = f"Missing credentials: send them as {wanted.how}."
        return error(401, reason or missing, {**wanted.challenge(invalid=False), **headers})

    def credential(self, request: HttpRequest) -> str:
        """Return the credential that a request shows, where this service wants it; "" for none."""
        return shown(request) if self._credential is None else self._credential.shown_in(request)

    def _add(self, collection: str, row: Row) -> None:
        if "id" in row:
            self._store.created.setdefault(collection, 0)
            self._store.put(collection, str(row["id"]), row)
        else:
            self._store.create(collection, row, f"{self._seed}/there")

    def _remark(self, text: str) -> None:
        if text not in self.remarks:
            self.remarks.append(text)

    def _is_settled(self, row: Row) -> bool:
        try:
            return self._settled is not None and bool(self._settled(row))
        except Exception as problem:
            raise ChaosError(
                "settled-failed",
                f"settled of chaos.api({self.base_url!r}) raised {problem!r} for {row!r}",
                "it is asked about every resource of the service: use resource.get(…)",
            ) from problem


def error(status: int, message: str = "", headers: Mapping[str, str] | None = None, type: str = "") -> HttpResponse:
    """Build an error in the service's wording, ``{"error": {"type": …, "message": …}}``; empty means the usual one."""
    usual_type, usual_message = _ERRORS.get(status, ("api_error", f"The request failed with status {status}."))
    return HttpResponse.of_json(
        status, {"error": {"type": type or usual_type, "message": message or usual_message}}, headers
    )


def _refuse(status: int, message: str) -> NoReturn:
    raise Refused(error(status, message))


def _not_allowed(place: Place, request: HttpRequest) -> HttpResponse:
    methods = "GET, PUT, PATCH, DELETE" if place.id else "GET, POST"
    name = f"the resource {place.id!r} of {place.collection!r}" if place.id else f"the collection {place.collection!r}"
    return error(405, f"{request.method} is not allowed on {name}; allowed: {methods}.", {"allow": methods})


def _content(request: HttpRequest) -> Row:
    try:
        return content_of(request)
    except BadBody as problem:
        _refuse(400, str(problem))


def _of_row(status: int, row: Row) -> HttpResponse:
    return HttpResponse.of_json(status, row, {"etag": _tag(row)})


def _tag(row: Row) -> str:
    """Return the ETag of a resource: equal ones have equal tags."""
    return f'"{sha256(json.dumps(row).encode()).hexdigest()[:16]}"'


def key_reused(key: str) -> str:
    """Return the sentence about an idempotency key that comes with another request."""
    return (
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"Try using a key other than '{key}' if you meant to execute a different request."
    )
