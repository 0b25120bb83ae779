"""Keeps what a process has asked of the outside, until its end."""

import functools
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator

from ...values.reads import EVERYTHING, Aspect, Footprint

_NAMED, _MANY = 1_000, 50_000


class Recorder:
    """Records the reads of one process; shared by its threads."""

    def __init__(self) -> None:
        self._asked: set[tuple[str, Aspect]] = set()
        self._scanned: set[str] = set()
        self._trees: set[str] = set()
        self._first: list[tuple[str, str, int, str, Aspect]] = []
        self._numbers: defaultdict[tuple[str, str], Iterator[int]] = defaultdict(functools.partial(itertools.count, 1))
        self._everything = False

    def ask(self, verb: str, path: str, target: str, aspects: Iterable[Aspect]) -> None:
        """Count one read; keep its question if the target is new. `target` is the path without its random parts."""
        number = next(self._numbers[verb, target])
        for aspect in aspects:
            if (path, aspect) not in self._asked:
                self._asked.add((path, aspect))
                if len(self._first) < _NAMED:
                    self._first.append((verb, target, number, path, aspect))
        if len(self._asked) > _MANY:
            self.everything()

    def scan(self, path: str) -> None:
        """Record that a folder was listed with the sizes and times of its entries."""
        self._scanned.add(path)

    def tree(self, path: str) -> None:
        """Record that everything below a folder counts as read."""
        self._trees.add(path)

    def everything(self) -> None:
        """Record that the process may have read everything."""
        self._everything = True
        self._asked.clear()

    def footprint(self) -> Footprint:
        """Return the recorded reads, the first ones with their names."""
        if self._everything:
            return EVERYTHING
        asked, scanned, trees = frozenset(self._asked), frozenset(self._scanned), frozenset(self._trees)
        return Footprint(asked, scanned, trees, first=tuple(self._first))
