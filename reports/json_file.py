"""The result as JSON, in version 1 of the contract's form: a writer like any other."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rollproof.values.errors import ChaosError
from rollproof.values.report import Report, ReportedExploration, Writer

_SINCE_2 = ("known", "resolved", "fixed", "proved", "not_proved", "cells")
_WHERE_ANY = ("name", "label", "interrupted", "not_explored", "notes")
_OF_VIOLATIONS = ("invariants", "schedule", "message", "diff", "cause")


def writer(folder: os.PathLike[str], path: str) -> Writer:
    """Return what writes to `path`, as seen from `folder`, wherever a test has gone meanwhile."""

    def write_json(report: Report) -> None:
        try:
            found = [version_1(exploration) for exploration in report["explorations"]]
            write(os.path.join(folder, path), report["seed"], found)
        except (OSError, ValueError) as problem:
            why = getattr(problem, "strerror", None) or problem
            text = f"the result could not be written to {path}: {why} (--chaos-json)"
            raise ChaosError("not-written", text) from None

    return write_json


def version_1(exploration: ReportedExploration) -> dict[str, Any]:
    """Return an exploration as version 1 has it: without what version 2 adds, and without some keys that are empty."""
    label = exploration["label"] if exploration["label"] != exploration["name"] else ""
    found: dict[str, Any] = {**exploration, "label": label}
    violations = [{key: v[key] for key in _OF_VIOLATIONS if v[key] is not None} for v in found["violations"]]
    kept = {key: value for key, value in found.items() if key not in _SINCE_2 and (value or key not in _WHERE_ANY)}
    return {**kept, "violations": violations}


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
