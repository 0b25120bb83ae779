"""The result as JSON, in version 2 of the contract's form: written as by any other writer, and read again."""

import json
import os
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints, is_typeddict

from rollproof.values.errors import ChaosError, shown
from rollproof.values.exploration import Cell, Exploration, Finding
from rollproof.values.replaying import ReplayCommand
from rollproof.values.report import Report, ReportedExploration, Writer, reported
from rollproof.values.schedule import Schedule

from .files import write_text, written


def writer(folder: os.PathLike[str], path: str) -> Writer:
    """Return the writer to `path`, as seen from `folder`, wherever a test has gone meanwhile."""

    def write_json(report: Report) -> None:
        written(path, "--chaos-json", lambda: write(os.path.join(folder, path), report))

    return write_json


_WHERE_ANY = ("name", "label", "interrupted", "not_explored", "notes")
"""Keys that version 1 has only where something is in them: their readers ask whether they are there."""


def text_of(report: Report) -> str:
    """Return a report as it is written."""
    written = {**report, "explorations": [_with_what_there_is(one) for one in report["explorations"]]}
    return json.dumps(written, indent=2, ensure_ascii=False, default=str) + "\n"


def _with_what_there_is(exploration: ReportedExploration) -> dict[str, Any]:
    """Return an exploration without what version 1 leaves out: `label` where it is the name, a cause that is none."""
    label = exploration["label"] if exploration["label"] != exploration["name"] else ""
    found: dict[str, Any] = {**exploration, "label": label}
    kept = {key: value for key, value in found.items() if value or key not in _WHERE_ANY}
    violations = [{k: v for k, v in one.items() if k != "cause" or v} for one in exploration["violations"]]
    return {**kept, "violations": violations}


def write(path: str, report: Report) -> None:
    """Write a report to `path`, making its folder where it is missing."""
    write_text(path, text_of(report))


def read(path: str) -> Report:
    """Read a report that `write` has written; raises ChaosError that says what else it is.

    A key that is missing, as an earlier commit of ours did not write it, is empty.
    """
    document = _parsed(path)
    if not isinstance(document, dict) or "version" not in document or "explorations" not in document:
        raise _bad(path, "is JSON and no result of an exploration", _HINT)
    if document["version"] == 1:
        raise _bad(path, "is version 1 of the result, which leaves out most of it", f"explore again: {_HINT}")
    if document["version"] != 2:
        newer = f"is version {shown(document['version'])} of the result, and this Rollproof reads version 2"
        raise _bad(path, newer, "read it with the Rollproof that wrote it")
    given = document["explorations"]
    if not isinstance(given, list) or not isinstance(seed := document.get("seed", 0), int):
        raise _bad(path, "is no result of an exploration: explorations is a list, seed a number", _HINT)
    whole = cast(dict[str, Any], reported(_EMPTY, ReplayCommand("")))
    inner = {key: whole[key].pop() for key in ("violations", "cells")}
    found = [_filled(one, whole, f"{path}: explorations[{number}]") for number, one in enumerate(given)]
    for number, one in enumerate(found):
        one["label"] = one["label"] or one["name"]
        for key, empty in inner.items():
            where = f"{path}: explorations[{number}].{key}"
            one[key] = [_filled(each, empty, f"{where}[{n}]") for n, each in enumerate(one[key])]
        found[number] = _checked(one, ReportedExploration, f"{path}: explorations[{number}]")
    return cast(Report, {"version": 2, "seed": seed, "explorations": found})


_EMPTY = Exploration(violations=(Finding((), Schedule(), ""),), cells=(Cell("", "", "", (), Schedule()),), schedules=0)
_HINT = "pytest --chaos --chaos-json=FILE writes one"
_NEEDED = ("test", "statement", "schedule")


def _parsed(path: str) -> Any:
    try:
        text = Path(path).read_bytes().decode()
    except OSError as problem:
        raise _bad(path, f"cannot be read: {problem.strerror or problem}", _HINT) from None
    except ValueError:  # no UTF-8, or no name of a file
        raise _bad(path, "is no text, and so no JSON", _HINT) from None
    if not text.strip():
        raise _bad(path, "is empty", _HINT)
    try:
        return json.loads(text)
    except json.JSONDecodeError as problem:
        ends = problem.pos >= len(text.rstrip()) or problem.msg.startswith("Unterminated string")
        why = "ends in the middle" if ends and text.lstrip()[0] in "{[" else f"is no JSON: {problem}"
        raise _bad(path, why, _HINT) from None
    except (RecursionError, ValueError):  # too deep, or a number with too many digits
        raise _bad(path, "is JSON and no result of an exploration", _HINT) from None


def _filled(given: Any, empty: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the given values, with empty ones for missing keys; raises ChaosError for a value of another type."""
    wrong = "is no object" if not isinstance(given, dict) else ""
    for key, value in empty.items() if not wrong else ():
        if key not in given:
            wrong = wrong or (f"has no {key!r}" if key in _NEEDED else "")
        elif value is not None and not isinstance(
            given[key], (int, float) if isinstance(value, float) else type(value)
        ):
            wrong = wrong or f"has {shown(given[key])} for {key!r}, which is no {type(value).__name__}"
    if wrong:
        raise _bad(where, wrong, _HINT)
    return {**empty, **given}


def _checked(given: Any, kind: Any, where: str) -> Any:
    """Return a value of a kind, with what is missing in it empty; raises ChaosError where it is of another kind."""
    parts, origin = get_args(kind), get_origin(kind) or kind
    if origin is UnionType:
        return given if given is None else _checked(given, parts[0], where)
    if origin is Any:
        return given
    if origin is Literal:
        if given not in parts:
            raise _bad(where, f"is {shown(given)}, and none of {', '.join(filter(None, parts))}", _HINT)
        return given
    holds = dict if is_typeddict(kind) else (int, float) if kind is float else list if origin is tuple else origin
    if not isinstance(given, holds):
        raise _bad(where, f"is {shown(given)}, and no {'object' if holds is dict else origin.__name__}", _HINT)
    return _with_parts(given, kind, where)


def _with_parts(given: Any, kind: Any, where: str) -> Any:
    """Return a value of a kind whose parts are of the right kinds, too."""
    parts, origin = get_args(kind), get_origin(kind)
    if is_typeddict(kind):
        hints = _hints(kind)
        known = {key: _checked(given.get(key, _empty(hint)), hint, f"{where}.{key}") for key, hint in hints.items()}
        return {**given, **known}
    if origin is list:
        return [_checked(one, parts[0], f"{where}[{number}]") for number, one in enumerate(given)]
    if origin is dict:
        return {key: _checked(one, parts[1], f"{where}.{key}") for key, one in given.items()}
    return given


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _empty(kind: Any) -> Any:
    """Return the empty value of a kind."""
    origin = get_origin(kind) or kind
    if origin is UnionType or origin is Any:
        return None
    if origin is Literal:
        return get_args(kind)[0]
    return {} if is_typeddict(kind) else [] if origin is tuple else origin()


def _bad(path: str, why: str, hint: str) -> ChaosError:
    return ChaosError("bad-report", f"{path} {why}", hint)
