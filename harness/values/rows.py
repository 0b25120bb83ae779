"""The rows of a large table in parts: states that differ in one row share all parts but one."""

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import Any

Row = dict[str, Any]
"""One row of a table, or one resource of a service."""
Part = list[Row]
ROW_BYTES = 300
"""About so much memory takes a row of a few columns."""
REMEMBERED_ROWS_BYTES = 512 << 20
"""The limit of memory for shared rows, and for each cache of what is made of them: it holds them, too."""


class Rows(list[Row]):
    """The rows of a table as a list, and in parts that other states share.

    The list is a real one: code in C (pydantic, orjson) reads a list without asking its methods. It takes 8 bytes for
    each row. A check that sorts or cuts it changes no part.

    Attributes:
        parts: the rows, part by part.
    """

    __slots__ = ("parts",)

    def __init__(self, parts: Iterable[Part]) -> None:
        self.parts = tuple(parts)
        super().__init__(chain.from_iterable(self.parts))

    def __reduce__(self) -> tuple[type[list[Row]], tuple[list[Row]]]:
        return list, (list(self),)


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
