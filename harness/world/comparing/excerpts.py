"""Quote values shortly; of two long texts that begin alike, the part where they begin to differ."""

import re
from collections.abc import Sequence
from itertools import takewhile

QUOTED = 60
_VISIBLE, _LEAD, _TAIL = 40, 16, 30
_MASKED = re.compile(r"(<(?:text|number|time [^>]*)>|‹[^›]*›)")


def short(value: object) -> str:
    """Return a value as Python writes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= QUOTED else text[: QUOTED - 1] + "…"


def some(values: Sequence[object]) -> str:
    """Return the first of several values, as many as a line has room for."""
    told = short(values[0])
    for value in values[1:]:
        more = f"{told}, {short(value)}"
        if len(more) > QUOTED:
            return f"{told} …"
        told = more
    return told


def instead(old: object, new: object, masked: tuple[str, str] | None = None) -> str:
    """Return ``'new' instead of 'old'``; `masked` is how both texts look through masks, which hide no difference."""
    if isinstance(old, str) and isinstance(new, str) and max(len(repr(old)), len(repr(new))) > QUOTED:
        at, there = _first_difference(old, new, masked or (old, new))
        if min(at, there) >= _VISIBLE:
            where = f"from character {there + 1} on "
            return f"{where}{_excerpt(new, there)} instead of {_excerpt(old, at)}"
    return f"{short(new)} instead of {short(old)}"


def _excerpt(text: str, at: int) -> str:
    part = short(text[at - _LEAD : at + _TAIL])
    more = "…" if len(text) > at + _TAIL and not part.endswith("…") else ""
    return f"…{part}{more}"


def _first_difference(old: str, new: str, masked: tuple[str, str]) -> tuple[int, int]:
    """Return the first position at which two texts differ, in characters of each, beyond the holes of a mask."""
    if masked == (old, new):
        return (common_start(old, new),) * 2
    pieces = [_MASKED.split(text) for text in masked]
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*pieces, strict=False)))
    at, there = _start_of(alike, old, pieces[0]), _start_of(alike, new, pieces[1])
    if alike % 2 == 0 and alike < min(map(len, pieces)):
        more = common_start(pieces[0][alike], pieces[1][alike])
        at, there = at + more, there + more
    if at >= len(old) and there >= len(new):  # they refer to different things
        return (common_start(old, new),) * 2
    return at, there


def _start_of(piece: int, text: str, pieces: list[str]) -> int:
    """Return the start of a piece of a masked text in the text itself; every second piece is a hole."""
    at = 0
    for literal in pieces[: piece + 1 : 2]:
        start, at = at, text.find(literal, at) + len(literal)
        if at < start + len(literal):
            return len(text)
    return at if piece % 2 else at - len(pieces[piece]) if piece < len(pieces) else len(text)


def common_start(old: str, new: str) -> int:
    """Return the length of the common beginning of two texts, in characters."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if old[low:middle] == new[low:middle] else (low, middle - 1)
    return low
