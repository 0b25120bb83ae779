"""Whether a value is what a JSON schema asks for, as far as models get it wrong.

Types, required fields, what a list of values allows, and what an object may have beside its properties. Sizes, patterns
and formats are left alone: a value that only they forbid counts as allowed.
"""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any] | bool
_MOST_REFERENCES = 50  # one behind the other, without anything between: a schema that refers to itself


def conforms(value: Any, schema: Schema) -> bool:
    """Return whether a value is one that a schema allows; references are to places in the schema itself.

    A schema that cannot be read forbids nothing.
    """
    try:
        return _conforms(value, schema, schema)
    except (TypeError, ValueError, ArithmeticError, AttributeError, LookupError, RecursionError):
        return True


def _conforms(value: Any, schema: Schema, root: Schema) -> bool:
    schema = _followed(schema, root)
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
    return whole and _has_right_parts(value, schema, root)


def _has_right_parts(value: Any, schema: Mapping[str, Any], root: Schema) -> bool:
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
