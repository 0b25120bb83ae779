"""Forms whose names are paths: ``items[0][price]=p``."""

from collections.abc import Iterable
from typing import Any


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the fields of a form as a tree: ``{"items": [{"price": "p"}]}``.

    Names that are all numbers, or empty (``expand[]``), make a list, but below ``metadata``, where they are names.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        first, *inner = (part.removesuffix("]") for part in name.split("["))
        at, last = found, first
        for part in inner:
            if not isinstance(at.get(last), dict):
                at[last] = {}
            at = at[last]
            last = part or str(len(at))
        at[last] = value
    return {name: value if name == "metadata" else _with_lists(value) for name, value in found.items()}


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: one if name == "metadata" else _with_lists(one) for name, one in value.items()}
    return list(inner.values()) if inner and all(map(str.isdigit, inner)) else inner
