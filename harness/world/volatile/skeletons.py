"""A text in two parts: what no run changes, and the slots where volatile values stand, in order."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from ...values.shapes import TIME_PATTERN, UUID_PATTERN
from ...values.world import Entry, Row
from ..storage.remembering import remembered
from .binary import readable
from .documents import read_document, read_json
from .masks import ThingMask
from .shapes import looks_random

Slot = tuple[Literal["time", "number", "name", "hidden"], str]
Skeleton = tuple[str, tuple[Slot, ...]]

DRAWN = "\3{}\4"
"""The form in which a name that ``tempfile`` drew stands in a text that is scanned."""

SLOT = re.compile(
    rf"(?P<drawn>{DRAWN.format('[a-z0-9_]{8}')})"
    rf"|(?P<time>(?<![\w.]){TIME_PATTERN}(?!\w))"
    rf"|(?P<uuid>{UUID_PATTERN})"
    r"|(?P<message_id>(?<![\w.])[1-9]\d{11,}\.\d+\.\d+(?![\w.]))"  # as email.utils.make_msgid writes them
    r"|(?P<fraction>(?<![\w])0+\.\d{12,}(?!\w))"
    r"|(?P<number>(?<![\w.])\d{2,19}(?:\.\d+)?(?![\w]))"
    r"|(?P<word>[A-Za-z0-9]{8,})"
    r"|(?P<tail>(?:(?<=_)|(?<=[A-Za-z_]\.))\d{2,7}(?!\w|\.\d))"  # as in worker_1234, report.1234.tmp
)
"""The parts of a text that are perhaps volatile; a number of at most seven digits that is no time, only as a pid."""


class TornValue(NamedTuple):
    """The length of the first part of a volatile value that ends a text, and whether that value is a pid."""

    size: int
    of_pid: bool = False


NOT_TORN = TornValue(0)
_SHORTEST_WORD = 8
_SHORT = 64
"""A text up to this length is scanned as fast as it is looked up."""


@dataclass(slots=True)
class SkeletonBuilder:
    """Collects text; `shorten` removes the parts that are local to this machine."""

    shorten: Callable[[str], str]
    text: list[str] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)

    def literal(self, text: str) -> None:
        """Add text that is the same in every run."""
        self.text.append(text)

    def scan(self, text: str) -> None:
        """Add text; each part like a time, a number or a generated name becomes a slot."""
        skeleton, slots = _scan(self.shorten(text))
        self.text.append(skeleton)
        self.slots += slots

    def hidden(self, value: object) -> None:
        """Add a value that a mask hides: all of it is one slot, unless a part of it can be told."""
        if value is None or isinstance(value, bool):
            return self.literal(repr(value))
        text = value if isinstance(value, str) else readable(value) if isinstance(value, bytes) else repr(value)
        skeleton, slots = _scan(self.shorten(text))
        if not slots:
            skeleton, slots = "\0", (("hidden", text),)
        self.text += [type(value).__name__, ":", skeleton]
        self.slots += [(kind if kind == "name" else "hidden", found) for kind, found in slots]

    def skeleton(self) -> Skeleton:
        """Return the collected skeleton."""
        return "".join(self.text), tuple(self.slots)

    def tree(self, mask: ThingMask, value: object, place: str) -> None:
        """Add JSON, or a row, leaf by leaf; places as in masks."""
        if place in mask.fields:
            self.hidden(value)
        elif isinstance(value, dict):
            self._object(mask, value, place)
        elif isinstance(value, list):
            shared = any(isinstance(item, dict | list) for item in value)
            self.literal("[")
            for index, item in enumerate(value):
                self.tree(mask, item, f"{place}[{'*' if shared else index}]")
                self.literal(",")
            self.literal("]")
        elif isinstance(value, str) and (inner := read_json(value)):
            self.literal("JSON ")
            self.tree(mask, inner, place)
        elif isinstance(value, bytes):
            self.scan(readable(value))
        else:
            self.scan(repr(value))

    def _object(self, mask: ThingMask, value: Mapping[str, Any], place: str) -> None:
        stable = mask.keys.get(place)
        self.literal("{")
        for key, item in value.items():
            if stable is not None and key not in stable:
                self.hidden(key)
                key = "{*}"
            else:
                self.scan(key)
            self.literal(":")
            self.tree(mask, item, f"{place}.{key}")
            self.literal(",")
        self.literal("}")


def _scan(text: str) -> Skeleton:
    if len(text) < _SHORTEST_WORD and text.isalpha():
        return text, ()
    return _found(text) if len(text) <= _SHORT else _scanned(text)


@remembered(32 << 20)
def _scanned(text: str) -> Skeleton:
    return _found(text)


def _found(text: str) -> Skeleton:
    slots: list[Slot] = []

    def slot(match: re.Match[str]) -> str:
        kind, found = match.lastgroup, match.group()
        if kind == "word" and not looks_random(found):
            return found
        slots.append(("time" if kind == "time" else "number" if kind in ("number", "tail") else "name", found))
        return "\0"

    return SLOT.sub(slot, text), tuple(slots)


def entry_skeleton(
    entry: Entry, mask: ThingMask, by_lines: bool, shorten: Callable[[str], str], torn: TornValue = NOT_TORN
) -> Skeleton:
    """Return the piece of one path: its kind, mode and content, of which what is `torn` is volatile."""
    builder = SkeletonBuilder(shorten)
    builder.literal(f"{entry.kind} {entry.mode:o} ")
    if torn.size:
        text = entry.content.decode()
        entry = replace(entry, held=text[: -torn.size].encode())
        builder.literal("torn pid " if torn.of_pid else "torn \0 ")
        if not torn.of_pid:
            builder.slots.append(("hidden", text[-torn.size :]))
    content = entry.legible
    document = None if mask.is_empty() else read_document(content, by_lines)
    if mask.whole:
        builder.hidden(content)
    elif document is not None and document.kind in ("json", "jsonl"):
        builder.literal("" if mask.keys else document.layout)
        builder.tree(mask, document.value, "")
    elif document is not None and document.kind == "text":
        _add_lines(builder, mask, document.value)
    else:
        builder.scan(readable(content))
    return builder.skeleton()


def _add_lines(builder: SkeletonBuilder, mask: ThingMask, lines: list[str]) -> None:
    for number, line in enumerate(lines):
        template = mask.lines.get(number)
        if template is None:
            builder.scan(line)
        else:
            hidden, filled = template.hide(line)
            builder.literal(hidden if filled else "")
            for value in filled or (line,):
                builder.hidden(value)
        builder.literal("\n")


def row_skeleton(row: Row, mask: ThingMask, shorten: Callable[[str], str]) -> Skeleton:
    """Return the piece of a row of a table, or of a resource."""
    builder = SkeletonBuilder(shorten)
    builder.tree(mask, row, "")
    return builder.skeleton()


def is_still(slots: tuple[Slot, ...]) -> bool:
    """Return whether all slots are short numbers: they read the same in all worlds unless one is a pid."""
    return all(kind == "number" and text.isdigit() and len(text) < 8 for kind, text in slots)
