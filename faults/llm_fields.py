"""Answers of a model that are JSON, and not the JSON that was asked for.

Where the request has a schema, they violate it, and a strict schema is never violated: the provider guarantees it.
Without one, what may be missing, or may have several types, cannot be seen: what is right then is said by ``allow``.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any

from rollproof.values.actions import Action, Say
from rollproof.values.faults import fault
from rollproof.values.points import Effect

from .documents import Document, documents, is_json

Path = tuple[str | int, ...]


@fault(
    "llm.missing_field",
    at=("llm", "served"),
    when="after",
    lasting=True,
    told="a field was missing in the model's answer",
)
def missing_field(effect: Effect) -> Iterator[Action]:
    """A field is missing in the JSON of an answer or of a tool call, each one in turn."""
    for document, parsed, path in _places(effect):
        changed, holder = copied(parsed, path)
        del holder[path[-1]]
        if document.is_mistaken(changed):
            yield _said(document, changed)


@fault(
    "llm.wrong_type",
    at=("llm", "served"),
    when="after",
    lasting=True,
    told="a field of the model's answer had another type",
)
def wrong_type(effect: Effect) -> Iterator[Action]:
    """A field in the JSON of an answer or of a tool call has another type: each one in turn, as models get it wrong."""
    for document, parsed, path in _places(effect):
        yield from _first_mistake(document, parsed, path, others_of_another_type)


@fault(
    "llm.unknown_enum_value",
    at=("llm", "served"),
    when="after",
    lasting=True,
    told="a field of the model's answer had a value that its schema does not list",
)
def unknown_enum_value(effect: Effect) -> Iterator[Action]:
    """A field has a value that is not in the list of its schema (``enum``): each one in turn, of the right type."""
    for document, parsed, path in _places(effect):
        if document.asked is not None and document.asked.schema is not None:
            yield from _first_mistake(document, parsed, path, _others_of_its_type)


def _places(effect: Effect) -> Iterator[tuple[Document, Any, Path]]:
    """Yield each field of each document, with the document parsed."""
    for document in documents(effect.answer):
        if is_json(document.text):
            parsed = json.loads(document.text)
            yield from ((document, parsed, path) for path in fields(parsed))


def _first_mistake(
    document: Document, parsed: Any, path: Path, others: Callable[[Any], Iterable[Any]]
) -> Iterator[Action]:
    """Yield the answer with the first value at a place that a model says by mistake there; nothing where none is."""
    changed, holder = copied(parsed, path)
    for value in others(holder[path[-1]]):
        holder[path[-1]] = value
        if document.is_mistaken(changed):
            yield _said(document, changed)
            return


def _said(document: Document, changed: Any) -> Say:
    return Say(document.instead(json.dumps(changed, ensure_ascii=False)))


def fields(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of all fields of objects, in lists those of the last item: what came before it may be used up."""
    if isinstance(value, dict):
        for key in value:
            yield (*path, key)
            yield from fields(value[key], (*path, key))
    elif isinstance(value, list) and value:
        yield from fields(value[-1], (*path, len(value) - 1))


def others_of_another_type(value: Any) -> Iterator[Any]:
    """Yield values as models write them in place of `value`, the commonest first.

    A list of one for a text, the text of a number or a truth, the first item for a list, JSON in a text for an object.
    A schema may allow one of them; the others are for that.
    """
    match value:
        case str():
            yield [value]
        case list():
            yield value[0] if value else ""
        case _:
            yield json.dumps(value, ensure_ascii=False)
    yield from (None, {"value": value}, [[value]])


def _others_of_its_type(value: Any) -> Iterator[Any]:
    match value:
        case str():
            yield f"{value}_or_other"
        case bool() | None:
            return
        case int() | float():
            yield value + 1_000_003


def copied(document: Any, path: Path) -> tuple[Any, Any]:
    """Return a copy of a document, and what holds the place `path` in it."""
    copied = holder = deepcopy(document)
    for key in path[:-1]:
        holder = holder[key]
    return copied, holder
