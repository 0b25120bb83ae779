"""Ids of findings: the same in each run, and after edits elsewhere in the code."""

import re
from collections.abc import Iterable
from hashlib import sha256

from .causes import Cause
from .earlier import ungrouped
from .exploration import Finding
from .known_secrets import PLACEHOLDER

_LINE = re.compile(r":\d+$")
_OF_CHANCE = ("missing", "torn", "not the same")
"""How something is half done depends on where the process died: it is one cause in any of these ways."""


def violation_ids(test: str, findings: Iterable[Finding]) -> list[str]:
    """Return the ids of the findings of one exploration, in their order; no two are the same."""
    seen: dict[str, int] = {}
    ids = []
    for finding in findings:
        id = violation_id(test, finding)
        seen[id] = seen.get(id, 0) + 1
        ids.append(id if seen[id] == 1 else f"{id}-{seen[id]}")
    return ids


def violation_id(test: str, finding: Finding) -> str:
    """Return twelve hexadecimal digits of a test, a cause and its place: file, function and text of the statement."""
    cause = finding.cause
    parts = _told_apart_by(cause) if cause is not None else finding.invariants
    text = "\0".join((ungrouped(test), *parts))
    text = PLACEHOLDER.sub("[secret]", text)  # which secret it is differs from machine to machine
    return sha256(text.encode(errors="surrogateescape")).hexdigest()[:12]


def _told_apart_by(cause: Cause) -> Iterable[str]:
    if cause.identity:
        return cause.identity
    way = "half done" if cause.way in _OF_CHANCE else cause.way
    exception, _, _ = cause.exception.partition(" at ")
    callers = [_LINE.sub("", caller) for caller in cause.callers]
    place = (cause.file, cause.function, cause.statement, *callers)
    promise = "" if cause.effect or exception else cause.promise  # with an effect, one bug breaks several
    return promise, way, cause.effect, exception, cause.raising, *place, *(["unchecked"] if cause.unchecked else [])
