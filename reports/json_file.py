"""The result as JSON, in the contract's form."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def write(path: str, seed: int, explorations: Sequence[dict[str, Any]]) -> None:
    """Write all explorations of a session to `path`, making its folder where it is missing."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    document = {"version": 1, "seed": seed, "explorations": list(explorations)}
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str)
    target.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")  # names of files need not be UTF-8
