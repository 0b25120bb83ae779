"""Texts that a regular expression of a schema matches."""

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from importlib import import_module
from typing import Any

_parser: Any = import_module("re._parser")  # Python's own reading of an expression, of which it says no types
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.~ !#$%&*+,/:;=?@^|\"'()<>[]{}\\`"
_CATEGORIES = {"DIGIT": r"\d", "NOT_DIGIT": r"\D", "SPACE": r"\s", "NOT_SPACE": r"\S", "WORD": r"\w", "NOT_WORD": r"\W"}
_MOST = 400


def texts_for(pattern: str, seed: str) -> Iterator[str]:
    """Yield texts that are meant to match, the shortest ones first; the same ones for the same seed.

    Nothing comes for an expression that Python does not read. What looks ahead or back is passed over: whether a text
    matches is for the caller to check.
    """
    try:
        parsed = _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError):
        return
    for least in (0, 1, 4, 16):
        drawn = _Drawn(seed)
        yield "".join(_written(parsed, drawn, least))[:_MOST]


class _Drawn:
    """Choices that look random and are made of a seed."""

    def __init__(self, seed: str) -> None:
        self._seed, self._n = seed, 0

    def one_of(self, choices: str) -> str:
        """Return the next choice."""
        self._n += 1
        digest = sha256(f"{self._seed}/{self._n}".encode()).digest()
        return choices[int.from_bytes(digest[:4]) % len(choices)] if choices else ""


def _written(parsed: Iterable[Any], drawn: _Drawn, least: int) -> Iterator[str]:
    for what, given in parsed:
        match what.name:
            case "LITERAL":
                yield chr(given)
            case "NOT_LITERAL" | "ANY" | "IN":
                yield drawn.one_of("".join(letter for letter in _LETTERS if _may_be(letter, what.name, given)))
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                low, high, repeated = given
                for _ in range(min(max(low, least), int(high))):
                    yield from _written(repeated, drawn, least)
            case "SUBPATTERN":
                yield from _written(given[3], drawn, least)
            case "ATOMIC_GROUP":
                yield from _written(given, drawn, least)
            case "BRANCH":
                yield from _written(given[1][0], drawn, least)


def _may_be(letter: str, what: str, given: Any) -> bool:
    if what != "IN":
        return what == "ANY" or bool(ord(letter) != given)
    negated = given[0][0].name == "NEGATE"
    return bool(negated != any(_is_in(letter, one.name, part) for one, part in given))


def _is_in(letter: str, what: str, given: Any) -> bool:
    match what:
        case "LITERAL":
            return bool(ord(letter) == given)
        case "RANGE":
            return bool(given[0] <= ord(letter) <= given[1])
        case "CATEGORY":
            return re.match(_CATEGORIES[given.name.removeprefix("CATEGORY_")], letter) is not None
    return False
