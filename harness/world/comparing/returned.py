"""Compare what two fault-free runs returned with what a third returned."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any

from ..volatile.shapes import marker
from ..volatile.templates import template_of

_LEAVES = (str, int, float, bool, bytes, type(None))


def matches_value(a: object, b: object, result: object) -> bool:
    """Return whether `result` equals what two fault-free runs returned, `a` and `b`, where these agree.

    Where they do not, the type must be theirs, and the part of a text that they have in common. Of objects that
    compare by identity only the type counts.
    """
    return _matches(_plain(a), _plain(b), _plain(result))


def _matches(a: Any, b: Any, result: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        if a.keys() != b.keys():
            return isinstance(result, dict) and len(result) in (len(a), len(b))
        same = isinstance(result, dict) and result.keys() == a.keys()
        return same and all(_matches(a[key], b[key], result[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return isinstance(result, list)
        same = isinstance(result, list) and len(result) == len(a)
        return same and all(map(_matches, a, b, result))
    if type(a) is type(b) and a == b:
        return type(result) is type(a) and bool(result == a)
    if isinstance(a, str) and isinstance(b, str):
        return isinstance(result, str) and _same_text(a, b, result)
    return marker(result) in (marker(a), marker(b))


def _same_text(a: str, b: str, result: str) -> bool:
    template = template_of([a, b])
    return template.hide(result)[0] in (template.hide(a)[0], template.hide(b)[0])


def _plain(value: object, depth: int = 20) -> Any:
    """Return `value` as dicts, lists and leaves; an object that says nothing of itself becomes its type."""
    if isinstance(value, _LEAVES) or depth == 0:
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, BaseException):
        return {"": type(value).__qualname__, "args": _plain(value.args, depth - 1)}
    if is_dataclass(value) and not isinstance(value, type):
        inner = {field.name: _plain(getattr(value, field.name), depth - 1) for field in fields(value)}
        return {"": type(value).__qualname__, **inner}
    if isinstance(value, Mapping):
        return {str(key) if isinstance(key, PurePath) else key: _plain(value[key], depth - 1) for key in value}
    if isinstance(value, list | tuple):
        return [_plain(item, depth - 1) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(item, depth - 1) for item in value), key=repr)
    if hasattr(value, "model_dump"):
        return {"": type(value).__qualname__, **_plain(value.model_dump(), depth - 1)}
    if type(value).__eq__ is object.__eq__:
        return f"<{type(value).__module__}.{type(value).__qualname__}>"
    return value
