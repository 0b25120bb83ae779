"""Values that a torn write cuts in two: the first part of a generated value is as volatile as all of it.

The part alone does not show that: `3f2a81bc-12` may be a name that somebody chose. The whole value does, once the write
is done. Without this, each crash in the middle of a draft with a uuid in it would leave one more crash state.

Half of a pid is a short number, so it is known by its file, too. Which number it is, and whether two halves are equal,
is chance: ``16`` of ``16987`` was another state than ``17`` of ``17012``.
"""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ...values.contents import Content, is_large
from ...values.rare import rare
from ..storage.disk import DiskState, Source
from ..storage.raw import Key
from .shapes import looks_random
from .skeletons import NOT_TORN, SLOT, TornValue
from .timestamps import NEAR_S, timestamp_of_text

# Characters on either side of a cut in which its value is looked for.
_AROUND = 300
_ALWAYS = ("uuid", "message_id", "fraction")


@dataclass(slots=True)
class TornValues:
    """The values that torn writes have cut so far: volatile ones and pids.

    Attributes:
        values: how many characters at the end of a content are the first part of a volatile value.
        pids: the same for the first part of a pid, by the name and the content of its file.
        contents: all of these contents.
    """

    values: dict[Content, int] = field(default_factory=dict)
    pids: dict[tuple[str, Content], int] = field(default_factory=dict)
    contents: set[Content] = field(default_factory=set)
    _keys: dict[tuple[str, Content], Key] = field(default_factory=dict)

    def learn(
        self, sources: Sequence[Source], torn: DiskState, done: DiskState, clock: float, pids: Set[int] = frozenset()
    ) -> None:
        """Learn which values a write had cut in the state `torn`, by the state `done` after it; `clock` is the time.

        `pids` are those of the processes that wrote.
        """
        for key, entry in done.files.items():
            before = torn.files.get(key)
            if before is not None and before is not entry and before.kind == entry.kind == "file":
                if is_large(before.held) or is_large(entry.held):
                    continue  # compared as a whole: no value in it has a name
                cut = torn_value_in(before.content, entry.content, clock, pids)
                if cut.of_pid:
                    self._note_pid(sources, key, before.held, cut.size)
                elif cut.size:
                    rare("a volatile value is torn")
                    self.values[before.held] = cut.size
                    self.contents.add(before.held)

    def learn_of_end(self, sources: Sequence[Source], left: DiskState, target: str, pid: int) -> None:
        """Learn of a pid that was cut at a process's end, when no later state shows the whole write.

        A pid is torn in its half, as `boundary.media.tearing` does it; `target` names the file, random parts as ``*``.
        """
        half = str(pid)[: max(1, len(str(pid)) // 2)].encode()
        ends = re.compile(rb"(?<!\d)%b\Z" % half)
        for key, entry in left.files.items():
            named = entry.kind == "file" and fnmatchcase(_name(sources, key), re.sub(r"[\[\]?]", "?", target))
            if named and not is_large(entry.held) and ends.search(entry.content):
                rare("half of a pid is left that nobody saw whole")
                self._note_pid(sources, key, entry.held, len(half))

    def _note_pid(self, sources: Sequence[Source], key: Key, content: Content, size: int) -> None:
        known = _name(sources, key), content
        self.pids[known], self._keys[known] = size, key
        self.contents.add(content)

    def of(self, name: str, content: Content) -> TornValue:
        """Return the length of the cut part of a value at the end of a file's content."""
        size = self.pids.get((name, content), 0)
        return TornValue(size, of_pid=True) if size else TornValue(self.values.get(content, 0))

    def torn_pids(self, state: DiskState) -> frozenset[int]:
        """Return the numbers that are no pids but the first parts of some, in files as they are now."""
        found = set()
        for (name, content), key in self._keys.items():
            entry = state.files.get(key)
            if entry is not None and entry.kind == "file" and entry.held == content:
                found.add(int(entry.content.decode()[-self.pids[name, content] :]))
        return frozenset(found)


def _name(sources: Sequence[Source], key: Key) -> str:
    source = sources[key[0]].name
    return f"{source}/{key[1]}" if key[1] else source


def torn_value_in(kept: bytes, whole: bytes, clock: float, pids: Set[int] = frozenset()) -> TornValue:
    """Return the cut value at the end of `kept`, if it is the beginning of a volatile value in `whole`."""
    # Only an append shows what the cut part belongs to.
    if len(kept) >= len(whole) or not whole.startswith(kept):
        return NOT_TORN
    try:
        # Values are known by how they read: binary content has none, nor has a text that ends within a character.
        before, after = kept.decode(), whole[len(kept) :].decode()
    except UnicodeDecodeError:
        return NOT_TORN
    near = before[-_AROUND:]
    for match in SLOT.finditer(near + after[:_AROUND]):
        # The cut is within this value, not before or behind it.
        if match.start() < len(near) < match.end():
            kind, text, size = match.lastgroup or "", match.group(), len(near) - match.start()
            # Linux has pids of at most seven digits; what is longer can be a time.
            if kind in ("number", "tail") and text.isdigit() and len(text) < 8 and int(text) in pids:
                return TornValue(size, of_pid=True)
            return TornValue(size) if _is_volatile(kind, text, clock) else NOT_TORN
    return NOT_TORN


def _is_volatile(kind: str, text: str, clock: float) -> bool:
    if kind == "word":
        return looks_random(text)
    return kind in _ALWAYS or timestamp_of_text(text, clock, NEAR_S) is not None
