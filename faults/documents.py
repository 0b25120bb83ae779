"""The JSON documents in a model's answer that a program is to read, and the beginnings of an answer."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rollproof.values.http import Asked, ModelAnswer

from .schemas import conforms


@dataclass(frozen=True, slots=True)
class Document:
    """JSON text in an answer, what was asked of it, and the same answer with another text in its place.

    `is_call` says whether it is the arguments of a call, which are an object.
    """

    text: str
    instead: Callable[[str], ModelAnswer]
    asked: Asked | None = None
    is_call: bool = False

    @property
    def is_strict(self) -> bool:
        """Return whether the provider guarantees that it is JSON, and of the schema where there is one."""
        return is_strict(self.asked)

    def is_mistaken(self, value: Any) -> bool:
        """Return whether a model can say a value here by mistake.

        Where the request has a schema, only what violates it is one, and none is possible where that is strict.
        """
        if self.asked is None or self.asked.schema is None:
            return True
        return not self.asked.strict and not conforms(value, self.asked.schema)


def documents(answer: object) -> Iterator[Document]:
    """Yield the text of an answer, where a program reads it, and the arguments of each tool call."""
    if isinstance(answer, ModelAnswer):
        if is_document(answer.text):
            yield Document(answer.text, answer.with_text, answer.asked)
        for n, call in enumerate(answer.tool_calls):
            if is_document(call.arguments):
                yield Document(call.arguments, partial(answer.with_arguments, n), call.asked, is_call=True)


def unguaranteed(answer: object) -> Iterator[Document]:
    """Yield the documents that a provider does not guarantee to be JSON."""
    return (document for document in documents(answer) if not document.is_strict)


def is_strict(asked: Asked | None) -> bool:
    """Return whether the provider guarantees that what was asked for comes, or nothing that ends as usual."""
    return asked is not None and asked.strict


def is_document(text: str) -> bool:
    """Return whether a text is meant for a program: JSON, or a JSON document on each line."""
    lines = text.strip().splitlines()
    return len(text.strip()) > 1 and (is_json(text) or all(is_json(line) for line in lines))


def is_json(text: str) -> bool:
    """Return whether a text is JSON as a whole."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):  # one nested too deeply for Python's reader counts as text
        return False
    return True


def beginnings(answer: object) -> Iterator[ModelAnswer]:
    """Yield what a model had said when it was stopped in the middle, looking as usual otherwise.

    Half of the text, or of the last tool call's arguments; and what is whole in itself: the first lines of JSON lines,
    all calls but the last one.
    """
    if not isinstance(answer, ModelAnswer):
        return
    if answer.tool_calls:
        last = len(answer.tool_calls) - 1
        arguments = answer.tool_calls[last].arguments
        yield answer.with_arguments(last, arguments[: len(arguments) // 2])
        if last:
            yield replace(answer, tool_calls=answer.tool_calls[:last])
    elif len(answer.text) > 1:
        yield answer.with_text(answer.text[: len(answer.text) // 2])
        lines = answer.text.strip().splitlines()
        if len(lines) > 1 and is_document(answer.text) and not is_json(answer.text):
            yield answer.with_text("\n".join(lines[:-1]))


def structural_cuts(text: str) -> list[str]:
    """Return cuts of a JSON text: those that are still valid JSON first, then in its middle and near its end.

    A number stays valid wherever it is cut, a document of many lines (JSON lines) between two of its lines; an object
    or array alone never does.
    """
    text = text.strip()
    lines = text.splitlines()
    valid = ["\n".join(lines[:n]) for n in range(1, len(lines)) if all(map(is_json, lines[:n]))][-1:]
    commas = [i + 1 for i, c in enumerate(text) if c == ","]
    in_a_string = text.rfind('"', 0, len(text) * 2 // 3) + 2
    places = sorted({*commas[len(commas) // 2 : len(commas) // 2 + 1], in_a_string, len(text) - 1})
    cuts = [*valid, *(text[:place] for place in places if 0 < place < len(text))]
    return sorted(dict.fromkeys(cuts), key=lambda cut: not is_json(cut))
