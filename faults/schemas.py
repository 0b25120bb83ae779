"""Whether a value is what a JSON schema asks for, as far as models get it wrong.

Types, required fields, what a list of values allows, and what an object may have beside its properties. Sizes, patterns
and formats are left alone where that is not asked for: a value that only they forbid counts as allowed.
"""

import math
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any] | bool
Formatted = tuple[str, str]
"""A format, and a text that has it."""
_UNREADABLE = (TypeError, ValueError, ArithmeticError, AttributeError, LookupError, RecursionError)
_MOST_REFERENCES = 50  # one behind the other, without anything between: a schema that refers to itself


def conforms(value: Any, schema: Schema) -> bool:
    """Return whether a value is one that a schema allows; references are to places in the schema itself.

    A schema that cannot be read forbids nothing.
    """
    try:
        return _conforms(value, schema, _Whole(schema))
    except _UNREADABLE:
        return True


def conforms_exactly(value: Any, schema: Schema, formatted: Set[Formatted]) -> bool:
    """Return whether a value is one that a schema allows, sizes, patterns and formats included.

    What a format allows is known of `formatted` alone. A schema that cannot be read allows nothing.
    """
    try:
        return _conforms(value, schema, _Whole(schema, formatted))
    except (*_UNREADABLE, re.error):
        return False


def formatted_in(value: Any, schema: Schema) -> frozenset[Formatted]:
    """Return the texts in a value that have a format, as its schema says."""
    met: set[Formatted] = set()
    try:
        _conforms(value, schema, _Whole(schema, met=met))
    except _UNREADABLE:
        return frozenset()
    return frozenset(met)


def inferred(value: Any) -> dict[str, Any]:
    """Return the schema of all that has the fields and types of a value; null may have been anything."""
    match value:
        case dict():
            of_fields = {name: inferred(one) for name, one in value.items()}
            closed = {"required": [*value], "additionalProperties": False}
            return {"type": "object", "properties": of_fields, **closed}
        case list():
            kinds: list[dict[str, Any]] = []
            for one in map(inferred, value):
                if one not in kinds:
                    kinds.append(one)
            return {"type": "array", **({"items": {"anyOf": kinds}} if kinds else {})}
        case None:
            return {}
        case bool():
            return {"type": "boolean"}
    return {"type": "string" if isinstance(value, str) else "number"}


@dataclass(frozen=True, slots=True)
class _Whole:
    """The schema that all others are in.

    Where sizes, patterns and formats count, `formatted` are the texts that have their format. `met` takes those that
    are met.
    """

    root: Schema
    formatted: Set[Formatted] | None = None
    met: set[Formatted] | None = None


def _conforms(value: Any, schema: Schema, root: _Whole) -> bool:
    schema = _followed(schema, root.root)
    if isinstance(schema, bool):
        return schema
    if "enum" in schema and not any(_equal(value, one) for one in schema["enum"]):
        return False
    if "const" in schema and not _equal(value, schema["const"]):
        return False
    types = schema.get("type", ())
    if types and not any(_is(value, each) for each in ([types] if isinstance(types, str) else types)):
        return False
    whole = all(_conforms(value, one, root) for one in schema.get("allOf", ()))
    for name in ("anyOf", "oneOf"):
        whole = whole and (name not in schema or any(_conforms(value, one, root) for one in schema[name]))
    if root.met is not None and "format" in schema and isinstance(value, str):
        root.met.add((schema["format"], value))
    if root.formatted is not None and not _is_within(value, schema, root.formatted):
        return False
    return whole and _has_right_parts(value, schema, root)


def _is_within(value: Any, schema: Mapping[str, Any], formatted: Set[Formatted]) -> bool:
    """Return whether a value keeps the sizes, the pattern and the format of a schema."""
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            return False
        has_format = "format" not in schema or (schema["format"], value) in formatted
        return has_format and _has_size(len(value), schema, "Length")
    if isinstance(value, list):
        if schema.get("uniqueItems") and any(one in value[:n] for n, one in enumerate(value)):
            return False
        return _has_size(len(value), schema, "Items")
    if isinstance(value, dict):
        return _has_size(len(value), schema, "Properties")
    if isinstance(value, bool) or value is None:
        return True
    above, below = schema.get("exclusiveMinimum", -math.inf), schema.get("exclusiveMaximum", math.inf)
    is_multiple = "multipleOf" not in schema or float(value / schema["multipleOf"]).is_integer()
    least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    return bool(least <= value <= most and above < value < below and is_multiple)


def _has_size(size: int, schema: Mapping[str, Any], of: str) -> bool:
    return bool(schema.get(f"min{of}", 0) <= size <= schema.get(f"max{of}", math.inf))


def _has_right_parts(value: Any, schema: Mapping[str, Any], root: _Whole) -> bool:
    if isinstance(value, list):
        first = schema.get("prefixItems", ())
        items = [*first, *[schema.get("items", True)] * len(value)]
        return all(_conforms(item, one, root) for item, one in zip(value, items, strict=False))
    if not isinstance(value, dict):
        return True
    known, others = schema.get("properties") or {}, schema.get("additionalProperties", True)
    if not set(schema.get("required") or ()) <= value.keys():
        return False
    others = True if "patternProperties" in schema else others
    return all(_conforms(part, known.get(name, others), root) for name, part in value.items())


def _followed(schema: Schema, root: Schema) -> Schema:
    """Return the schema that a schema refers to; a reference that leads nowhere allows everything."""
    for _ in range(_MOST_REFERENCES):
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            return schema
        place: Any = root
        reference = str(schema["$ref"])
        if not reference.startswith("#"):
            return True
        for step in filter(None, reference[1:].split("/")):
            name = step.replace("~1", "/").replace("~0", "~")
            place = place.get(name, True) if isinstance(place, Mapping) else True
        rest = {key: one for key, one in schema.items() if key != "$ref"}
        schema = {"allOf": [place, rest]} if rest.keys() - {"title", "description", "default"} else place
    return True


def _is(value: Any, name: str) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match name:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return is_number and float(value).is_integer()
        case "number":
            return is_number
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return True


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
