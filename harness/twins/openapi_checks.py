"""Requests, checked against an OpenAPI document by openapi-core."""

import json
import warnings
from collections.abc import Iterator, Mapping
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jsonschema.validators import extend  # type: ignore[import-untyped]
from openapi_core import Config, OpenAPI, V30RequestUnmarshaller, V31RequestUnmarshaller, V32RequestUnmarshaller
from openapi_core.datatypes import RequestParameters
from openapi_core.templating.datatypes import TemplateResult
from openapi_core.templating.media_types.exceptions import MediaTypeNotFound
from openapi_core.templating.paths.datatypes import PathOperationServer
from openapi_core.templating.paths.finders import APICallPathFinder
from openapi_core.unmarshalling.schemas import oas30_types_unmarshaller, oas31_types_unmarshaller
from openapi_core.unmarshalling.schemas.factories import SchemaUnmarshallersFactory
from openapi_core.validation.request.exceptions import RequestBodyValidationError, SecurityValidationError
from openapi_core.validation.schemas import oas30_write_schema_validators_factory, oas31_schema_validators_factory
from openapi_core.validation.schemas.factories import SchemaValidatorsFactory
from werkzeug.datastructures import Headers, ImmutableMultiDict

from ..values.http import HttpRequest
from .openapi_document import Document
from .openapi_paths import Operation

_HERE = "http://service"
_MOST_REMEMBERED = 2_000


class Rejected(Exception):
    """A request that the document does not let through.

    Attributes:
        statuses: that say so, the best one first.
        message: what is wrong with it.
    """

    def __init__(self, message: str, *statuses: int) -> None:
        super().__init__(message)
        self.message, self.statuses = message, statuses


class Checks:
    """Reads requests as a document wants them; the same request is read once."""

    def __init__(self, document: Document) -> None:
        write: Any = oas30_write_schema_validators_factory.schema_validator_cls
        if document.version == "3.0":
            # A client that reads a thing, changes it and sends it back sends what it may not write: it is passed over.
            validator: Any = extend(write, {"readOnly": lambda *of_schema: iter(())})
            kind: Any = V30RequestUnmarshaller
            types = oas30_types_unmarshaller
        else:
            # Required and read-only is for answers; nothing in JSON Schema says so.
            base: Any = oas31_schema_validators_factory.schema_validator_cls
            validator = extend(base, {"required": write.VALIDATORS["required"]})
            kind = V31RequestUnmarshaller if document.version == "3.1" else V32RequestUnmarshaller
            types = oas31_types_unmarshaller
        factory = SchemaValidatorsFactory(validator, oas31_schema_validators_factory.format_checker)
        known = oas31_schema_validators_factory.format_checker.checkers
        self._unmarshaller = kind(
            OpenAPI.from_dict(document.root, config=Config(spec_validator_cls=None)).spec,
            base_url=_HERE,
            path_finder_cls=_Finder,
            schema_validators_factory=factory,
            # Values stay what JSON has: a date is a text.
            schema_unmarshallers_factory=SchemaUnmarshallersFactory(factory, types, {}),
            # Of JSON by other names openapi-core would see bytes only: application/merge-patch+json.
            extra_media_type_deserializers={kind: json.loads for kind in document.kinds if kind.endswith("+json")},
            # A format that is a name of the author's own is no error.
            extra_format_validators={name: lambda value: True for name in document.formats if name not in known},
        )
        self._read: dict[tuple[object, ...], Any] = {}

    def body(self, operation: Operation, request: HttpRequest, parameters: Mapping[str, str]) -> Any:
        """Return the body of a request as plain data, None for an empty one; raises Rejected."""
        key = (operation.path, request.method, request.url, tuple(request.headers.items()), request.body)
        if key not in self._read:
            if len(self._read) > _MOST_REMEMBERED:
                self._read.clear()
            try:
                self._read[key] = self._checked(operation, request, parameters)
            except Rejected as rejected:
                self._read[key] = rejected
        if isinstance(found := self._read[key], Rejected):
            raise Rejected(found.message, *found.statuses)  # the same one again would have a longer traceback each time
        return found

    def _checked(self, operation: Operation, request: HttpRequest, parameters: Mapping[str, str]) -> Any:
        if request.body and "xml" in request.headers.get("content-type", "").partition(";")[0]:
            instead = "Send JSON or a form; or let .route(method, path, handler) answer by request.body."
            raise Rejected(f"XML is not read here. {instead}", 415, 400)
        if request.body and "json" in request.headers.get("content-type", ""):
            _check_json(request)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a parameter that is going to go is a parameter
            warnings.simplefilter("ignore", UserWarning)  # a scheme of authentication that is not checked
            result = self._unmarshaller.unmarshal(_asked(operation, request, parameters))
        for problem in result.errors:
            raise _rejected(problem)
        if not request.body:
            return None
        if "json" in request.headers.get("content-type", ""):
            return request.json()
        return _sent(result.body, request)


def _check_json(request: HttpRequest) -> None:
    """Raise Rejected for a body that is no JSON, and for one that no answer could have."""
    try:
        json.dumps(request.json(), ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as problem:
        raise Rejected(f"The body is not valid JSON: {problem}", 400, 422) from None


class _Finder(APICallPathFinder):
    """Finds the operation that the path of a request was found to be."""

    def find(self, method: str, name: str) -> PathOperationServer:
        """Return the operation of a template."""
        template = name.removeprefix(_HERE)
        path = self.spec / "paths" / template
        return PathOperationServer(path, path / method, None, TemplateResult(template, {}), TemplateResult("", {}))


def _asked(operation: Operation, request: HttpRequest, parameters: Mapping[str, str]) -> Any:
    """Return a request as openapi-core reads one."""
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(request.headers.get("cookie", ""))
    except CookieError:
        cookies.clear()
    query = ImmutableMultiDict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
    cookie = ImmutableMultiDict({name: morsel.value for name, morsel in cookies.items()})
    return SimpleNamespace(
        host_url=_HERE,
        path=operation.path,
        method=operation.method,
        body=request.body,
        content_type=request.headers.get("content-type", ""),
        parameters=RequestParameters(query, Headers(dict(request.headers)), cookie, dict(parameters)),
    )


def _rejected(problem: Any) -> Rejected:
    cause = problem.__cause__
    if isinstance(problem, SecurityValidationError):
        return Rejected("The credentials are missing.", 401, 403)
    if isinstance(cause, MediaTypeNotFound):
        return Rejected(
            f"The content type {cause.mimetype!r} is none of {', '.join(cause.availableMimetypes)}.", 415, 400
        )
    said = "; ".join(_reasons(cause)) or str(cause or problem)
    if isinstance(problem, RequestBodyValidationError):
        is_read = bool(getattr(cause, "schema_errors", ()))
        return Rejected(f"The body is not valid: {said}", *((422, 400) if is_read else (400, 422)))
    return Rejected(f"{problem}: {said}" if cause else str(problem), 400, 422)


def _reasons(cause: Any) -> Iterator[str]:
    for problem in getattr(cause, "schema_errors", ()):
        where = ".".join(map(str, problem.absolute_path))
        yield f"{where}: {problem.message}" if where else problem.message


def _sent(body: Any, request: HttpRequest) -> Any:
    """Return a body that is no JSON as plain data; a form comes without the defaults that openapi-core adds."""
    if not isinstance(body, Mapping):
        return _plain(body)
    try:
        names = {name.partition("[")[0] for name in request.form()}
    except ValueError:
        names = set()
    return {name: _plain(value) for name, value in body.items() if name in names or not names}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: of a file its text, or how long it is."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except ValueError:
            return f"{len(value)} bytes, SHA-256 {sha256(value).hexdigest()}"
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
