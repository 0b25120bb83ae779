"""Find which items of two sequences are the same ones: lines of a text, items of a list.

The comparison is the one of difflib (Ratcliff and Obershelp). Some items equal others only where they stand (a mask
hides a part of the third line), so a key says which items are equal anywhere, and a function which two are equal
after all.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from .excerpts import common_start

_MOST_ITEMS = 4000
"""Longer stretches that have nothing in common at their ends are not aligned: the time grows with the square."""
_MOST_PAIRS = 100_000
_OFTEN = 50
"""An item that is there more often, such as an empty line, is no landmark where equal pairs are too many."""
_MOST_SLIDES = 20_000
_MOST_GUESSES = 2500
_REPEATED_WITHIN = 200
"""How far from items that are too much the same ones are looked for."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One place where two sequences differ, by the numbers of their items from 0.

    Both ranges hold one item where it has become another; `new` is empty where items are missing, `old` where they are
    too much. Both hold many where the sequences are too long to be aligned.
    """

    old: range
    new: range

    @property
    def is_shifted(self) -> bool:
        """Return whether items before this place are missing or too much, so that the numbers of both sides differ."""
        return self.old.start != self.new.start


@dataclass(slots=True)
class Alignment:
    """Two sequences to compare.

    Attributes:
        old: for each item of the first sequence a key; equal keys are equal items, wherever they stand.
        new: the same for the second sequence.
        same: whether two items are equal though their keys are not.
        text: what an item of each side reads like, to choose which one has become which.
    """

    old: Sequence[Hashable]
    new: Sequence[Hashable]
    same: Callable[[int, int], bool]
    text: Callable[[int, int], tuple[str, str]]
    _known: set[Hashable] = field(init=False)

    def __post_init__(self) -> None:
        self._known = set(self.old)

    def edits(self) -> Iterator[Edit]:
        """Yield the edits that make one sequence of the other, in their order."""
        old, new = self._trimmed(range(len(self.old)), range(len(self.new)), self._fits)
        if len(old) + len(new) > _MOST_ITEMS:
            old, new = self._trimmed(old, new, self._alike)
        for block in self._blocks(old, new):
            yield from self._of_block(*block)

    def _equal(self, n: int, m: int) -> bool:
        return self.old[n] == self.new[m]

    def _alike(self, n: int, m: int) -> bool:
        return self._equal(n, m) or self.same(n, m)

    def _fits(self, n: int, m: int) -> bool:
        """Return whether two items are equal; a mask makes them so only if `m` has no equal key: else it is doubled."""
        return self._equal(n, m) or (self.new[m] not in self._known and self.same(n, m))

    def _trimmed(self, old: range, new: range, equal: Callable[[int, int], bool]) -> tuple[range, range]:
        """Return both ranges without what is equal at their beginnings and ends."""
        most = min(len(old), len(new))
        start = next((at for at in range(most) if not equal(old[at], new[at])), most)
        end = next((at for at in range(most - start) if not equal(old[-1 - at], new[-1 - at])), most - start)
        return old[start : len(old) - end], new[start : len(new) - end]

    def _blocks(self, old: range, new: range) -> Iterator[tuple[range, range]]:
        """Yield the ranges that differ within two ranges."""
        if not old or not new or len(old) + len(new) > _MOST_ITEMS:
            yield from self._by_number(old, new)
            return
        ours, theirs = self.old[old.start : old.stop], self.new[new.start : new.stop]
        often = Counter(theirs)
        pairs = sum(often[key] for key in ours)
        landmark = (lambda key: often[key] > _OFTEN) if pairs > _MOST_PAIRS else None
        for tag, i, j, k, m in SequenceMatcher(landmark, ours, theirs, autojunk=False).get_opcodes():
            if tag != "equal":
                yield old[i:j], new[k:m]

    def _by_number(self, old: range, new: range) -> Iterator[tuple[range, range]]:
        """Yield both ranges, which hold many items, or single ones of them where most are the same by their number."""
        others = [at for at in range(len(old)) if not self._alike(old[at], new[at])] if len(old) == len(new) else []
        if not others or len(others) > len(old) // 2:
            yield old, new
            return
        yield from ((old[at : at + 1], new[at : at + 1]) for at in others)

    def _of_block(self, old: range, new: range) -> Iterator[Edit]:
        """Yield the edits within two ranges that have no equal keys in common."""
        old, new = self._trimmed(old, new, self._fits)
        old, new = self._trimmed(old, new, self._alike)
        if len(old) + len(new) > _MOST_ITEMS and old and new:
            yield Edit(old, new)
        elif (found := self._first_alike(old, new)) is not None:
            n, m = found
            yield from self._paired(range(old.start, n), range(new.start, m))
            yield from self._of_block(range(n + 1, old.stop), range(m + 1, new.stop))
        else:
            yield from self._paired(old, new)

    def _first_alike(self, old: range, new: range) -> tuple[int, int] | None:
        """Return the first two items in two ranges that are equal though their keys are not."""
        if len(old) == len(new) or len(old) * len(new) > _MOST_GUESSES:
            return None
        return next(((n, m) for n in old for m in new if self._fits(n, m)), None)

    def _paired(self, old: range, new: range) -> Iterator[Edit]:
        """Yield the pairs of items of which one has become the other, and the items of the longer side beside them."""
        if not old or not new:
            if old or new:
                yield Edit(old, new)
            return
        count, slide = min(len(old), len(new)), self._slide(old, new)
        before = slide if len(old) > len(new) else 0, slide if len(new) > len(old) else 0
        starts = old.start + before[0], new.start + before[1]
        pairs = [(starts[0] + at, starts[1] + at) for at in range(count)]
        if slide:
            yield Edit(range(old.start, starts[0]), range(new.start, starts[1]))
        yield from (Edit(range(n, n + 1), range(m, m + 1)) for n, m in pairs if not self._alike(n, m))
        rest = range(starts[0] + count, old.stop), range(starts[1] + count, new.stop)
        if rest[0] or rest[1]:
            yield Edit(*rest)

    def _slide(self, old: range, new: range) -> int:
        """Return the offset of the shorter range along the longer one at which both are most alike."""
        count, most = min(len(old), len(new)), abs(len(old) - len(new))
        if count * most > _MOST_SLIDES:
            return 0
        longer_is_old = len(old) > len(new)

        def likeness(slide: int) -> int:
            n, m = (old.start + slide, new.start) if longer_is_old else (old.start, new.start + slide)
            return sum(_likeness(*self.text(n + at, m + at)) for at in range(count))

        return max(range(most + 1), key=lambda slide: (likeness(slide), -slide))


def repeated(run: range, count: int, same: Callable[[int, int], bool]) -> int | None:
    """Return the first of those of `count` items that a run of them repeats, the nearest before it or after it."""
    before = range(run.start - len(run), max(-1, run.start - _REPEATED_WITHIN), -1)
    after = range(run.stop, min(count - len(run) + 1, run.stop + _REPEATED_WITHIN))
    starts = (first for first in (*before, *after) if first >= 0)
    return next((first for first in starts if all(map(same, range(first, first + len(run)), run))), None)


def _likeness(old: str, new: str) -> int:
    """Return the number of characters that two texts share at beginning and end, above a chance of two each."""
    start = common_start(old, new)
    end = common_start(old[start:][::-1], new[start:][::-1])
    return max(0, start - 2) + max(0, end - 2)
