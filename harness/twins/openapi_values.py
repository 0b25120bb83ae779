"""Values for a schema: known parts are kept, missing ones are made of the schema itself."""

import base64
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from hashlib import sha256
from typing import Any

from .openapi_document import Document, Node, merge
from .openapi_patterns import texts_for


class Missing(Enum):
    """The type of MISSING, the mark of a value of which nothing is known; None is a value."""

    MISSING = "missing"


MISSING = Missing.MISSING
_DEEPEST = 12
_SCALARS = ("string", "integer", "number", "boolean")
_FORMATS = {
    "date-time": "2024-01-01T00:00:00Z",
    "date": "2024-01-01",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "email": "user@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uri-reference": "/",
    "byte": base64.b64encode(b"text").decode(),
}


class Unknown(ValueError):
    """No value could be made that a schema takes; the text says of which part."""


def nothing(name: str, schema: Node) -> Any:
    """Return MISSING: no value of a property is known."""
    return MISSING


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes values, always the same ones.

    Attributes:
        document: has the schemas.
        seed: what a value is made of that has to be another one for each thing: an id.
        told: value of a property by its name and schema, where it is known and was not sent; or MISSING.
        sent: names that a client may send. Those that only the service can know are made even where no answer has to
            have them; None: such ones are left out.
    """

    document: Document
    seed: str
    told: Callable[[str, Node], Any] = nothing
    sent: frozenset[str] | None = None

    def value(self, schema: Any, known: Any = MISSING, name: str = "", example: Any = MISSING, depth: int = 0) -> Any:
        """Return a value for a schema; raises Unknown.

        Args:
            schema: of it; references in it lead into the document.
            known: what there is of it: kept as far as the schema takes it.
            name: of the property whose value it is.
            example: of the whole, as the document has it.
            depth: how far down it is.
        """
        if depth > _DEEPEST:
            raise Unknown(f"{name}: it is part of itself without an end")
        flat = self.document.flat(schema)
        if not isinstance(known, (dict, list)) and known is not MISSING:
            if self.document.fits(schema, known):
                return known
            known = MISSING
        if known is MISSING and (told := self.told(name, flat)) is not MISSING and self.document.fits(schema, told):
            return told
        said = any(word in flat for word in ("default", "example", "const"))
        if known is MISSING and not said and _nullable(flat) and self.document.fits(schema, None):
            return None
        for word in ("oneOf", "anyOf"):
            if flat.get(word):
                return self._of_branches(schema, word, known, name, example, depth)
        example = flat.get("example", example)
        kind = type_of(flat)
        if kind == "object":
            return self._object(flat, known if isinstance(known, dict) else {}, example, depth)
        if kind == "array":
            return self._array(schema, known, name, depth)
        if kind is None and known is not MISSING:
            return known
        return self._first(schema, _candidates(flat, name, example, self.seed), name)

    def _first(self, schema: Any, candidates: Iterable[Any], name: str) -> Any:
        for candidate in candidates:
            if self.document.fits(schema, candidate):
                return candidate
        raise Unknown(f"{name}: no value is known that fits its schema")

    def _of_branches(self, schema: Any, word: str, known: Any, name: str, example: Any, depth: int) -> Any:
        """Return a value for one of several schemas: the one that keeps most of the known values."""
        flat = self.document.flat(schema)
        base, best, kept = {key: flat[key] for key in flat if key not in (word, "nullable")}, MISSING, -1
        for branch in flat[word]:
            merged = merge(base, self.document.flat(branch))
            chosen = _chosen(flat.get("discriminator"), branch, known)
            try:
                candidate = self.value(merged, chosen, name, example, depth + 1)
            except Unknown:
                continue
            same = _kept(known, candidate)
            if same > kept and self.document.fits(schema, candidate):
                best, kept = candidate, same
                if known is MISSING:
                    break
        if best is MISSING:
            raise Unknown(f"{name}: no value is known that fits {word} of its schema")
        return best

    def _object(self, flat: Node, known: Mapping[str, Any], example: Any, depth: int) -> dict[str, Any]:
        properties, required = flat.get("properties", {}), flat.get("required", ())
        examples = example if isinstance(example, Mapping) else {}
        made: dict[str, Any] = {}
        for key, schema in properties.items():
            part = self.document.flat(schema)
            # From 3.1 on nothing exempts a secret that is required from standing in the answer.
            must = key in required and not (part.get("writeOnly") and self.document.version == "3.0")
            given = known.get(key, MISSING)
            if not must and (part.get("writeOnly") or (given is MISSING and not self._wants(key, part, flat, depth))):
                continue
            try:
                made[key] = self.value(schema, given, key, examples.get(key, MISSING), depth + 1)
            except Unknown:
                if must:
                    raise
        more = flat.get("additionalProperties", not properties)
        for key in dict.fromkeys([*known, *required]):
            given = known.get(key, MISSING)
            if key not in properties and (key in required or more is not False):
                made[key] = self.value(more, given, key, examples.get(key, MISSING), depth + 1)
        return made

    def _wants(self, key: str, schema: Node, whole: Node, depth: int) -> bool:
        """Return whether a property that no answer must have is made: only the service can know it."""
        if self.told(key, schema) is not MISSING or schema.get("default") is not None:
            return True
        if self.sent is None or depth > 1:
            return False
        if schema.get("readOnly"):
            return True
        may = depth == 0 and not whole.get("required") and type_of(schema) in _SCALARS
        return may and key not in self.sent

    def _array(self, schema: Any, known: Any, name: str, depth: int) -> list[Any]:
        flat = self.document.flat(schema)
        items = flat.get("items", {})
        if isinstance(known, list):
            return [self.value(items, one, name, MISSING, depth + 1) for one in known]
        for candidate in (flat.get("default"), flat.get("example")):
            if isinstance(candidate, list) and candidate and self.document.fits(schema, candidate):
                return candidate
        makers = [replace(self, seed=f"{self.seed}/{n}") for n in range(flat.get("minItems", 0))]
        return [maker.value(items, MISSING, name, MISSING, depth + 1) for maker in makers]


def type_of(flat: Node) -> str | None:
    """Return the type that a schema has, the first one but null; None where any will do."""
    said = flat.get("type")
    if isinstance(said, list):
        said = next((one for one in said if one != "null"), "null")
    if said is None and ("properties" in flat or "additionalProperties" in flat):
        return "object"
    return "array" if said is None and "items" in flat else said


def _nullable(flat: Node) -> bool:
    types = flat.get("type")
    branches = [*flat.get("oneOf", ()), *flat.get("anyOf", ())]
    return (
        bool(flat.get("nullable"))
        or "null" in (types if isinstance(types, list) else [types])
        or (any(isinstance(one, Mapping) and one.get("type") == "null" for one in branches))
    )


def _chosen(discriminator: Any, branch: Any, known: Any) -> Any:
    """Return the known values with the property, if there is one, that says which branch it is."""
    if not isinstance(discriminator, Mapping) or not isinstance(branch, Mapping) or "$ref" not in branch:
        return known
    name, reference = discriminator["propertyName"], branch["$ref"]
    words = [word for word, end in discriminator.get("mapping", {}).items() if reference.endswith(end.lstrip("."))]
    said = known if isinstance(known, dict) else {}
    right = [*words, reference.rpartition("/")[2]]
    return said if said.get(name) in right else {**said, name: right[0]}


def _kept(known: Any, candidate: Any) -> int:
    """Return how much of the known values is in a candidate."""
    if isinstance(known, dict) and isinstance(candidate, dict):
        return 1 + sum(bool(key in candidate and candidate[key] == value) for key, value in known.items())
    return int(type(known) is type(candidate))


def _candidates(flat: Node, name: str, example: Any, seed: str) -> Iterator[Any]:
    """Yield candidates for the value of a scalar, the document's own words first."""
    yield from (flat[word] for word in ("default", "const") if word in flat)
    if "enum" not in flat and example is not MISSING:
        yield example
    yield from flat.get("examples", ()) if isinstance(flat.get("examples"), list) else ()
    yield from flat.get("enum", ())
    match type_of(flat):
        case "integer" | "number":
            yield from _numbers(flat)
        case "boolean":
            yield from (False, True)
        case "null":
            yield None
        case _:
            yield from _texts(flat, name, f"{seed}/{name}")


def _numbers(flat: Node) -> Iterator[float]:
    step = flat.get("multipleOf", 1)
    yield 0
    for word, direction in (("minimum", 1), ("exclusiveMinimum", 1), ("maximum", -1), ("exclusiveMaximum", -1)):
        limit = flat.get(word)
        if isinstance(limit, (int, float)) and not isinstance(limit, bool):
            whole = -(-limit // step) * step if direction > 0 else limit // step * step
            yield from (limit, whole, whole + direction * step, limit + direction / 2)
    yield from (step, 1, 0.5)


def _texts(flat: Node, name: str, seed: str) -> Iterator[str]:
    kind = flat.get("format", "")
    if kind == "uuid":
        yield str(uuid.UUID(bytes=sha256(seed.encode()).digest()[:16], version=4))
    if kind in _FORMATS:
        yield _FORMATS[kind]
    if "pattern" in flat:
        yield from texts_for(flat["pattern"], seed)
    text, least = name or "text", flat.get("minLength", 0)
    yield (text * (least // len(text) + 1))[: max(least, len(text))][: flat.get("maxLength")]
