"""Answers of a model that came, and are wrong."""

import json
from collections.abc import Iterator

from rollproof.values.faults import fault
from rollproof.values.http import ModelAnswer
from rollproof.values.points import Effect
from rollproof.values.strikes import Say, Strike


@fault("llm.malformed_json", at="llm", when="after", lasting=True)
def malformed_json(effect: Effect) -> Iterator[Strike]:
    """The JSON of an answer has a trailing comma, or single quotes, as models write it."""
    answer = effect.answer
    if isinstance(answer, ModelAnswer) and _is_document(answer.text):
        text = answer.text.rstrip()
        yield Say(answer.with_text(f"{text[:-1]},{text[-1]}"))
        yield Say(answer.with_text(text.replace('"', "'")))


@fault("llm.truncated_json", at="llm", when="after", lasting=True)
def truncated_json(effect: Effect) -> Iterator[Strike]:
    """The JSON of an answer is cut, once within each structural part; cuts that leave valid JSON come first.

    The last cut says so ("length"), as a model at its token limit does; the others do not.
    """
    answer = effect.answer
    if isinstance(answer, ModelAnswer) and _is_document(answer.text):
        cuts = structural_cuts(answer.text)
        for cut in cuts:
            yield Say(answer.with_text(cut, "length" if cut == cuts[-1] else None))


def structural_cuts(text: str) -> list[str]:
    """Return cuts of a JSON text: those that are still valid JSON first, then in its middle and near its end.

    A number stays valid wherever it is cut, a document of many lines (JSON lines) between two of its lines; an object
    or array alone never does.
    """
    text = text.strip()
    lines = text.splitlines()
    valid = ["\n".join(lines[:n]) for n in range(1, len(lines)) if all(map(_is_json, lines[:n]))][-1:]
    commas = [i + 1 for i, c in enumerate(text) if c == ","]
    in_a_string = text.rfind('"', 0, len(text) * 2 // 3) + 2
    places = sorted({*commas[len(commas) // 2 : len(commas) // 2 + 1], in_a_string, len(text) - 1})
    cuts = [*valid, *(text[:place] for place in places if 0 < place < len(text))]
    return sorted(dict.fromkeys(cuts), key=lambda cut: not _is_json(cut))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _is_document(text: str) -> bool:
    """Say whether an answer is meant for a program: JSON, or a JSON document on each line."""
    lines = text.strip().splitlines()
    return len(text.strip()) > 1 and (_is_json(text) or all(_is_json(line) for line in lines))
