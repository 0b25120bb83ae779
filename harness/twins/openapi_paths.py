"""The paths of an OpenAPI document: the template that a request fits, and the collection or thing behind it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from .openapi_document import Document, Node
from .openapi_values import type_of
from .store import singular

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PARAMETER = re.compile(r"\{([^{}]+)\}")
_LISTS = ("data", "items", "results", "values", "records", "entries", "list", "content", "value", "resources", "rows")
_PAGE_WORDS = re.compile(r"total|count|next|prev|cursor|page|has_?more|offset|limit|meta|links|size", re.IGNORECASE)
_ENVELOPES = ("data", "result", "item", "resource", "response")


@dataclass(frozen=True, slots=True)
class Form:
    """The place of a thing or a list in an answer or a body.

    Attributes:
        kind: "list", "thing", or "" for neither.
        at: the property that has the list or the thing; "" where it is the whole.
        schema: of one thing.
    """

    kind: str
    at: str = ""
    schema: Any = field(default_factory=dict)


def form_of(document: Document, schema: Any, path: str) -> Form:
    """Return the form of a schema; the path gives the names under which a list or a thing can be in it."""
    flat = document.flat(schema)
    if not flat:
        return Form("thing" if schema is not None else "", "", {})  # {}: anything, so the thing itself
    branches = [
        one for one in (*flat.get("oneOf", ()), *flat.get("anyOf", ())) if type_of(document.flat(one)) != "null"
    ]
    if branches and "properties" not in flat:
        form = form_of(document, branches[0], path)
        return Form("thing", "", schema) if form.kind == "thing" and not form.at else form
    if type_of(flat) == "array":
        return Form("list", "", flat.get("items", {}))
    if type_of(flat) != "object":
        return Form("")
    parts = {key: document.flat(part) for key, part in flat.get("properties", {}).items()}
    if "id" not in parts:
        words = {_plain(word) for word in path.split("/")} | {
            _plain(singular(word)) for word in path.split("/") if word
        }
        lists = [key for key, part in parts.items() if type_of(part) == "array"]
        likely = [key for key in lists if key.lower() in (*_LISTS, *words)]
        paged = any(_PAGE_WORDS.search(key) for key in parts if key not in lists)
        if likely or (len(lists) == 1 and (paged or len(parts) == 1)):
            at = [*likely, *lists][0]
            return Form("list", at, parts[at].get("items", {}))
        things = [key for key, part in parts.items() if type_of(part) in ("object", None) and document.properties(part)]
        inside = [key for key in things if len(parts) == 1 or key.lower() in (*words, *_ENVELOPES)]
        if inside:
            return Form("thing", inside[0], flat["properties"][inside[0]])
    return Form("thing", "", schema)


def _plain(name: str) -> str:
    return name.replace("-", "_").lower()


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """An operation of the document: one method at one path.

    Attributes:
        document: has it.
        path: template of the path.
        method: in small letters.
        node: of the document.
        parameters: those of the path among them.
    """

    document: Document
    path: str
    method: str
    node: Node
    parameters: Sequence[Node]

    @property
    def responses(self) -> Node:
        """Return the responses by their status, as the document has them."""
        responses: Node = self.node.get("responses", {})
        return responses

    def response(self, status: int) -> Node | None:
        """Return the document's response for a status: by its number, its hundred (``4XX``), or ``default``."""
        for key in (str(status), f"{status // 100}XX", "default"):
            if key in self.responses:
                found: Node = self.document.resolve(self.responses[key])
                return found
        return None

    def status(self, *wanted: int) -> int:
        """Return the first of some statuses that the document has; then any of its successes, then the first one."""
        for status in wanted:
            if str(status) in self.responses:
                return status
        well = [int(key) for key in self.responses if key.isdigit() and key[0] in "23"]
        return well[0] if well and "2XX" not in self.responses else wanted[0]

    def refusal(self, *wanted: int) -> int:
        """Return the first of some statuses that the document has by its own number, then the first one of all."""
        known = [status for status in wanted if str(status) in self.responses]
        usual = [status for status in wanted if status != 422]  # not every service knows it
        return [*known, *usual, *wanted][0]

    def schema(self, *statuses: int) -> Any:
        """Return the schema of the answer with the first of some statuses that the document has, or None."""
        kind, media = media_of(self.document, self.response(self.status(*statuses)) or {})
        return media.get("schema", {}) if kind else None

    @property
    def can_succeed(self) -> bool:
        """Return whether the document has a response for a success, other than ``default``."""
        return any(key[0] in "23" for key in self.responses)

    @property
    def form(self) -> Form:
        """Return the form of its success."""
        return form_of(self.document, self.schema(200, 201, 202), self.path)

    @property
    def sendable(self) -> frozenset[str]:
        """Return the names of the properties that a client may send."""
        names = {one["name"] for one in self.parameters if one["in"] == "query"}
        for schema in self.body_schemas():
            flat = self.document.flat(schema)
            properties = self.document.properties(flat.get("items", flat))
            names |= properties.keys()
            for part in properties.values():
                names |= self.document.properties(part).keys()
        return frozenset(names)

    @property
    def replaces(self) -> bool:
        """Return whether it removes properties that are not sent: PUT, if its body has required ones."""
        forms = [form_of(self.document, schema, self.path) for schema in self.body_schemas()]
        return self.method == "put" and any(self.document.flat(form.schema).get("required") for form in forms)

    def body_schemas(self) -> list[Any]:
        """Return the schemas of its body, one for each media type."""
        body = self.document.resolve(self.node.get("requestBody", {}))
        return [media["schema"] for media in body.get("content", {}).values() if "schema" in media]


def media_of(document: Document, response: Node) -> tuple[str, Node]:
    """Return the media type of an answer and what the document says of it, JSON where there is a choice; or ""."""
    content = document.resolve(response).get("content", {})

    def rank(kind: str) -> int:
        return 0 if "json" in kind else 1 if kind.endswith("*/*") else 2 if kind.startswith("text/plain") else 3

    best = min(content, key=rank, default="")
    return best, document.resolve(content.get(best, {}))


def thing_of(path: str) -> str:
    """Return the name of one of the things at a path."""
    return singular(last_word(path)) or "thing"


def last_word(path: str) -> str:
    """Return the last word of a path that is no parameter."""
    words = [part for part in path.split("/") if part and not _PARAMETER.search(part)]
    return words[-1] if words else ""


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A path of the document, such as ``/users/{id}/orders``, and what can be done there."""

    path: str
    pattern: re.Pattern[str]
    operations: Mapping[str, Operation]

    @property
    def of_thing(self) -> bool:
        """Return whether it is the path of one thing: its last part is a parameter."""
        return _PARAMETER.search(self.path.rpartition("/")[2]) is not None

    @property
    def key(self) -> str:
        """Return the parameter that is the last part."""
        names: list[str] = _PARAMETER.findall(self.path)
        return names[-1]

    @property
    def names(self) -> list[str]:
        """Return its parameters, in their order."""
        return _PARAMETER.findall(self.path)

    @property
    def target(self) -> str:
        """Return it with ``*`` for each parameter."""
        return _PARAMETER.sub("*", self.path)

    def match(self, path: str) -> dict[str, str] | None:
        """Return the parameters of a path that fits, else None."""
        found = self.pattern.fullmatch(path)
        return None if found is None else dict(zip(self.names, map(unquote, found.groups()), strict=True))


class Paths:
    """The templates of a document, the most concrete ones first."""

    def __init__(self, document: Document) -> None:
        self.document = document
        made = [_template(document, path, document.resolve(node)) for path, node in document.root["paths"].items()]
        self._templates = sorted(made, key=lambda one: [part.count("{") for part in one.path.split("/")])
        self.by_path = {one.path: one for one in self._templates}
        self._known: dict[int, list[Template]] = {}
        for template in self._templates:
            self._known.setdefault(template.path.count("/"), []).append(template)

    def find(self, path: str) -> tuple[Template, dict[str, str]] | None:
        """Return the template of a path below the base URL, with its parameters; a slash at its end is no matter."""
        path = path.rstrip("/") or "/"
        for template in self._known.get(path.count("/"), ()):
            if (parameters := template.match(path)) is not None:
                return template, parameters
        return None

    def below(self, path: str) -> Template | None:
        """Return the template of one thing of a collection."""
        for template in self._known.get(path.count("/") + 1, ()):
            if template.of_thing and template.path.rpartition("/")[0] == path:
                return template
        return None

    def above(self, template: Template) -> Template | None:
        """Return the template that another one is right below of."""
        return self.by_path.get(template.path.rpartition("/")[0])

    def is_single(self, template: Template) -> bool:
        """Return whether there is one thing at a path, with no others beside it."""
        return "get" in template.operations and not template.of_thing and not self.is_collection(template)

    def puts_new(self, template: Template) -> bool:
        """Return whether PUT makes a missing thing: the document says so, or there is no other way to make one."""
        above = self.above(template)
        return "201" in template.operations["put"].responses or above is None or "post" not in above.operations

    def properties(self, collection: str) -> Mapping[str, Any]:
        """Return the schemas of the properties of the things of a collection."""
        return self.document.properties(self.schema_of(collection))

    def read_only(self, collection: str) -> set[str]:
        """Return the properties that no client may change."""
        parts = self.properties(collection).items()
        return {name for name, part in parts if self.document.flat(part).get("readOnly")}

    def is_collection(self, template: Template) -> bool:
        """Return whether there are several things at a path."""
        return not template.of_thing and (
            self.below(template.path) is not None
            or ("get" in template.operations and template.operations["get"].form.kind == "list")
        )

    def schema_of(self, collection: str) -> Any:
        """Return the schema of one thing of a collection, as the service shows it."""
        thing, whole = self.below(collection), self.by_path.get(collection)
        for template, methods in ((thing, ("get", "put", "patch")), (whole, ("post", "get", "put"))):
            for operation in (template.operations.get(method) for method in methods) if template else ():
                if operation is not None and (form := operation.form).kind and form.schema:
                    return form.schema
        post = whole.operations.get("post") if whole else None
        return next(iter(post.body_schemas()), {}) if post else {}

    def key_field(self, collection: str) -> str:
        """Return the property of a thing that its path names it by; "" where none does."""
        properties = self.properties(collection)
        thing = self.below(collection)
        names = {_letters(name): name for name in reversed(list(properties))}
        wanted = list(_keys(thing.key, last_word(collection), names)) if thing else ["id"]
        found: str = next((names[one] for one in wanted if one in names), "")
        return found

    @cached_property
    def error_responses(self) -> Mapping[str, Node]:
        """Return the refusals, by status, that most operations have: for requests that fit no operation."""
        found: dict[str, dict[int, tuple[int, Node]]] = {}
        for template in self._templates:
            for operation in template.operations.values():
                for status, response in operation.responses.items():
                    if status == "default" and not operation.can_succeed:
                        continue  # it is how all goes well
                    node = self.document.resolve(response)
                    if status[0] in "45d" and media_of(self.document, node)[0]:
                        counted = found.setdefault(status, {})
                        counted[id(node)] = (counted.get(id(node), (0, node))[0] + 1, node)
        return {status: max(some.values(), key=lambda one: one[0])[1] for status, some in found.items()}


def _keys(parameter: str, collection: str, names: Iterable[str]) -> Iterator[str]:
    """Yield the names, in small letters, that the property behind a parameter of a path may have, the best one first.

    ``petId`` is ``petId`` or ``id``, ``username`` is that or ``name``, ``floating_ip`` is ``ip``.
    """
    word, one = _letters(parameter), _letters(singular(collection))
    yield word
    yield word.removeprefix(one)
    yield from ("id", "uuid", f"{one}id")
    yield from sorted((name for name in names if len(name) > 1 and word.endswith(name)), key=len, reverse=True)


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _template(document: Document, path: str, node: Node) -> Template:
    bare = path.rstrip("/") or "/"  # frameworks write /users/ and /users/{id}/
    parts = [re.escape(part) for part in _PARAMETER.split(bare)]
    parts[1::2] = ["([^/]+?)" for _ in parts[1::2]]
    shared = [document.resolve(one) for one in node.get("parameters", ())]
    operations = {}
    for method in METHODS:
        if method in node:
            work = document.resolve(node[method])
            own = [document.resolve(one) for one in work.get("parameters", ())]
            named = {(one["name"], one["in"]): one for one in [*shared, *own]}
            operations[method] = Operation(document, path, method, work, tuple(named.values()))
    return Template(bare, re.compile("".join(parts)), operations)
