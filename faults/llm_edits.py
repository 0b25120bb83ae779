"""JSON of a model that is edited in one of endless ways: drawn by the plan, written in the token, carried out here.

The variants of the faults in `llm` and `llm_fields` are the likeliest of these, tried one by one.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from typing import Any, NamedTuple

from rollproof.values.actions import Action, Say
from rollproof.values.edits import Edits
from rollproof.values.errors import nearest
from rollproof.values.faults import fault
from rollproof.values.points import Effect

from .documents import Document, documents, is_json
from .json_edits import Edit, NoEdit, Place, at, edited, in_words, parse, places, pointer
from .possible_edits import possible_edits
from .schemas import Formatted, Schema, conforms, conforms_exactly, formatted_in, inferred

_MOST_PLACES = 60  # of one document: the first ones
_SHOWN = 5
_Allowed = Callable[["_Target", "_Read | None"], bool]


class _Read(NamedTuple):
    """JSON that was read, and whether an object in it had a key twice."""

    value: Any
    has_a_key_twice: bool


@dataclass(frozen=True, slots=True)
class _Target:
    """A document that can be edited: one object or list.

    Attributes:
        value: what it says.
        right: the schema of what is right there: without one in the request, of what has its fields and types.
        formatted: the texts in it that have the format that their schema wants.
        is_guaranteed: whether the provider sees to it that nothing else comes.
        is_last: whether nothing follows it in the answer.
    """

    document: Document
    value: Any
    right: Schema
    formatted: frozenset[Formatted]
    is_guaranteed: bool
    is_last: bool

    def edited(self, edits: Sequence[Edit], allowed: _Allowed) -> str | None:
        """Return the text with edits; None where they cannot come."""
        text = edited(self.document.text, edits)
        if text is None:
            return None
        read = _read(text)
        if read is None and not self.is_last:
            return None
        if read is not None and self.document.is_call and not isinstance(read.value, dict):
            return None
        return text if allowed(self, read) else None


def _targets(answer: object) -> list[_Target]:
    found = [document for document in documents(answer) if is_json(document.text)]
    targets = []
    for document in found:
        value, asked = json.loads(document.text), document.asked
        if isinstance(value, dict | list):
            schema = asked.schema if asked is not None else None
            is_guaranteed = schema is not None and document.is_strict
            right = schema if schema is not None else inferred(value)
            formatted, is_last = formatted_in(value, right), document is found[-1]
            targets.append(_Target(document, value, right, formatted, is_guaranteed, is_last))
    return targets


def _read(text: str) -> _Read | None:
    """Read JSON; None where it is none, or none that Python reads."""
    found: list[bool] = []

    def noted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        read = dict(pairs)
        found.append(len(read) < len(pairs))
        return read

    try:
        return _Read(json.loads(text, object_pairs_hook=noted), any(found))
    except (ValueError, RecursionError):  # nested too deeply for Python's reader
        return None


def _is_mistake(target: _Target, read: _Read | None) -> bool:
    """Return whether a model can say something by mistake: no JSON, since it was cut, or other JSON than is right."""
    if read is None:
        return True
    return not target.is_guaranteed and (read.has_a_key_twice or not conforms(read.value, target.right))


def _is_surprise(target: _Target, read: _Read | None) -> bool:
    """Return whether something is right as well."""
    if read is None or read.has_a_key_twice:
        return False
    return conforms_exactly(read.value, target.right, target.formatted)


def _actions(effect: Effect, allowed: _Allowed) -> Iterator[Action]:
    edits = parse(effect.edits) if effect.edits else ()
    targets = _targets(effect.answer) if edits else []
    if not edits or len(targets) < edits[0].document:
        return
    target = targets[edits[0].document - 1]
    text = target.edited(edits, allowed)
    if text is not None:
        said, is_cut = target.document.instead(text), any(edit.name == "cut" for edit in edits)
        yield Say(replace(said, finish_reason="length") if is_cut and target.document.is_strict else said)


class _AtPlace(Sequence[str]):
    """The edits that can come at one place, tried when they are asked for: all places of a long answer take minutes."""

    def __init__(self, target: _Target, number: int, place: Place, allowed: _Allowed) -> None:
        self._target, self._number, self._place, self._allowed = target, number, place, allowed

    @cached_property
    def _edits(self) -> list[str]:
        target = self._target
        possible = possible_edits(target.value, self._place, target.document.asked, self._number)
        return [str(edit) for edit in possible if target.edited((edit,), self._allowed) is not None]

    def __len__(self) -> int:
        return len(self._edits)

    def __getitem__(self, index: Any) -> Any:
        return self._edits[index]


def _edits_at(effect: Effect, *, allowed: _Allowed) -> list[list[_AtPlace]]:
    """Return the edits that can come at an effect, by document and place; a place may have none."""
    found = [
        [_AtPlace(target, number, place, allowed) for place in islice((*places(target.value), ()), _MOST_PLACES)]
        for number, target in enumerate(_targets(effect.answer), 1)
    ]
    return [of_document for of_document in found if any(of_document)]


def _refusal(text: str, effect: Effect | None, *, allowed: _Allowed) -> tuple[str, str] | None:
    try:
        edits = parse(text)
    except NoEdit as problem:
        return str(problem), problem.hint
    if effect is None or any(_actions(replace(effect, edits=text), allowed)):
        return None
    targets, number = _targets(effect.answer), edits[0].document
    if len(targets) < number:
        return f"the answer has no document {number}", f"it has {len(targets)}"
    value = targets[number - 1].value
    missing = next((edit.place for edit in edits[:1] if not _has(value, edit)), None)
    if missing is not None:
        near = nearest(pointer(missing), map(pointer, places(value)))
        return f"the answer has no {pointer(missing)}", f"nearest: {', '.join(near)}"
    possible = [
        one for of_document in _edits_at(effect, allowed=allowed) for by_place in of_document for one in by_place
    ]
    here = [one for one in possible if parse(one)[0].place == edits[0].place]
    hint = f"what can come there: {', '.join(here[:_SHOWN]) or 'nothing'}"
    return f"{text} cannot come there: it changes nothing, or is for another fault", hint


def _has(value: Any, edit: Edit) -> bool:
    place: Place = edit.place[:-1] if edit.name == "new" else edit.place
    try:
        at(value, place)
    except (LookupError, TypeError, ValueError):
        return False
    return True


def _of(allowed: _Allowed) -> Edits:
    return Edits(
        at=partial(_edits_at, allowed=allowed),
        told=lambda text: in_words(parse(text)),
        refusal=partial(_refusal, allowed=allowed),
    )


@fault(
    "llm.corrupted_json",
    at=("llm.chat", "served.chat"),
    when="after",
    lasting=True,
    told="in the JSON of the model's answer {edits}",
    edits=_of(_is_mistake),
)
def corrupted_json(effect: Effect) -> Iterator[Action]:
    """The JSON of an answer or of a tool call has other fields or types than asked for, or is cut: drawn, not listed.

    One to three edits of one document, which the token names. Where a strict schema guarantees both, it is only cut.
    """
    return _actions(effect, _is_mistake)


@fault(
    "llm.surprising_value",
    at=("llm.chat", "served.chat"),
    when="after",
    lasting=True,
    by_default=False,
    told="in the JSON of the model's answer, of the right form, {edits}",
    edits=_of(_is_surprise),
)
def surprising_value(effect: Effect) -> Iterator[Action]:
    """The JSON of an answer or of a tool call is of the right form, with values at the edge of it: drawn, not listed.

    Empty and endless texts, characters that are not seen, numbers at a boundary, more items or none. A schema holds, as
    strict ones do, with its sizes and patterns.
    """
    return _actions(effect, _is_surprise)
