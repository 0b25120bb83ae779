"""Edits that can be drawn at one place of a document, as models get it wrong, the simplest first."""

import re
from collections.abc import Iterator
from typing import Any

from rollproof.values.http import Asked

from .json_edits import Edit, Place, at, dumped

_SCALARS = ("null", '""', "0", "true", "[]", "{}")
_TEXTS = ('" "', '"null"', '"N/A"', '"../x"')
_ENDINGS = (" ", "\n", "\u200b", "\u202e", "\u0301", "\xa0", "\U0001f469\u200d\U0001f680", "'", "\0")
_NUMBERS = ("1", "-1", "0.5", "1000000000000", "9007199254740993", "1e308")
_LENGTHS = ("20", "300", "5000", "70000")
_DEPTHS = ("2", "20", "200")
_WRAPPERS = ("value", "result", "data")


def possible_edits(value: Any, place: Place, asked: Asked | None, document: int) -> Iterator[Edit]:
    """Yield the edits of a place in a value, the document of this number, whatever comes of them."""
    here = at(value, place)
    schema = asked.schema if asked is not None else None
    is_item = bool(place) and isinstance(at(value, place[:-1]), list)
    for name, argument in (*_of_member(place, is_item), *_of_value(here, schema), *_of_text(here)):
        yield Edit(name, place, argument, document)
    for key, argument in _additions(here):
        yield Edit("new", (*place, key), argument, document)


def _of_member(place: Place, is_item: bool) -> Iterator[tuple[str, str]]:
    if not place:
        return
    yield "drop", ""
    yield "twice", ""
    if not is_item:
        yield "twice", "null"
        yield from (("renamed", name) for name in _other_names(place[-1]))


def _of_value(here: Any, schema: Any) -> Iterator[tuple[str, str]]:
    yield from (("is", text) for text in _SCALARS)
    yield from (("is", dumped(one)) for one in _listed(schema))
    yield "text", ""
    yield "list", ""
    yield "first", ""
    yield from (("inside", key) for key in _WRAPPERS)
    if isinstance(here, int | float) and not isinstance(here, bool):
        yield from (("is", text) for text in _NUMBERS)
    if isinstance(here, list | dict):
        yield "reversed", ""


def _of_text(here: Any) -> Iterator[tuple[str, str]]:
    if isinstance(here, str):
        yield from (("is", text) for text in _TEXTS)
        yield from (("ending", text) for text in _ENDINGS)
    if isinstance(here, str | list):
        yield from (("long", text) for text in _LENGTHS[: 4 if isinstance(here, str) else 2])
    yield from (("cut", where) for where in ("within", "before", "after"))
    yield from (("deep", depth) for depth in _DEPTHS)


def _additions(here: Any) -> Iterator[tuple[str, str]]:
    if isinstance(here, dict):
        yield from (("note", '"x"'), ("type", "null"), ("", "0"))
    elif isinstance(here, list):
        yield from (("-", text) for text in _SCALARS)


def _other_names(key: str) -> Iterator[str]:
    """Yield the names that a model gives a field in its place: in another case, of one or many, with a space."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()
    camel = re.sub(r"_+([a-z0-9])", lambda match: match[1].upper(), key)
    other_count = key[:-1] if key.endswith("s") else f"{key}s"
    names = (snake, camel, key.capitalize(), other_count, snake.replace("_", "-"), f"{key} ")
    yield from (name for name in dict.fromkeys(names) if name not in (key, ""))


def _listed(schema: Any) -> Iterator[Any]:
    """Yield the values that a schema lists anywhere (``enum``)."""
    if isinstance(schema, dict):
        if isinstance(schema.get("enum"), list):
            yield from schema["enum"]
        for one in schema.values():
            yield from _listed(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from _listed(one)
