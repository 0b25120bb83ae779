"""The rows of a large table in parts: states that differ in one row share all parts but one."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from operator import eq
from typing import Any, SupportsIndex

Row = dict[str, Any]
"""One row of a table, or one resource of a service."""
Part = list[Row]


class Rows(list[Row]):
    """The rows of a table, held only in its parts: a list to who reads it, and nobody changes it.

    A list of its own for each state would take 8 bytes for each row; so the list that this one inherits stays empty,
    and every way to read it goes through the parts. It is a list for checks that ask for one.

    Attributes:
        parts: the rows, part by part; other states share them.
    """

    __slots__ = ("_size", "parts")

    def __init__(self, parts: Iterable[Part]) -> None:
        super().__init__()
        self.parts = tuple(parts)
        self._size = sum(map(len, self.parts))

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self.parts)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        if isinstance(index, slice):
            return list(self)[index]
        at = index.__index__()
        at += self._size if at < 0 else 0
        if not 0 <= at < self._size:
            raise IndexError("list index out of range")
        for part in self.parts:
            if at < len(part):
                break
            at -= len(part)
        return part[at]

    def __contains__(self, row: object) -> bool:
        return any(row in part for part in self.parts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, list) or len(other) != self._size:
            return False
        if not isinstance(other, Rows) or self.parts == other.parts:
            return isinstance(other, Rows) or all(map(eq, self, other))
        pairs = enumerate(zip(self.parts, other.parts, strict=False))
        at = next((n for n, (mine, theirs) in pairs if mine is not theirs), 0)
        return all(map(eq, chain.from_iterable(self.parts[at:]), chain.from_iterable(other.parts[at:])))

    __hash__ = None

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __add__(self, other: list[Any]) -> list[Any]:
        return [*self, *other]

    def __radd__(self, other: list[Any]) -> list[Any]:
        return [*other, *self]

    def __reversed__(self) -> Iterator[Row]:
        return reversed(list(self))

    def __repr__(self) -> str:
        return repr(list(self))

    def __reduce__(self) -> tuple[type[list[Row]], tuple[list[Row]]]:
        return list, (list(self),)

    def copy(self) -> list[Row]:
        """Return a list that may be changed."""
        return list(self)

    def index(self, row: Row, *between: Any) -> int:
        """Return the place of the first equal row; raises ValueError for none."""
        return list(self).index(row, *between)

    def count(self, row: Row) -> int:
        """Return how many rows are equal to one."""
        return sum(part.count(row) for part in self.parts)


def parts_of(rows: list[Row]) -> tuple[Part, ...]:
    """Return the parts of a table, or of a list that is one part."""
    return rows.parts if isinstance(rows, Rows) else (rows,)


def not_shared(one: list[Row], other: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows of both that are not in parts which both have; all rows of tables that are not in parts."""
    if not (isinstance(one, Rows) and isinstance(other, Rows)):
        return one, other
    shared = Counter(map(id, one.parts)) & Counter(map(id, other.parts))
    return _without(one.parts, shared), _without(other.parts, shared)


def _without(parts: Iterable[Part], shared: Counter[int]) -> list[Row]:
    left = shared.copy()
    found: list[Row] = []
    for part in parts:
        if left[id(part)] > 0:
            left[id(part)] -= 1
        else:
            found += part
    return found
