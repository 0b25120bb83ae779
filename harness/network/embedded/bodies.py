"""Reading the JSON of a request as a Go server does.

The first value counts and the rest is ignored, keys match in any case, unknown keys are ignored, null means absent, and
a value of the wrong type is refused.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from .refusals import bad_body

Pairs = list[tuple[str, Any]]
"""An object as it was written: keys in order, doubles included."""

_INT64 = range(-(2**63), 2**63)
_KINDS: Mapping[type, str] = {str: "string", bool: "bool", int: "number", float: "number", list: "array"}


class Object:
    """A JSON object whose fields are asked for by name and type."""

    def __init__(self, pairs: Pairs) -> None:
        self._fields = {key.lower(): value for key, value in pairs if value is not None}

    def text(self, name: str, default: str) -> str:
        """Return a string."""
        return str(self._typed(name, str, default))

    def flag(self, name: str, default: bool) -> bool:
        """Return a boolean."""
        return bool(self._typed(name, bool, default))

    def integer(self, name: str, default: int) -> int:
        """Return a whole number of 64 bits; 1.5 and "5" are none."""
        value = self._typed(name, int, default)
        if value not in _INT64:
            raise _mismatch(value, name)
        return int(value)

    def number(self, name: str, default: float) -> float:
        """Return a number."""
        value = self._fields.get(name, default)
        return float(value if type(value) is int else self._typed(name, float, default))

    def within(self, name: str) -> "Object":
        """Return an object within this one; an empty one where it is absent."""
        return as_object(self._fields.get(name, Object([])), name)

    def _typed(self, name: str, kind: type, default: object) -> Any:
        value = self._fields.get(name, default)
        if type(value) is not kind:
            raise _mismatch(value, name)
        return value


def as_object(value: object, name: str = "") -> Object:
    """Return a value that has to be an object; null is an empty one."""
    if value is None:
        return Object([])
    if not isinstance(value, Object):
        raise _mismatch(value, name)
    return value


def as_list(value: object) -> list[object]:
    """Return a value that has to be an array; null is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise _mismatch(value, "")
    return value


def first_value(body: bytes) -> object:
    """Return the first JSON value of a body; objects as `Object`."""
    text = body.decode(errors="replace").lstrip(" \t\r\n")
    if not text:
        raise bad_body("EOF")
    try:
        value: object = _DECODER.raw_decode(text)[0]
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        raise bad_body("unexpected EOF" if cut else f"invalid character: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise bad_body(str(error)) from None
    return value


def _mismatch(value: object, name: str) -> Exception:
    kind = "object" if isinstance(value, Object) else _KINDS.get(type(value), "value")
    return bad_body(f"json: cannot unmarshal {kind} into {name or 'the body'}")


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"invalid character {text[0]!r}")


_DECODER = json.JSONDecoder(object_pairs_hook=Object, parse_constant=_no_constant)
