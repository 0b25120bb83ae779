"""An OpenAPI document: read once, its references within reach, its schemas to ask."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml  # type: ignore[import-untyped]
from openapi_core.validation.request.validators import V30RequestValidator, V31RequestValidator, V32RequestValidator
from openapi_core.validation.schemas import (
    oas30_read_schema_validators_factory,
    oas31_schema_validators_factory,
    oas32_schema_validators_factory,
)

from ..values.errors import ChaosError, nearest, shown

Node = Mapping[str, Any]
"""An object of the document, or a part of one, as JSON has it."""

_FACTORIES = {
    "3.0": oas30_read_schema_validators_factory,
    "3.1": oas31_schema_validators_factory,
    "3.2": oas32_schema_validators_factory,
}
_CHECKED_BY = {"3.0": V30RequestValidator, "3.1": V31RequestValidator, "3.2": V32RequestValidator}
_NO_REFERENCES = ("example", "default", "enum", "const")
_ELSEWHERE = "x-rollproof-files"
_NAMED = {
    *("callbacks", "content", "definitions", "$defs", "dependentSchemas", "encoding", "examples", "headers", "links"),
    *("mapping", "parameters", "pathItems", "paths", "patternProperties", "properties", "requestBodies", "responses"),
    *("schemas", "securitySchemes", "variables", "webhooks", _ELSEWHERE),
}
"""What has names of its author's own as keys."""
_MOST_FLAT = 20_000
_CHECKED_UP_TO = 1_000_000
"""Bytes: checking the whole of a document of ten megabytes takes minutes. Its references are always checked."""


_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C, where libyaml is there: ten times as fast


class _Loader(_Safe):  # type: ignore[misc]
    """Reads YAML as JSON's authors mean it: a date is a text, and so are ``yes`` and ``no`` (YAML 1.2)."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, text) for tag, text in resolvers if not tag.endswith((":timestamp", ":bool"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF")


class Document:
    """A document whose references all lead somewhere in `root`.

    Attributes:
        root: the document, with the files that it refers to below one of its keys.
        name: of it, in errors.
        version: "3.0", "3.1" or "3.2".
        formats: those that its schemas name.
        kinds: media types of its bodies.
    """

    def __init__(self, root: dict[str, Any], name: str, version: str, bundle: "_Bundle") -> None:
        self.root, self.name, self.version = root, name, version
        self.formats, self.kinds = frozenset(bundle.formats), frozenset(bundle.kinds)
        self._factory = _FACTORIES[version]
        kind: Any = self._factory.schema_validator_cls
        self._validator = kind(root, format_checker=self._factory.format_checker)
        self._flat: dict[int, tuple[Any, dict[str, Any]]] = {}

    def resolve(self, node: Any) -> Any:
        """Return the node at the end of a chain of references; a node that is no reference is itself."""
        passed: list[str] = []
        while isinstance(node, Mapping) and isinstance(node.get("$ref"), str):
            if node["$ref"] in passed:
                raise ChaosError("bad-openapi", f"{self.name}: {node['$ref']!r} refers to itself", "")
            passed.append(node["$ref"])
            node = _at(self.root, node["$ref"])
        return node

    def flat(self, schema: Any) -> dict[str, Any]:
        """Return a schema without references, with all of ``allOf`` merged into it."""
        if isinstance(schema, dict) and "$ref" not in schema and "allOf" not in schema:
            return schema
        if len(self._flat) > _MOST_FLAT:  # some are made for one answer only
            self._flat.clear()
        # The schema is kept beside the result: no other one gets its address while it is.
        found = self._flat.get(id(schema))
        if found is None:
            found = self._flat[id(schema)] = (schema, self._flattened(schema))
        return found[1]

    def _flattened(self, schema: Any) -> dict[str, Any]:
        node = self.resolve(schema)
        if not isinstance(node, Mapping):
            return {}
        flat: dict[str, Any] = {}
        for part in node.get("allOf", ()):
            flat = merge(flat, self.flat(part))
        flat = merge(flat, {key: value for key, value in node.items() if key != "allOf"})
        if node is schema or self.version == "3.0" or len(schema) == 1:
            return flat
        return merge(flat, {key: value for key, value in schema.items() if key != "$ref"})

    def properties(self, schema: Any) -> dict[str, Any]:
        """Return the properties that a thing may have by name: of all kinds of it, where there are several."""
        flat = self.flat(schema)
        found: dict[str, Any] = {}
        for branch in (*flat.get("oneOf", ()), *flat.get("anyOf", ())):
            found = {**self.properties(branch), **found}
        return {**found, **flat.get("properties", {})}

    def same(self, one: Any, other: Any) -> bool:
        """Return whether two schemas are of the same things."""
        return self.resolve(one) is self.resolve(other) or bool(one == other)

    def fits(self, schema: Node | bool, value: Any) -> bool:
        """Return whether a value in an answer is as a schema wants it."""
        return self.misfit(schema, value) is None

    def misfit(self, schema: Node | bool, value: Any) -> str | None:
        """Return the first thing that is wrong with a value in an answer; None where nothing is."""
        for problem in self._validator.evolve(schema=schema).iter_errors(value):
            where = "/".join(map(str, problem.absolute_path))
            return f"{where}: {problem.message}" if where else problem.message
        return None


def read(source: Any) -> Document:
    """Return the document that a path or a dict is.

    Each is parsed once, however often it is asked for. Raises ChaosError ``bad-openapi`` for what is none.
    """
    if isinstance(source, Mapping):
        try:
            return _document(json.dumps(source).encode(), "the OpenAPI document", str(Path.cwd() / "openapi.json"))
        except (TypeError, ValueError) as problem:
            raise ChaosError("bad-openapi", f"this dict is no JSON: {problem}", "") from None
    path = Path(os.fspath(source))
    return _document(_bytes_of(path, source), path.name, str(path.absolute()))


def _bytes_of(path: Path, source: Any) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        if "://" in str(source):
            hint = "download it, and name the file: what a test needs stands beside it"
        else:
            hint = f"a path is relative to the working directory: {Path.cwd()}"
        text = f"no OpenAPI document at {shown(str(source))}: {problem.strerror}"
        raise ChaosError("bad-openapi", text, hint) from None


@lru_cache(maxsize=16)
def _document(text: bytes, name: str, path: str) -> Document:
    root = _parsed(text, name)
    version = _version_of(root, name)
    bundle = _Bundle(root, Path(path), name)
    # In one of several files there are references where only those who put files together know them.
    if len(text) <= _CHECKED_UP_TO and _ELSEWHERE not in root:
        _check(root, name, version)
    _check_schemes(root)
    return Document(root, name, version, bundle)


def _parsed(text: bytes, name: str) -> Any:
    try:
        if text.lstrip().startswith(b"{"):
            return json.loads(text)
        # Keys such as 200 are numbers in YAML, and JSON has none of these.
        return json.loads(json.dumps(yaml.load(text, _Loader)))
    except (ValueError, TypeError, RecursionError, yaml.YAMLError) as problem:
        raise ChaosError("bad-openapi", f"{name} is neither JSON nor YAML: {problem}", "") from None


def _version_of(root: Any, name: str) -> str:
    if isinstance(root, dict) and str(root.get("swagger", "")).startswith("2"):
        hint = f"convert it: npx swagger2openapi {name} -o openapi.yaml, or https://editor.swagger.io (Edit, Convert)"
        raise ChaosError("bad-openapi", f"{name} is Swagger 2.0, and an OpenAPI 3 document is needed", hint)
    said = root.get("openapi") if isinstance(root, dict) else None
    version = ".".join(str(said).split(".")[:2])
    if version not in _FACTORIES:
        hint = "it begins with e.g. openapi: 3.1.0; versions 3.0, 3.1 and 3.2 are read"
        found = f"its version is {shown(said)}" if said is not None else "it has no openapi: 3.… at its top"
        raise ChaosError("bad-openapi", f"{name} is no OpenAPI document: {found}", hint)
    if not isinstance(root.get("paths"), dict) or not root["paths"]:
        raise ChaosError("bad-openapi", f"{name} has no paths, so nothing can be asked", 'paths: {"/users": {…}}')
    return version


def _check(root: Any, name: str, version: str) -> None:
    """Raise ChaosError for a document that the specification of OpenAPI does not allow."""
    specification: Any = _CHECKED_BY[version].spec_validator_cls
    for problem in specification.schema_validator.iter_errors(root):
        # An error within one of several forms says only that none fits: the deepest one says why.
        while problem.context:
            problem = max(problem.context, key=lambda one: len(one.absolute_path))
        where = "/".join(map(str, problem.absolute_path))
        raise ChaosError("bad-openapi", f"{name} is no valid OpenAPI {version} at {where}: {problem.message[:400]}", "")


def _check_schemes(root: Any) -> None:
    """Write the names of HTTP's schemes of authentication in small letters, as what checks them compares them."""
    for scheme in (root.get("components") or {}).get("securitySchemes", {}).values():
        if isinstance(scheme.get("scheme"), str):
            scheme["scheme"] = scheme["scheme"].lower()


class _Bundle:
    """Brings all that a document refers to into it, and makes each reference one within it."""

    def __init__(self, root: dict[str, Any], path: Path, name: str) -> None:
        self.formats, self.kinds = set[str](), set[str]()
        self._root, self._name = root, name
        self._files, self._waiting = {path.resolve(): "#"}, [(root, path.resolve())]
        while self._waiting:
            node, file = self._waiting.pop()
            for holder, key in list(self._references(node)):
                holder[key] = self._within(holder[key], file)
        for holder, key in self._references(root):
            self._check(holder[key])

    def _references(self, node: Any, names: bool = False) -> Iterator[tuple[dict[str, Any], str]]:
        """Yield each reference by what holds it, and its key there; `names`: keys of `node` are no words of OpenAPI."""
        if isinstance(node, list):
            for one in node:
                yield from self._references(one)
        elif isinstance(node, dict):
            if not names and isinstance(node.get("$ref"), str):
                yield node, "$ref"
            if not names and isinstance(node.get("format"), str):
                self.formats.add(node["format"])
            if not names and isinstance(node.get("content"), dict):
                self.kinds.update(node["content"])
            if not names and isinstance(node.get("discriminator"), dict):
                mapping = node["discriminator"].get("mapping", {})
                yield from ((mapping, word) for word, end in mapping.items() if "#" in end or "." in end)
            for key, value in node.items():
                if names or not (key in _NO_REFERENCES or (key.startswith("x-") and key != _ELSEWHERE)):
                    yield from self._references(value, not names and key in _NAMED)

    def _within(self, reference: str, file: Path) -> str:
        name, _, pointer = reference.partition("#")
        if "://" in name:
            hint = "put all into one file: npx @redocly/cli bundle openapi.yaml -o bundled.yaml"
            raise ChaosError("bad-openapi", f"{self._name} refers to {shown(reference)}, on the network", hint)
        target = (file.parent / unquote(name)).resolve() if name else file
        if target not in self._files:
            key = str(len(self._files))
            part = _parsed(_bytes_of(target, f"{name}, which {self._name} refers to"), name)
            self._root.setdefault(_ELSEWHERE, {})[key] = part
            self._files[target] = f"#/{_ELSEWHERE}/{key}"
            self._waiting.append((part, target))
        return f"{self._files[target]}{pointer}"

    def _check(self, reference: str) -> None:
        try:
            _at(self._root, reference)
        except LookupError:
            place, _, wanted = reference.rpartition("/")
            try:
                near = ", ".join(nearest(wanted, _at(self._root, place)))
            except (LookupError, TypeError):
                near = ""
            hint = f"nearest: {near}" if near else ""
            raise ChaosError("bad-openapi", f"{self._name}: nothing is at $ref {shown(reference)}", hint) from None


def merge(one: Node, other: Node) -> dict[str, Any]:
    """Return the schema of the values that fit both."""
    merged = {**one, **other}
    if "properties" in one and "properties" in other:
        shared = one["properties"].keys() & other["properties"].keys()
        both = {key: {"allOf": [one["properties"][key], other["properties"][key]]} for key in sorted(shared)}
        merged["properties"] = {**one["properties"], **other["properties"], **both}
    if "required" in one and "required" in other:
        merged["required"] = list(dict.fromkeys([*one["required"], *other["required"]]))
    return merged


def _at(root: Any, reference: str) -> Any:
    """Return the node that a reference such as ``#/components/schemas/User`` leads to; raises LookupError."""
    node = root
    for part in reference.lstrip("#").split("/")[1:]:
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        node = node[int(name)] if isinstance(node, list) and name.isdigit() else node[name]
        if isinstance(node, Mapping) and isinstance(node.get("$ref"), str) and node["$ref"] != reference:
            node = _at(root, node["$ref"])
    return node
