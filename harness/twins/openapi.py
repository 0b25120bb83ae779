"""An OpenAPI document that answers for a service, and the things that it keeps."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from ..values.errors import ChaosError, shown
from ..values.http import HttpRequest, HttpResponse
from ..values.world import Row
from .handlers import Handlers, beside_of, read_state
from .openapi_acts import Acts, Call
from .openapi_answers import Answers
from .openapi_checks import Checks, Rejected
from .openapi_document import read
from .openapi_paths import Paths, Template
from .openapi_things import Things
from .plain_data import dumped, rows_by_name
from .route_options import things_in
from .store import FirstAnswers, KeyReused

_MOST_REMEMBERED = 5_000


class OpenApi(Handlers):
    """Answers as an OpenAPI document says, from things that are kept by path; by a handler where a route fits.

    - POST on a collection makes a thing: what was sent is kept, its id and all else that the response needs are made
      of the document: defaults, examples, words of an enum, formats, types. The same state makes the same things.
    - GET, PUT, PATCH and DELETE act on a thing by its path; what is not there is a 404. Lists have the form that the
      document gives them; parameters that are properties filter, those of pages cut.
    - POST below a thing, where nothing can be read, acts on it if the answer is the thing: what its properties can show
      (``status: refunded``) is changed; else what was sent is kept at that path.
    - A request that does not fit the document is refused, in the document's words for it. ``readOnly`` properties that
      are sent are passed over. Credentials have to be there where the document wants them, whatever they are.
    - ``Idempotency-Key`` counts for POST, as with ``chaos.api``.

    Args:
        source: path of the document, or the document.
        base_url: of the service. Where the document's own servers have a path, it may be left out there.
        state: what there is before: ``{"users": [{…}]}``, or by id; ``{"me": {…}}`` for what there is one of.
        lag: how many further requests there are before lists show what was made.
    """

    def __init__(self, source: Any, base_url: str, state: Any, lag: int = 0) -> None:
        super().__init__(self._documented, base_url, {"resources": {}, "created": {}, "replies": {}}, lag)
        document = read(source)
        self._paths, self._checks = Paths(document), Checks(document)
        self._answers = Answers(self._paths)
        self._prefixes = _prefixes(document.root, self.base)
        self._answered: dict[bytes, tuple[object, bytes]] = {}
        self._seed(json.loads(dumped(state, f"the state of {base_url}")))

    def describe(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return the rows of a state by the kind of their path: all orders of all users are ``users/*/orders``."""
        found: dict[str, list[Row]] = {}
        for name, rows in read_state(state)["resources"].items():
            for kind, some in self._rows(name, rows).items():
                found.setdefault(kind, []).extend(some)
        return found

    def full(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return all that a later request can meet: first answers by their keys, too."""
        beside = beside_of(state)
        keys = [*FirstAnswers(read_state(state)["replies"]).rows(), *beside.pop("idempotency-keys", [])]
        return {**self.describe(state), **beside, **({"idempotency-keys": keys} if keys else {})}

    def target(self, request: HttpRequest) -> str:
        """Return the path of a request: the template of its operation, with ``*`` for each parameter."""
        if self.routed(request) is not None or (found := self._found(request)) is None:
            return super().target(request)
        template, _, prefix = found
        return f"{prefix}{template.target}"

    def answer(self, request: HttpRequest) -> object:
        """Return the document's answer; the same request in the same state is worked out once."""
        if self.routed(request) is not None:
            return super().answer(request)
        asked = (request.method, request.url, sorted(request.headers.items()), request.body, self.save())
        key = sha256(repr(asked).encode()).digest()
        if key not in self._answered:
            if len(self._answered) > _MOST_REMEMBERED:
                self._answered.clear()
            self._answered[key] = (super().answer(request), self.save())
        answer, after = self._answered[key]
        self.restore(after)
        return answer

    def refusal(self, request: HttpRequest, status: int, reason: str) -> HttpResponse:
        """Return a refusal in the document's words."""
        found = self._found(request)
        operation = found[0].operations.get(request.method.lower()) if found is not None else None
        return self._answers.error(operation, status, reason)

    def given(self) -> Any:
        """Return the things, as a handler of the user's own gets them."""
        return self.data["resources"]

    def things(self) -> frozenset[str]:
        """Return the things that lists can have, ``collection/key``; a single thing is in none."""
        kept = self.given() if self.longest_lag else {}
        return things_in({name: rows for name, rows in kept.items() if not self._things().is_single(name)})

    def _documented(self, request: HttpRequest, state: object) -> HttpResponse:
        if (found := self._found(request)) is None:
            return self._answers.error(None, 404, f"There is nothing at {request.path}")
        template, parameters, _ = found
        method = request.method.lower()
        operation = template.operations.get("get" if method == "head" and "head" not in template.operations else method)
        if operation is None:
            allowed = ", ".join(template.operations).upper()
            text = f"{request.method} is not allowed at {request.path}; allowed: {allowed}."
            return self._answers.error(None, 405, text, {"allow": allowed})
        before = self.save()
        try:
            call = Call(template, operation, parameters, request, self._checks.body(operation, request, parameters))
            answer = self._once(call)
        except Rejected as rejected:
            self.restore(before)
            answer = self._answers.error(operation, operation.refusal(*rejected.statuses), rejected.message)
        if method != "head":
            return answer
        return HttpResponse(answer.status, {**answer.headers, "content-length": str(len(answer.body))})

    def _once(self, call: Call) -> HttpResponse:
        """Act on a request, or answer as the first time where a POST has a key that was there before."""
        acts = Acts(self._things(), self._answers, self.beside.late(self.lag), self.lag)
        try:
            return FirstAnswers(self.data["replies"]).answer(call.request, call.body, lambda: acts.act(call))
        except KeyReused as problem:
            raise Rejected(str(problem), 409, 422, 400) from None

    def _things(self) -> Things:
        return Things(self._paths, self.data["resources"], self.data["created"])

    def _found(self, request: HttpRequest) -> tuple[Template, dict[str, str], str] | None:
        """Return the template of a request's path, its parameters, and the part of the path before it."""
        for prefix in self._prefixes:
            path = request.path.removeprefix(prefix)
            if request.path.startswith(prefix) and (found := self._paths.find(path or "/")) is not None:
                return *found, prefix
        return None

    def _seed(self, state: Any) -> None:
        hint = 'things by the path that they are at: state={"users": [{"id": "u1", "name": "Ada"}]}'
        if state is not None and not isinstance(state, dict):
            raise ChaosError("bad-state", f"the state of {self.base_url} is {shown(state)}", hint)
        things = self._things()
        for path, rows in (state or {}).items():
            name = path.strip("/")
            single = things.is_single(name)
            if things.collection(name) is None and not single:
                known = ", ".join(sorted(one.strip("/") for one in self._paths.by_path)[:12])
                raise ChaosError("bad-state", f"nothing is at {shown(path)} in the document", f"{hint}\npaths: {known}")
            listed = list(rows.items()) if isinstance(rows, dict) else [("", row) for row in rows or ()]
            if single and isinstance(rows, dict):
                things.resources[name] = rows
            elif all(isinstance(row, dict) for _, row in listed):
                for key, row in listed:
                    things.seed(name, row, key)
            else:
                raise ChaosError("bad-state", f"the state of {self.base_url} has {shown(rows)} at {path!r}", hint)
        self.keep()

    def _rows(self, name: str, rows: Any) -> dict[str, list[Row]]:
        """Return the things at a path as rows, each with the ids of the things above it: ``{"users id": "u1"}``."""
        things = self._things()
        path = things.collection(name)
        if path is None:
            return rows_by_name({name: rows})
        kind, below = list[str](), dict[str, str]()
        for word, part in zip(path.strip("/").split("/"), name.split("/"), strict=True):
            if "{" in word:
                below[f"{kind[-1]} id" if kind and kind[-1] != "*" else word.strip("{}")] = part
            kind.append("*" if "{" in word else word)
        if things.is_single(name):
            rows = {"": rows or {"there": True}}
        field = things.field(path)
        shown_rows = (
            rows_by_name({name: rows})
            if isinstance(rows, list)
            else {name: [row if not key or field in row else {"id": key, **row} for key, row in rows.items()]}
        )
        return {"/".join(kind): [{**row, **below} for some in shown_rows.values() for row in some]}


def _prefixes(root: Mapping[str, Any], base: str) -> list[str]:
    """Return the possible prefixes of a path of the document: the base URL's path, and the paths of its servers."""
    urls = [str(server.get("url", "")) for server in root.get("servers", ()) if "{" not in str(server.get("url", ""))]
    servers = [urlsplit(url).path.rstrip("/") for url in urls]
    below = [f"{base}{path}" for path in servers if not base.endswith(path)]
    return list(dict.fromkeys([base, *below, ""]))
