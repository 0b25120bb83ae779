"""The part of JSON Schema in which structured outputs are asked for, checked by the standard library.

Any number of threads and processes may use a schema: it holds no state.

    from rollproof.runtime import Schema

    schema = Schema({"type": "object", "properties": {"cents": {"type": "integer"}}, "required": ["cents"]})
    assert list(schema.problems({"cents": True})) == ["$.cents is a boolean, not integer"]
    assert list(schema.problems({})) == ["$.cents is missing"]

Known are the keywords of `KEYWORDS`, with the meaning of draft 2020-12, and those of `NOTES`, which check nothing; any
other is refused when the schema is made, since a check that is silently left out is believed to have been made. A
boolean is no number; 1.0 is an integer, and equal to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

TYPES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()),
    "number": lambda value: _is_number(value),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
"""The types of JSON Schema, each with its test of a value that `json` returned."""
NOTES = ("title", "description", "default", "examples")
"""Keywords for readers, which check nothing."""


class Schema:
    """A schema of which every keyword is known."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Take a schema as JSON Schema writes it.

        Raises:
            ValueError: It has a keyword that is not known here, or one whose value makes no sense; all are named.
        """
        wrong = list(_misuses(document, "$"))
        if wrong:
            raise ValueError(f"not a schema that can be checked here: {'; '.join(wrong)}")
        self.document = dict(document)

    def problems(self, value: Any) -> Iterator[str]:
        """Yield the problems of a value, each with its place; the value itself is not quoted."""
        return _problems(self.document, value, "$")


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return bool(one == other)


# what a value must be


def _type(wanted: Any, schema: Any, value: Any, at: str) -> Iterator[str]:
    names = [wanted] if isinstance(wanted, str) else wanted
    if not any(TYPES[name](value) for name in names):
        found = next((name for name, fits in TYPES.items() if fits(value)), type(value).__name__)
        yield f"{at} is a{'n' if found[0] in 'aeio' else ''} {found}, not {' or '.join(names)}"


def _enum(wanted: Any, schema: Any, value: Any, at: str) -> Iterator[str]:
    if not any(same(each, value) for each in wanted):
        yield f"{at} is none of {wanted}"


def _const(wanted: Any, schema: Any, value: Any, at: str) -> Iterator[str]:
    if not same(wanted, value):
        yield f"{at} is not {wanted!r}"


def _any_of(wanted: Any, schema: Any, value: Any, at: str) -> Iterator[str]:
    problems = [list(_problems(each, value, at)) for each in wanted]
    if all(problems):
        yield f"{at} is none of the {len(wanted)} that it may be ({' | '.join(each[0] for each in problems)})"


def _properties(wanted: Any, schema: Any, value: Any, at: str) -> Iterator[str]:
    for name in wanted if isinstance(value, dict) else ():
        if name in value:
            yield from _problems(wanted[name], value[name], f"{at}.{name}")


def _required(wanted: Any, schema: Any, value: Any, at: str) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f"{at}.{name} is missing" for name in wanted if name not in value)


def _additional(wanted: Any, schema: Any, value: Any, at: str) -> Iterator[str]:
    known = schema.get("properties", {})
    others = [name for name in value if name not in known] if isinstance(value, dict) else []
    if wanted is False and others:
        yield f"{at} has {len(others)} more than {sorted(known)}"
    elif isinstance(wanted, Mapping):
        for name in others:
            yield from _problems(wanted, value[name], f"{at}.*")


def _items(wanted: Any, schema: Any, value: Any, at: str) -> Iterator[str]:
    for number, item in enumerate(value if isinstance(value, list) else ()):
        yield from _problems(wanted, item, f"{at}[{number}]")


def _limit(of: Callable[[Any], Any], fits: Callable[[Any, Any], bool], words: str) -> Callable[..., Iterator[str]]:
    """Make the check of a limit; `of` returns the number that is limited, None for a value that the limit ignores."""

    def check(wanted: Any, schema: Any, value: Any, at: str) -> Iterator[str]:
        found = of(value)
        if found is not None and not fits(found, wanted):
            yield f"{at} is {words} {wanted}"

    return check


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> int | float | None:
    return value if _is_number(value) else None


def _length_of(kind: type[str] | type[list[Any]]) -> Callable[[Any], int | None]:
    return lambda value: len(value) if isinstance(value, kind) else None


# what a keyword may have behind it


def _is_count(value: Any) -> bool:
    return TYPES["integer"](value) and value >= 0


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value) and len(set(value)) == len(value)


def _are_types(value: Any) -> bool:
    names = [value] if isinstance(value, str) else value
    return _are_names(names) and bool(names) and all(name in TYPES for name in names)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


def _at_least(found: Any, wanted: Any) -> bool:
    return bool(found >= wanted)


def _at_most(found: Any, wanted: Any) -> bool:
    return bool(found <= wanted)


_STRING, _LIST = _length_of(str), _length_of(list)
KEYWORDS: Mapping[str, tuple[Callable[[Any], bool], Callable[..., Iterator[str]]]] = {
    "type": (_are_types, _type),
    "enum": (_is_list, _enum),
    "const": (lambda value: True, _const),
    "anyOf": (_is_list, _any_of),
    "properties": (_is_object, _properties),
    "required": (_are_names, _required),
    "additionalProperties": (lambda value: isinstance(value, bool | Mapping), _additional),
    "items": (_is_object, _items),
    "minItems": (_is_count, _limit(_LIST, _at_least, "shorter than")),
    "maxItems": (_is_count, _limit(_LIST, _at_most, "longer than")),
    "minLength": (_is_count, _limit(_STRING, _at_least, "shorter than")),
    "maxLength": (_is_count, _limit(_STRING, _at_most, "longer than")),
    "minimum": (_is_number, _limit(_number, _at_least, "less than")),
    "maximum": (_is_number, _limit(_number, _at_most, "more than")),
    "exclusiveMinimum": (_is_number, _limit(_number, lambda found, wanted: found > wanted, "not more than")),
    "exclusiveMaximum": (_is_number, _limit(_number, lambda found, wanted: found < wanted, "not less than")),
}
"""Each keyword, with the test of its own value, and its check."""


def _problems(schema: Mapping[str, Any], value: Any, at: str) -> Iterator[str]:
    for keyword, wanted in schema.items():
        if keyword in KEYWORDS:
            yield from KEYWORDS[keyword][1](wanted, schema, value, at)


def _misuses(schema: Any, at: str) -> Iterator[str]:
    """Yield the keywords of a schema that are unknown or wrong, each with its place."""
    if not isinstance(schema, Mapping):
        yield f"{at} is no schema, which is an object"
        return
    for keyword, given in schema.items():
        if keyword in NOTES:
            continue
        if keyword not in KEYWORDS:
            yield f"{at} has {keyword!r}; known are {', '.join(KEYWORDS)}"
        elif not KEYWORDS[keyword][0](given):
            yield f"{at} has {keyword!r} with {given!r}"
        else:
            for name, inner in _inner(keyword, given):
                yield from _misuses(inner, f"{at}.{name}")


def _inner(keyword: str, given: Any) -> Iterator[tuple[str, Any]]:
    """Yield the schemas within a schema that stand behind a keyword."""
    if keyword == "properties":
        yield from given.items()
    elif keyword == "anyOf":
        yield from ((f"anyOf[{number}]", each) for number, each in enumerate(given))
    elif keyword == "items" or (keyword == "additionalProperties" and not isinstance(given, bool)):
        yield keyword, given
