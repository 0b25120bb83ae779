"""The reads of a process of the agent: what it did next can depend on nothing else of the outside.

Kin: the read sets of optimistic transactions, and dependency tracking in build systems (tup, fabricate).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from .media.file import FILE
from .points import Point

Aspect = Literal["content", "size", "time", "presence", "listing"]
"""Of a path: its bytes (of a link: its target), how many, when it changed, whether it is there and as what kind with
what mode, and which names are in it."""

_TELLING: dict[Aspect, tuple[Aspect, ...]] = {
    "content": ("content",),
    "size": ("size", "content"),
    "time": ("time",),
    "presence": ("presence", "content", "size", "time", "listing"),
    "listing": ("listing",),
}
"""What else tells an aspect to who asks for it."""


@dataclass(frozen=True, slots=True)
class Read:
    """The first time that a process asked for one aspect of one path.

    Attributes:
        point: its name, ``file.read:…#n``, ``file.stat:…#n`` or ``file.list:…#n``. Numbered within the process by verb
            and target, with the reads that asked for nothing new; threads number as they come.
        path: ``source/relative``, or ``source`` for the source itself, with random parts as they are: as in a `World`.
    """

    point: Point
    path: str
    aspect: Aspect


@dataclass(frozen=True)
class Footprint:
    """All that a process asked for.

    Attributes:
        asked: (path, aspect), paths as in a `World`; a database is known by its own name, with its log. What an aspect
            tells besides (content the size, all of them the presence) is not repeated: `reads` knows.
        scanned: folders that were listed together with the size and time of each entry.
        trees: folders of which all that lies below counts as read (they were moved).
        everything: nothing is known: a program, a fork or native code could read, or the process died without a word.
        first: the first reads, each as the parts of its name, its path and its aspect: what travels is plain.
    """

    asked: frozenset[tuple[str, Aspect]] = frozenset()
    scanned: frozenset[str] = frozenset()
    trees: frozenset[str] = frozenset()
    everything: bool = False
    first: tuple[tuple[str, str, int, str, Aspect], ...] = field(default=(), compare=False, repr=False)

    def __or__(self, other: "Footprint") -> "Footprint":
        """Return the reads of both processes."""
        return replace(together([self, other]), first=self.first + other.first)

    @property
    def named(self) -> tuple[Read, ...]:
        """The first reads, in their order; not all of them where there are many."""
        kind = FILE.kind
        return tuple(Read(Point(kind, verb, target, n), path, aspect) for verb, target, n, path, aspect in self.first)

    def reads(self, path: str, aspect: Aspect) -> bool:
        """Return whether the process could see another `aspect` of `path`.

        A listing shows the presence and kind of what is in the folder; a question about a path also shows whether the
        folders on its way are there.
        """
        if self.everything or any((path, telling) in self.asked for telling in _TELLING[aspect]):
            return True
        folder = path.rpartition("/")[0]
        if aspect == "presence" and ((folder, "listing") in self.asked or path in self._ways):
            return True
        if aspect in ("size", "time") and folder in self.scanned:
            return True
        return aspect != "time" and not self.trees.isdisjoint((path, *_folders(path)))

    @cached_property
    def _ways(self) -> frozenset[str]:
        """The folders above all that was asked for."""
        return frozenset(folder for path in {path for path, _ in self.asked} for folder in _folders(path))


def _folders(path: str) -> list[str]:
    """Return the folders above a path, the innermost first."""
    found = []
    while path := path.rpartition("/")[0]:
        found.append(path)
    return found


def together(footprints: Iterable[Footprint]) -> Footprint:
    """Return the reads of several processes together, without the names of their reads."""
    parts = list(footprints)
    return Footprint(
        frozenset().union(*(part.asked for part in parts)),
        frozenset().union(*(part.scanned for part in parts)),
        frozenset().union(*(part.trees for part in parts)),
        any(part.everything for part in parts),
    )


NOTHING = Footprint()
EVERYTHING = Footprint(everything=True)
