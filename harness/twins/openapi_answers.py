"""Answers as an OpenAPI document has them: their status, their body and the headers that they must have."""

import json
from collections.abc import Mapping
from typing import Any

from ..values.errors import ChaosError
from ..values.http import HttpResponse
from . import rest
from .openapi_document import Node
from .openapi_paths import Operation, Paths, media_of
from .openapi_values import MISSING, Maker, Unknown, type_of

_MESSAGES = ("message", "detail", "title", "description", "errordescription", "msg", "reason", "errormessage")
_STATUSES = ("status", "statuscode", "httpstatus", "code", "errorcode")
_SAYS_NO = ("success", "ok", "succeeded")
_PARTS = ("error", "errors", "detail", "details")
_USUAL = {
    400: "The request is not valid.",
    401: "The credentials were refused.",
    403: "This is not allowed.",
    404: "There is no such thing.",
    429: "Too many requests.",
    500: "Something went wrong.",
    503: "The service is not available.",
}
_WORDS = {
    400: ("invalid", "bad", "valid"),
    401: ("auth", "token", "credential"),
    403: ("forbidden", "permission", "auth"),
    404: ("not_found", "notfound", "missing", "unknown"),
    409: ("conflict", "exist", "duplicate"),
    422: ("invalid", "valid", "unprocess"),
    429: ("rate", "limit", "many"),
    500: ("internal", "server", "api"),
    503: ("unavail", "overload", "server", "api"),
}
"""Parts of the words by which services name an error: the first one that a list of allowed words has is taken."""
_NAMES = {401: "unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict", 429: "rate_limited"}


class Answers:
    """Makes answers that a document allows."""

    def __init__(self, paths: Paths) -> None:
        self._document, self._paths = paths.document, paths

    def success(self, operation: Operation, status: int, known: Any, maker: Maker) -> HttpResponse:
        """Return the success of an operation, with all known values in it.

        Raises:
            ChaosError: ``bad-openapi`` where nothing that the document allows can be made.
        """
        response = operation.response(status) or {}
        headers = self._headers(response, maker)
        kind, media = media_of(self._document, response)
        if not kind or status in (204, 304):
            return HttpResponse(status, headers)
        what = f"{operation.method.upper()} {operation.path}"
        body = self._body(kind, media, known, maker, what)
        return HttpResponse(status, {"content-type": _sent_as(kind), **headers}, self._written(kind, body, what))

    def _body(self, kind: str, media: Node, known: Any, maker: Maker, what: str) -> Any:
        """Return the body of an answer; in XML it is the text that the document has as an example."""
        example = _example(self._document, media)
        if "xml" in kind and isinstance(example, str):
            return example
        return self.made(media.get("schema", {}), known, maker, what, example)

    def made(self, schema: Any, known: Any, maker: Maker, what: str, example: Any = MISSING) -> Any:
        """Return a value for a schema: with the known values in it, else the document's example, else any one."""
        problem = ""
        for attempt in (known, example, MISSING):
            try:
                value = attempt if attempt is example is not MISSING else maker.value(schema, attempt, "", example)
            except Unknown as unknown:
                problem = problem or str(unknown)
                continue
            misfit = self._document.misfit(schema, value)
            if misfit is None:
                return value
            problem = problem or misfit
        hint = f"give the schema an example, or answer yourself: .route({what.partition(' ')[0]!r}, …)"
        raise ChaosError("bad-openapi", f"no answer to {what} can be made of {self._document.name}: {problem}", hint)

    def error(
        self, operation: Operation | None, status: int, message: str, headers: Mapping[str, str] | None = None
    ) -> HttpResponse:
        """Return a refusal in the document's words for the status; in the usual words where it has none."""
        said = message or _USUAL.get(status) or f"The request failed with status {status}."
        for response in self._responses(operation, status):
            kind, media = media_of(self._document, response)
            maker = Maker(self._document, "error", _told(status, said))
            schema = media.get("schema", {})
            known = "" if type_of(self._document.flat(schema)) == "string" else self._skeleton(schema, said)
            try:
                body = self._body(kind, media, known or said, maker, f"an error {status}")
                text = self._written(kind, body, f"an error {status}")
            except ChaosError:
                continue  # an error that only the document's author could write: the next best one is said
            found = {"content-type": _sent_as(kind), **self._headers(response, maker), **(headers or {})}
            return HttpResponse(status, found, text)
        return rest.error(status, message, headers)

    def _responses(self, operation: Operation | None, status: int) -> list[Node]:
        """Return the responses whose body may say no with a status, the best one first."""
        own = operation.response(status) if operation is not None else None
        if operation is not None and not operation.can_succeed and str(status) not in operation.responses:
            own = None  # ``default`` is how all goes well
        usual = self._paths.error_responses
        keys = [str(status), f"{status // 100}XX", "default", *(() if own else sorted(usual))]
        found = [own, *(usual.get(key) for key in keys)] if own is not None else [usual.get(key) for key in keys]
        if own is not None and media_of(self._document, own)[0]:
            return [own]
        return [one for one in found if one is not None and media_of(self._document, one)[0]]

    def _skeleton(self, schema: Any, message: str, depth: int = 0) -> dict[str, Any]:
        """Return the objects and lists of an error that hold its message."""
        flat, known = self._document.flat(schema), dict[str, Any]()
        for branch in (*flat.get("oneOf", ()), *flat.get("anyOf", ()))[:1]:
            known.update(self._skeleton(branch, message, depth))
        for name, schema in flat.get("properties", {}).items():
            part = self._document.flat(schema)
            kind, is_part = type_of(part), name.lower() in _PARTS and depth < 3
            if kind == "object" and is_part:
                known[name] = self._skeleton(part, message, depth + 1)
            elif kind == "array" and (is_part or depth):
                items = type_of(self._document.flat(part.get("items", {})))
                known[name] = [{} if items == "object" else message]
        return known

    def _headers(self, response: Node, maker: Maker) -> dict[str, str]:
        """Return the headers that an answer must have."""
        found = {}
        for name, header in response.get("headers", {}).items():
            node = self._document.resolve(header)
            if node.get("required") and "schema" in node and name.lower() != "content-type":
                value = maker.value(node["schema"], MISSING, name)
                found[name.lower()] = value if isinstance(value, str) else json.dumps(value)
        return found

    def _written(self, kind: str, body: Any, what: str) -> bytes:
        if "json" in kind or "*" in kind or not isinstance(body, str):
            if "json" not in kind and "*" not in kind:
                example = "give the answer in XML an example, a text, or " if "xml" in kind else ""
                hint = f"{example}answer yourself: .route({what.partition(' ')[0]!r}, …, handler)"
                text = f"{what} of {self._document.name} answers with {kind}; JSON and plain texts are made"
                raise ChaosError("bad-openapi", text, hint)
            return json.dumps(body, ensure_ascii=False).encode()
        return body.encode()


def _sent_as(kind: str) -> str:
    return "application/json" if "*" in kind else kind


def _example(document: Any, media: Node) -> Any:
    """Return the example of a whole body."""
    if "example" in media:
        return media["example"]
    examples = [document.resolve(one) for one in media.get("examples", {}).values()]
    return next((one["value"] for one in examples if "value" in one), MISSING)


def _told(status: int, message: str) -> Any:
    """Return the `told` of a Maker for the values of an error, by the names of its properties."""

    def told(name: str, schema: Node) -> Any:
        plain, kind = name.replace("_", "").replace("-", "").lower(), type_of(schema)
        if "enum" in schema and kind == "string":
            parts = _WORDS.get(status, ("api", "server") if status >= 500 else ("invalid",))
            words = [word for part in parts for word in schema["enum"] if part in str(word).lower()]
            return words[0] if words else MISSING
        if kind == "boolean":
            return False if plain in _SAYS_NO else MISSING
        if kind == "integer":
            return status if plain in _STATUSES else MISSING
        if kind not in ("string", None) or schema.get("format") or "default" in schema:
            return MISSING
        if plain in _MESSAGES:
            return message
        if plain in ("status", "statuscode"):
            return str(status)
        word = _NAMES.get(status, "server_error" if status >= 500 else "invalid_request")
        return word if plain in ("id", "code", "type", "error", "errorcode", "kind") else MISSING

    return told
