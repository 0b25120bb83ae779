"""Files that are replaced as a whole."""

import os
from collections.abc import Callable
from pathlib import Path

from rollproof.values.errors import ChaosError


def write_text(path: str, text: str) -> None:
    """Write a text to `path`, making its folder where it is missing.

    The file is replaced as a whole: who reads it meanwhile finds what was there before, or what is there now.
    """
    target = Path(path).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode(errors="backslashreplace")  # names of files need not be UTF-8
    if target.is_file() or not target.exists():
        _replace(target, data)
    else:
        target.write_bytes(data)  # a device or a pipe


def written(path: str, option: str, write: Callable[[], None]) -> None:
    """Write a result with `write`; raises ChaosError ``not-written``, which names `path` and the option behind it."""
    try:
        write()
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise ChaosError("not-written", f"the result could not be written to {path}: {why} ({option})") from None


def _replace(target: Path, data: bytes) -> None:
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    draft = target.with_name(f".chaos.{os.getpid()}")  # short, however long the target's name is
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
