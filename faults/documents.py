"""Where in a model's answer the JSON stands that a program is to read, and which parts of an answer come first."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from rollproof.values.http import ModelAnswer


@dataclass(frozen=True, slots=True)
class Document:
    """JSON text in an answer, and the same answer with another text in its place."""

    text: str
    instead: Callable[[str], ModelAnswer]


def documents(answer: object) -> Iterator[Document]:
    """Yield the text of an answer, where a program reads it, and the arguments of each tool call."""
    if isinstance(answer, ModelAnswer):
        if is_document(answer.text):
            yield Document(answer.text, answer.with_text)
        for n, call in enumerate(answer.tool_calls):
            if is_document(call.arguments):
                yield Document(call.arguments, partial(answer.with_arguments, n))


def is_document(text: str) -> bool:
    """Say whether a text is meant for a program: JSON, or a JSON document on each line."""
    lines = text.strip().splitlines()
    return len(text.strip()) > 1 and (is_json(text) or all(is_json(line) for line in lines))


def is_json(text: str) -> bool:
    """Say whether a text is JSON as a whole."""
    try:
        json.loads(text)
    except ValueError:
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
