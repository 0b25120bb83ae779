"""Edits of a JSON document, each written as a text that a token can hold: ``is=null:/items/0/price``.

A place is a JSON pointer (RFC 6901), before which the number of the document stands where it is not the first one of
the answer. What is not plain ASCII, and what means something in a token or a shell, is quoted as in a URL. The place
comes last: ``token=null`` would be taken for a secret wherever it is printed.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from rollproof.values.errors import nearest, shown

Place = tuple[str, ...]
_WRITTEN = re.compile(r"([a-z]+)(?:=([^,:]+))?:([1-9][0-9]{0,2})?((?:/[^/:=,]*)*)")
_PLAIN = '/~-_.!*()[]{}\\"'
_MOST_EDITS, _MOST_LISTS, _MOST_LONG = 4, 200, 100_000
_MARK = "\0"  # stands in no JSON text
_EXAMPLE = "is=null:/price,drop:/items/0"


class NoEdit(ValueError):
    """A text is no edit; `hint` says what is near."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Edit:
    """What is done at one place of a document, of which an answer may have several, from 1."""

    name: str
    place: Place = ()
    argument: str = ""
    document: int = 1

    def __str__(self) -> str:
        argument = f"={quote(self.argument, _PLAIN)}" if self.argument else ""
        return f"{self.name}{argument}:{self.document if self.document > 1 else ''}{pointer(self.place)}"


def pointer(place: Place) -> str:
    """Return a place as a JSON pointer, quoted; "" for the whole document."""
    return "".join(f"/{quote(step.replace('~', '~0').replace('/', '~1'), _PLAIN)}" for step in place)


def parse(text: str) -> tuple[Edit, ...]:
    """Read edits joined by commas, all of one document; raises NoEdit for what is none."""
    edits = tuple(map(_parse_one, text.split(",")))
    if len(edits) > _MOST_EDITS:
        raise NoEdit(f"{len(edits)} edits are too many", f"at most {_MOST_EDITS}")
    if len({edit.document for edit in edits}) > 1:
        raise NoEdit("the edits are of several documents", f"all of one: {_EXAMPLE}")
    return edits


def _parse_one(text: str) -> Edit:
    match = _WRITTEN.fullmatch(text)
    name = match[1] if match else re.split("[:=]", text, maxsplit=1)[0]
    kind = KINDS.get(name)
    if kind is None:
        near = ", ".join(nearest(name, KINDS))
        raise NoEdit(f"{shown(name)} is no edit", f"nearest: {near}\nall of them: {', '.join(KINDS)}; e.g. {_EXAMPLE}")
    steps = match[4].split("/")[1:] if match else []
    argument = unquote(match[2] or "") if match else ""
    needs_place = kind.of_member is not None or name == "new"
    if match is None or not kind.argument.is_right(argument) or (needs_place and not steps):
        raise NoEdit(f"{shown(text)} is no edit", f"it reads {name}{kind.argument.form}:/place")
    place = tuple(unquote(step).replace("~1", "/").replace("~0", "~") for step in steps)
    return Edit(name, place, argument, int(match[3] or 1))


def edited(text: str, edits: Iterable[Edit]) -> str | None:
    """Return a JSON text with these edits made, one after the other; None where one of them changes nothing there."""
    for edit in edits:
        try:
            value = json.loads(text)
            before, text = dumped(value), _edited(value, edit)
        except (LookupError, TypeError, ValueError, RecursionError):
            return None
        if text == before:
            return None
    return text


def _edited(value: Any, edit: Edit) -> str:
    kind, argument = KINDS[edit.name], edit.argument
    of_value, of_member = kind.of_value, kind.of_member
    if of_member is not None:
        return _written(value, edit.place, lambda key, one: of_member(key, one, argument))
    if of_value is not None:
        return _with_value(value, edit.place, lambda one: of_value(one, argument))
    if edit.name == "new":
        return _with_value(value, edit.place[:-1], lambda one: _with_new(one, edit.place[-1], argument))
    before, whole, _ = _with_value(value, edit.place, lambda one: f"{_MARK}{dumped(one)}{_MARK}").split(_MARK)
    return before + {"before": "", "within": whole[: (len(whole) + 1) // 2], "after": whole}[argument]


def _with_value(value: Any, place: Place, write: Callable[[Any], str]) -> str:
    return _written(value, place, lambda key, one: [_member(key, write(one))]) if place else write(value)


def _written(value: Any, place: Place, write: Callable[[str | None, Any], list[str]]) -> str:
    """Return the text of a value, with what `write` makes of the member at a place (key None: an item of a list)."""
    is_list = isinstance(value, list)
    keys: Mapping[str, Any] = {str(n): one for n, one in enumerate(value)} if is_list else value
    if not isinstance(value, list | dict) or place[0] not in keys:
        raise LookupError
    members: list[str] = []
    for name, one in keys.items():
        key = None if is_list else name
        if name != place[0]:
            members.append(_member(key, dumped(one)))
        elif len(place) == 1:
            members += write(key, one)
        else:
            members.append(_member(key, _written(one, place[1:], write)))
    return f"[{', '.join(members)}]" if is_list else f"{{{', '.join(members)}}}"


def _member(key: str | None, text: str) -> str:
    return text if key is None else f"{dumped(key)}: {text}"


def dumped(value: Any) -> str:
    """Return the JSON text of a value, as models write it."""
    return json.dumps(value, ensure_ascii=False)


def _with_new(value: Any, key: str, text: str) -> str:
    if isinstance(value, dict) and key not in value:
        return f"{{{', '.join([*(_member(name, dumped(one)) for name, one in value.items()), _member(key, text)])}}}"
    if isinstance(value, list) and key == "-":  # the pointer of an item after the last one
        return f"[{', '.join([*map(dumped, value), text])}]"
    raise LookupError


def _first(value: Any, argument: str) -> str:
    if not isinstance(value, list):
        raise LookupError
    return dumped(value[0])


def _long(value: Any, argument: str) -> str:
    size = int(argument)
    if not isinstance(value, str | list) or not 0 < len(value) < size:
        raise LookupError
    return dumped((value * (size // len(value) + 1))[:size])


def _ending(value: Any, argument: str) -> str:
    if not isinstance(value, str):
        raise LookupError
    return dumped(value + argument)


def _reversed(value: Any, argument: str) -> str:
    if not isinstance(value, list | dict):
        raise LookupError
    return dumped(value[::-1] if isinstance(value, list) else dict(reversed(value.items())))


def _twice(key: str | None, value: Any, argument: str) -> list[str]:
    return [_member(key, dumped(value)), _member(key, argument or dumped(value))]


def _renamed(key: str | None, value: Any, argument: str) -> list[str]:
    if key is None:
        raise LookupError
    return [_member(argument, dumped(value))]


def _can_be_sent(text: str) -> bool:
    """Return whether a text is JSON that any provider can send: no half of a character, no endless number."""
    try:
        json.dumps(json.loads(text), ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def _is_number(text: str, most: int) -> bool:
    return bool(re.fullmatch(r"[1-9][0-9]{0,5}", text)) and int(text) <= most


@dataclass(frozen=True, slots=True)
class _Argument:
    """What stands behind the = of an edit; `form` names it, "" for nothing."""

    form: str
    is_right: Callable[[str], bool]


_NOTHING = _Argument("", lambda text: not text)
_JSON = _Argument("=JSON", _can_be_sent)
_PERHAPS_JSON = _Argument("[=JSON]", lambda text: not text or _can_be_sent(text))
_KEY = _Argument("=KEY", lambda text: bool(text) and "\ufffd" not in text)
_TEXT = _Argument("=TEXT", _KEY.is_right)
_LENGTH = _Argument(f"=1…{_MOST_LONG}", lambda text: _is_number(text, _MOST_LONG))
_LISTS = _Argument(f"=1…{_MOST_LISTS}", lambda text: _is_number(text, _MOST_LISTS))
_WHERE = _Argument("=before|within|after", lambda text: text in ("before", "within", "after"))


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of edits: what it did as a clause, in which `{place}` and `{argument}` stand, and how it is made.

    `of_value` returns the text in place of a value, `of_member` the members in place of one of an object or a list.
    """

    told: str
    argument: _Argument = _NOTHING
    of_value: Callable[[Any, str], str] | None = None
    of_member: Callable[[str | None, Any, str], list[str]] | None = None


KINDS: Mapping[str, _Kind] = {
    "drop": _Kind("{place} was missing", of_member=lambda key, value, argument: []),
    "is": _Kind("{place} was {argument}", _JSON, lambda value, argument: argument),
    "text": _Kind("{place} came as a text", of_value=lambda value, argument: dumped(dumped(value))),
    "list": _Kind("{place} came in a list", of_value=lambda value, argument: f"[{dumped(value)}]"),
    "first": _Kind("{place} came as its first item alone", of_value=_first),
    "inside": _Kind(
        "{place} came within {{{argument}: …}}", _KEY, lambda value, key: f"{{{_member(key, dumped(value))}}}"
    ),
    "renamed": _Kind("{place} was called {argument}", _KEY, of_member=_renamed),
    "new": _Kind("there was {place}, {argument}, too", _JSON),
    "twice": _Kind("{place} came twice", _PERHAPS_JSON, of_member=_twice),
    "ending": _Kind("{place} ended with {argument}", _TEXT, _ending),
    "reversed": _Kind("{place} came in reverse order", of_value=_reversed),
    "long": _Kind("{place} went on up to a length of {argument}", _LENGTH, _long),
    "deep": _Kind(
        "{place} came in {argument} lists, one within the other",
        _LISTS,
        lambda value, argument: "[" * int(argument) + dumped(value) + "]" * int(argument),
    ),
    "cut": _Kind("the text ended {argument} {place}", _WHERE),
}
"""All kinds of edits by name; ``new`` and ``cut`` concern more than the value at their place (`_edited`)."""


def in_words(edits: Sequence[Edit]) -> str:
    """Return what edits did, as a clause."""
    return ", and ".join(_in_words(edit) for edit in edits)


def _in_words(edit: Edit) -> str:
    place = pointer(edit.place) or "the whole"
    place += f" of document {edit.document}" if edit.document > 1 else ""
    argument = edit.argument
    if KINDS[edit.name].argument in (_KEY, _TEXT):
        argument = json.dumps(argument)  # what cannot be seen is shown as an escape
    return KINDS[edit.name].told.format(place=place, argument=argument)


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Yield the places of all fields, and of the first and the last item of each list."""
    if isinstance(value, dict):
        inner: Iterable[tuple[str, Any]] = value.items()
    elif isinstance(value, list):
        inner = ((str(n), value[n]) for n in dict.fromkeys((0, len(value) - 1)) if value)
    else:
        return
    for key, one in inner:
        yield (*place, key)
        yield from places(one, (*place, key))


def at(value: Any, place: Place) -> Any:
    """Return what stands at a place."""
    for step in place:
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value
