"""The result as JSON, in the contract's form."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def write(path: str, seed: int, explorations: Sequence[dict[str, Any]]) -> None:
    """Write all explorations of a session to `path`, making its folder where it is missing.

    The file is replaced as a whole: who reads it meanwhile finds what was there before, or what is there now.
    """
    target = Path(path).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    document = {"version": 1, "seed": seed, "explorations": list(explorations)}
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n"
    data = text.encode(errors="backslashreplace")  # names of files need not be UTF-8
    if target.is_file() or not target.exists():
        _replace(target, data)
    else:
        target.write_bytes(data)  # a device or a pipe


def _replace(target: Path, data: bytes) -> None:
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    draft = target.with_name(f".chaos-json.{os.getpid()}")  # short, however long the target's name is
    try:
        draft.write_bytes(data)
        draft.chmod(mode)
        draft.replace(target)
    except PermissionError:  # a file that may be written in a folder that may not
        target.write_bytes(data)
    finally:
        draft.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
