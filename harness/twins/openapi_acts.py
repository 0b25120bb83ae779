"""The operations of an OpenAPI document, carried out: they make, change, list or delete things, and answer."""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

from ..values.http import HttpRequest, HttpResponse
from ..values.world import Row
from .openapi_answers import Answers
from .openapi_checks import Rejected
from .openapi_effects import acted
from .openapi_lists import page_of, wrapped
from .openapi_paths import Form, Operation, Template, form_of, last_word, thing_of
from .openapi_things import Things, filled
from .openapi_values import MISSING, Maker, type_of
from .route_options import not_yet

_LEAVES_NOTHING = re.compile(
    r"^(log|sign)-?(in|out)\b|^(auth|authenticate|token|search|query|validate|verify|preview|estimate|calculate|ping)\b"
)
"""Names of what is posted to be told something: whether it is asked once or twice makes no difference."""
_DONE = ("deleted", "success", "ok", "succeeded", "acknowledged")


@dataclass(frozen=True, slots=True)
class Call:
    """A request that the document lets through.

    Attributes:
        parameters: of its path.
        body: what it sends, as JSON has it; None for nothing.
    """

    template: Template
    operation: Operation
    parameters: Mapping[str, str]
    request: HttpRequest
    body: Any

    @property
    def name(self) -> str:
        """Return the path by which its things are kept: ``users/u1/orders``."""
        return filled(self.template.path, self.parameters)

    @property
    def key(self) -> str:
        """Return the key by which the path names a thing."""
        return self.parameters[self.template.key]

    @property
    def content(self) -> Row:
        """Return the sent thing, without an object around it such as ``{"user": {…}}``."""
        body = self.body if isinstance(self.body, dict) else {} if self.body is None else {"value": self.body}
        schemas = self.operation.body_schemas()
        form = form_of(self.operation.document, schemas[0], self.template.path) if schemas else Form("")
        inside = body.get(form.at) if form.kind == "thing" and form.at else None
        return dict(inside) if isinstance(inside, dict) else dict(body)


class Acts:
    """Carries out requests on things, and answers them.

    Args:
        things: are changed.
        answers: makes the responses.
        late: the things that lists do not show yet, ``collection/key``.
        lag: by how many requests lists lag.
    """

    def __init__(self, things: Things, answers: Answers, late: Set[str], lag: int) -> None:
        self._things, self._answers, self._late, self._lag = things, answers, late, lag
        self._paths, self._document = things.paths, things.paths.document

    def act(self, call: Call) -> HttpResponse:
        """Carry out a request and return the answer; raises Rejected."""
        template = call.template
        self._things.require_above(template, call.parameters)
        if template.of_thing:
            return self._on_thing(call)
        if self._paths.is_collection(template):
            return self._on_collection(call)
        if self._paths.is_single(template):
            return self._on_single(call)
        above, method = self._paths.above(template), call.operation.method
        if above is not None and above.of_thing:
            return self._action(call, above)
        if method != "post":
            return self._on_single(call)
        if call.operation.form.kind == "list" and not isinstance(call.body, list):
            return self._list(call)
        return self._create(call)

    def _on_thing(self, call: Call) -> HttpResponse:
        name, key = call.name.rpartition("/")[0], call.key
        path, rows = call.template.path.rpartition("/")[0], self._things.rows(call.name.rpartition("/")[0])
        match call.operation.method:
            case "put" if key not in rows and self._paths.puts_new(call.template):
                return self._put(call, path, (name, key), 201)
            case "put" | "patch" | "post" if key in rows:
                return self._put(call, path, (name, key), 200)
            case "delete" if key in rows:
                row = rows[key]
                self._things.remove(name, key)
                return self._succeed(call, row, (204, 200, 202), f"{name}/{key}", done=True)
            case _ if key in rows:
                return self._succeed(call, rows[key], (200,), f"{name}/{key}")
        raise Rejected(f"There is no {thing_of(path)} {key!r}.", 404)

    def _on_collection(self, call: Call) -> HttpResponse:
        name, path = call.name, call.template.path
        match call.operation.method:
            case "post":
                return self._create(call)
            case "get" | "head":
                return self._list(call)
            case "delete":
                for key in list(self._things.rows(name)):
                    self._things.remove(name, key)
                return self._succeed(call, {}, (204, 200, 202), name, done=True)
        key = str(call.content.get(self._things.field(path), ""))
        if key not in self._things.rows(name):
            raise Rejected(f"There is no {thing_of(path)} {key!r}.", 404)
        return self._put(call, path, (name, key), 200)

    def _on_single(self, call: Call) -> HttpResponse:
        name, resources = call.name, self._things.resources
        there, reading = name in resources, call.template.operations.get("get", call.operation)
        # A document that lets it be made and says 404 means that it can be missing; else it is always there.
        can_be_gone = "404" in reading.responses and len(call.template.operations) > 1
        if not there and can_be_gone and call.operation.method not in ("put", "patch", "post"):
            raise Rejected("There is no such thing.", 404)
        match call.operation.method:
            case "put" | "patch" | "post":
                resources[name] = self._changed(call, call.template.path, resources.get(name, {}), name)
                return self._succeed(call, resources[name], (200, 204, 201) if there else (201, 200, 204), name)
            case "delete":
                return self._succeed(call, resources.pop(name, {}), (204, 200, 202), name, done=True)
        return self._succeed(call, resources.get(name, {}), (200, 204), name)

    def _create(self, call: Call) -> HttpResponse:
        """Make a thing of the body, or one of each element of a list."""
        path, name = call.template.path, call.name
        if _LEAVES_NOTHING.search(last_word(path)) and not self._paths.is_collection(call.template):
            return self._succeed(call, {}, (200, 201, 202, 204), name)
        if not isinstance(call.body, list):
            key, row = self._made(call, path, name, call.content)
            return self._succeed(call, row, (201, 200, 202, 204), f"{name}/{key}", key)
        above = self._paths.above(call.template)
        if above is not None and self._paths.is_collection(above):
            path, name = above.path, name.rpartition("/")[0]
        made = [self._made(call, path, name, one if isinstance(one, dict) else {"value": one}) for one in call.body]
        if call.operation.form.kind == "list":
            page = page_of(call.operation, call.request, dict(made), {})
            return self._answer(call, (201, 200, 202, 204), self._wrap(call, page), name)
        return self._succeed(call, made[0][1] if made else {}, (201, 200, 202, 204), name)

    def _made(self, call: Call, path: str, name: str, sent: Row) -> tuple[str, Row]:
        """Keep a new thing, and return it with its key."""
        fixed = self._paths.read_only(path)
        sent = {key: value for key, value in sent.items() if key not in fixed}
        key, id = self._things.new_key(name, path, sent)
        refuses = {"409", "4XX", *(("default",) if call.operation.can_succeed else ())}
        if key in self._things.rows(name) and refuses & call.operation.responses.keys():
            raise Rejected(f"There is a {thing_of(path)} {key!r} already.", 409)
        field = self._things.field(path)
        ids: Row = {field: id} if field else {}
        if field not in ("", "id") and "id" in self._paths.properties(path):
            # One that no path names, as of a ticket that is known by its number.
            ids["id"] = sent.get("id", self._things.numbered(name, path, "id"))
        row = self._completed(path, {**sent, **ids}, call, f"{name}/{key}")
        self._things.keep(name, key, row)
        return key, row

    def _put(self, call: Call, path: str, place: tuple[str, str], status: int) -> HttpResponse:
        """Change a thing, or make it by the key that its path has; `place` is the collection and the key."""
        (name, key), field = place, self._things.field(path)
        old = self._things.rows(name).get(key, {})
        known = {**old, **({field: old.get(field, self._things.typed(path, key))} if field else {})}
        row = self._changed(call, path, known, f"{name}/{key}")
        self._things.keep(name, key, row)
        return self._succeed(call, row, (status, 200, 204, 202), f"{name}/{key}", key)

    def _changed(self, call: Call, path: str, old: Row, seed: str) -> Row:
        """Return a thing with the sent properties; PUT removes those that a client could have sent and did not."""
        method = call.operation.method
        fixed = self._paths.read_only(path) | {self._things.field(path)}
        sent = {key: value for key, value in call.content.items() if key not in fixed}
        for key in sorted(self._paths.properties(path).keys() - fixed) if method == "post" else ():
            if key in call.request.query:
                sent.setdefault(key, call.request.query[key])
        if call.operation.replaces:
            old = {key: value for key, value in old.items() if key in fixed or key not in call.operation.sendable}
        return self._completed(path, {**old, **sent}, call, seed)

    def _completed(self, path: str, content: Row, call: Call, seed: str) -> Row:
        """Return a thing with all that the service adds to what is known of it."""
        maker = Maker(self._document, seed, _told_by(call.parameters), call.operation.sendable)
        what = f"{call.operation.method.upper()} {call.operation.path}"
        made = self._answers.made(self._paths.schema_of(path), content, maker, what)
        # What no answer shows was sent all the same.
        made = made if isinstance(made, dict) else {}
        return {**made, **{key: content[key] for key in sorted(content) if key not in made}}

    def _action(self, call: Call, above: Template) -> HttpResponse:
        """Act on the thing above: ``POST /charges/{id}/refund``; DELETE undoes it.

        Where no property of the thing can show that it was done, the body is kept below it.
        """
        collection, _, key = filled(above.path, call.parameters).rpartition("/")
        schema, method = self._paths.schema_of(above.path.rpartition("/")[0]), call.operation.method
        form, rows = call.operation.form, self._things.rows(collection)
        is_other = form.kind and form.schema and not self._document.same(form.schema, schema)
        if key not in rows or is_other:
            return self._create(call) if method == "post" else self._on_single(call)
        action = f"{'un' if method == 'delete' else ''}{last_word(call.template.path)}"
        row, shows = acted(self._document, schema, rows[key], call.content, action)
        self._things.keep(collection, key, row)
        if not shows and method == "delete":
            self._things.resources.pop(call.name, None)
        elif not shows:
            self._made(call, call.template.path, call.name, call.content)
        statuses = (204, 200, 202) if method == "delete" else (200, 201, 204, 202)
        return self._succeed(call, row, statuses, f"{collection}/{key}")

    def _list(self, call: Call) -> HttpResponse:
        name, schema, above = call.name, call.operation.form.schema, self._paths.above(call.template)
        has_own = self._paths.below(call.template.path) is not None or above is None
        if not has_own and above is not None and self._paths.is_collection(above):
            # Another way to look at the things above: /pets/findByStatus.
            is_same = self._document.same(schema, self._paths.schema_of(above.path))
            name = name.rpartition("/")[0] if is_same else name
        rows = self._things.rows(name)
        late = {key: row for key, row in rows.items() if f"{name}/{key}" in self._late}
        shown = {key: row for key, row in rows.items() if key not in late}
        page = page_of(call.operation, call.request, shown, schema, late)
        answer = self._answer(call, (200,), self._wrap(call, page), name)
        if page.late:
            answer = replace(answer, note=not_yet(call.request, [f"{name}/{key}" for key in page.late], self._lag))
        has_link = "link" in map(str.lower, (call.operation.response(answer.status) or {}).get("headers", {}))
        if not has_link or not page.next_url:
            return answer
        return replace(answer, headers={**answer.headers, "link": f'<{page.next_url}>; rel="next"'})

    def _wrap(self, call: Call, page: Any) -> Any:
        return wrapped(self._document, call.operation.schema(200, 201, 202), call.operation.form, page)

    def _succeed(
        self, call: Call, row: Row, statuses: tuple[int, ...], seed: str, key: str = "", done: bool = False
    ) -> HttpResponse:
        """Answer with a thing, in the form that the document has for it; `done` says that it is taken away."""
        form = form_of(self._document, call.operation.schema(*statuses), call.template.path)
        inside: Any = [row] if form.kind == "list" else row
        known = ({form.at: inside} if form.at else inside) if form.kind else MISSING
        answer = self._answer(call, statuses, known, seed, done)
        response = call.operation.response(answer.status) or {}
        if not key or "location" not in map(str.lower, response.get("headers", {})):
            return answer
        place = call.request.path if call.template.of_thing else f"{call.request.path.rstrip('/')}/{key}"
        return HttpResponse(answer.status, {**answer.headers, "location": place}, answer.body)

    def _answer(self, call: Call, statuses: tuple[int, ...], known: Any, seed: str, done: bool = False) -> HttpResponse:
        maker = Maker(self._document, seed, _is_done if done else _told_by(call.parameters))
        return self._answers.success(call.operation, call.operation.status(*statuses), known, maker)


def _told_by(parameters: Mapping[str, str]) -> Any:
    """Return the `told` of a Maker for values that the path has already: an order below a user has its ``user_id``."""
    known = {name.replace("_", "").lower(): value for name, value in parameters.items() if name.lower() != "id"}

    def told(name: str, schema: Mapping[str, Any]) -> Any:
        value = known.get(name.replace("_", "").lower())
        if value is None:
            return MISSING
        return int(value) if type_of(schema) == "integer" and value.isdigit() else value

    return told


def _is_done(name: str, schema: Mapping[str, Any]) -> Any:
    return True if name.lower() in _DONE and type_of(schema) == "boolean" else MISSING
