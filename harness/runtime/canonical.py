"""Text and hashes that are the same wherever the value is the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(value: Any) -> str:
    """Write a value as JSON with sorted keys, no spaces and no escapes, so that equal values give equal text.

    Raises:
        TypeError: The value is not JSON (a path, a date, an object).
        ValueError: It holds NaN or an infinity, which JSON does not know.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(content: bytes | str) -> str:
    """Give the SHA-256 of some content as 64 hexadecimal digits; text is hashed as UTF-8."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
