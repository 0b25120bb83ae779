"""Text and hashes that are the same wherever the value is the same: in every process, on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical(value: Any) -> str:
    """Write a value as JSON with sorted keys, no spaces and no escapes, so that equal values give equal text.

    Raises:
        TypeError: The value is not JSON (a path, a date, an object).
        ValueError: It holds NaN or an infinity, which JSON does not know.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def variables(given: Any, whose: str) -> dict[str, Any]:
    """Return variables as a restart would read them back: text names, JSON values.

    Raises:
        TypeError: They are no mapping, or one of them is not JSON; it is named, and so is `whose` they are.
    """
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise TypeError(f'{whose}: a {kind}; variables are a mapping of names to JSON values, such as {{"id": 7}}')
    for name, value in given.items():
        if not isinstance(name, str):
            raise TypeError(f"{whose}: the name {name!r} is no text")
        try:
            sha256(canonical(value))
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(
                f"{whose}: {name!r} is a {type(value).__name__} that is not JSON ({error}); a restart reads variables "
                "back from the database, so give text, numbers, lists, mappings, true, false or None"
            ) from None
    return dict(json.loads(canonical(dict(given))))


def sha256(content: bytes | str) -> str:
    """Return the SHA-256 of some content as 64 hexadecimal digits; text is hashed as UTF-8."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
