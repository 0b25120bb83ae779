"""Answers of a model that are JSON, and not the JSON that was asked for.

What may be missing, or may have several types, cannot be seen from outside: what is right then is said by ``allow``.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from rollproof.values.faults import fault
from rollproof.values.points import Effect
from rollproof.values.strikes import Say, Strike

from .documents import documents, is_json

Path = tuple[str | int, ...]


@fault("llm.missing_field", at=("llm", "served"), when="after", lasting=True)
def missing_field(effect: Effect) -> Iterator[Strike]:
    """A field is missing in the JSON of an answer or of a tool call, each one in turn."""
    for document in documents(effect.answer):
        if is_json(document.text):
            parsed = json.loads(document.text)
            for path in fields(parsed):
                changed, holder = _copied(parsed, path)
                del holder[path[-1]]
                yield Say(document.instead(json.dumps(changed, ensure_ascii=False)))


@fault("llm.wrong_type", at=("llm", "served"), when="after", lasting=True)
def wrong_type(effect: Effect) -> Iterator[Strike]:
    """A field in the JSON of an answer or of a tool call has another type: each one in turn, as models get it wrong."""
    for document in documents(effect.answer):
        if is_json(document.text):
            parsed = json.loads(document.text)
            for path in fields(parsed):
                changed, holder = _copied(parsed, path)
                holder[path[-1]] = of_another_type(holder[path[-1]])
                yield Say(document.instead(json.dumps(changed, ensure_ascii=False)))


def fields(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of all fields of objects, in lists those of the last item: what came before it may be used up."""
    if isinstance(value, dict):
        for key in value:
            yield (*path, key)
            yield from fields(value[key], (*path, key))
    elif isinstance(value, list) and value:
        yield from fields(value[-1], (*path, len(value) - 1))


def of_another_type(value: Any) -> Any:
    """Return a value as models write it in place of `value`.

    A list of one for a text, the text of a number or a truth, the first item for a list, JSON in a text for an object.
    """
    match value:
        case str():
            return [value]
        case list():
            return value[0] if value else ""
        case _:
            return json.dumps(value, ensure_ascii=False)


def _copied(document: Any, path: Path) -> tuple[Any, Any]:
    """Return a copy of a document, and what holds the place `path` in it."""
    copied = holder = deepcopy(document)
    for key in path[:-1]:
        holder = holder[key]
    return copied, holder
