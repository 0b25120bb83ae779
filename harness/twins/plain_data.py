"""Plain data: what JSON has, kept as bytes and shown as rows."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..values.errors import ChaosError, shown
from ..values.world import Row


def dumped(data: Any, what: str) -> bytes:
    """Return data as JSON, in its own order; raises ChaosError ``bad-state`` for what JSON does not have.

    `what` names it in the error. A tuple becomes a list.
    """
    try:
        _check(data, what)
        return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, RecursionError) as problem:  # half of a surrogate pair, what holds itself
        raise _bad(what, "", f"what cannot be written as JSON: {problem}") from None


def rows_by_name(data: Any) -> dict[str, list[Row]]:
    """Return data as a person would list it: the names at its top, each with rows.

    A list has a row for each element, a mapping one for each of its keys: ``{"id": key, …}`` with the fields of what is
    there, or its ``value``. What is empty has no rows. All that is neither is a row of ``state``, by its
    ``name``.
    """
    named = data if isinstance(data, dict) else {"state": data}
    found = {name: _rows(value) for name, value in named.items() if isinstance(value, (dict, list))}
    single = {name: value for name, value in named.items() if not isinstance(value, (dict, list))}
    if single:
        found["state"] = [{"name": name, "value": value} for name, value in single.items()] + found.get("state", [])
    return {name: rows for name, rows in found.items() if rows}


def differences(one: bytes, other: bytes, what: str) -> Iterator[str]:
    """Yield the differences of two texts in words, by their places where both are JSON; `what` names the texts."""
    if one == other:
        return
    try:
        yield from _differences(json.loads(one), json.loads(other), what)
    except ValueError:
        yield f"{what}: {shown(one)}, then {shown(other)}"


def _differences(one: Any, other: Any, where: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from _differences(one[key], other[key], f"{where}[{key!r}]")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from _differences(first, second, f"{where}[{number}]")
    elif one != other:
        yield f"{where}: {shown(one)}, then {shown(other)}"


def _rows(value: Any) -> list[Row]:
    if isinstance(value, list):
        return [one if isinstance(one, dict) else {"value": one} for one in value]
    return [_with_id(key, one if isinstance(one, dict) else {"value": one}) for key, one in value.items()]


def _with_id(key: str, row: Mapping[str, Any]) -> Row:
    return {"key" if row.get("id", key) != key else "id": key, **row}


def _check(data: Any, what: str, where: str = "") -> None:
    if isinstance(data, dict):
        for key, value in data.items():
            if not isinstance(key, str):
                raise _bad(what, where, f"the key {shown(key)}, and keys are texts")
            _check(value, what, f"{where}[{key!r}]")
    elif isinstance(data, (list, tuple)):
        for number, value in enumerate(data):
            _check(value, what, f"{where}[{number}]")
    elif isinstance(data, float) and not math.isfinite(data):
        raise _bad(what, where, f"{data}, which JSON does not have")
    elif data is not None and not isinstance(data, (str, bool, int, float)):
        raise _bad(what, where, shown(data))


def _bad(what: str, where: str, found: str) -> ChaosError:
    hint = "plain data: dict with texts as keys, list, str, int, float, bool, None"
    return ChaosError("bad-state", f"{what} has {found}" + (f" at {where}" if where else ""), hint)
