"""What a torn write cuts in two: the first part of a generated value is as volatile as all of it.

By itself it does not show: `3f2a81bc-12` may be a name that somebody chose. The whole value does, as soon as the write
is done. Without this, each crash in the middle of a draft with a uuid in it would leave one more world.
"""

from collections.abc import Iterator

from ..values.contents import Content, is_large
from .disk import DiskState
from .moments import NEAR_S, moment_of_text
from .pieces import SLOT
from .shapes import looks_random

_AROUND = 300
_ALWAYS = ("uuid", "message_id", "fraction")


def cut_contents(torn: DiskState, done: DiskState, clock: float) -> Iterator[tuple[Content, int]]:
    """Yield the contents of files that a write in `torn` had written in part, and how long the cut value at the end is.

    `done` is the outside after that write, `clock` the time (epoch seconds).
    """
    for key, entry in done.files.items():
        before = torn.files.get(key)
        if before is not None and before is not entry and before.kind == entry.kind == "file":
            if is_large(before.held) or is_large(entry.held):
                continue  # compared as a whole: no value in it has a name
            size = cut_size(before.content, entry.content, clock)
            if size:
                yield before.held, size


def cut_size(kept: bytes, whole: bytes, clock: float) -> int:
    """Return how many characters at the end of `kept` are the first part of a volatile value in `whole`; 0 for none."""
    if len(kept) >= len(whole) or not whole.startswith(kept):
        return 0
    try:
        before, after = kept.decode(), whole[len(kept) :].decode()
    except UnicodeDecodeError:
        return 0
    near = before[-_AROUND:]
    for match in SLOT.finditer(near + after[:_AROUND]):
        if match.start() < len(near) < match.end():
            return len(near) - match.start() if _is_volatile(match.lastgroup or "", match.group(), clock) else 0
    return 0


def _is_volatile(kind: str, text: str, clock: float) -> bool:
    if kind == "word":
        return looks_random(text)
    return kind in _ALWAYS or moment_of_text(text, clock, NEAR_S) is not None
