"""Find the leaf pages of a table in the bytes of an SQLite database: a page that is as it was has the rows that it had.

The format of the file is fixed: https://www.sqlite.org/fileformat2.html. Only pages are found here, rows are read by
SQLite; where anything is not as it should be, the table has no leaves and is read as a whole.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from mmap import mmap

_INTERIOR, _LEAF = 5, 13
_MOST_DEPTH = 20
_LEAST_LOCAL = 35
"""A record larger than the usable size of a page less this goes on in other pages: not all of it is in its leaf."""
_LEAST_ROWID = -(1 << 63)


class NotAsItShouldBe(Exception):
    """The pages are not those of a sound table."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A page with rows: the first and the last rowid, how many there are, and whether all of them lie in it."""

    first: int
    last: int
    count: int
    whole: bool

    @classmethod
    def of(cls, page: bytes, usable: int) -> "Leaf":
        """Return what a page says; raises NotAsItShouldBe where its rowids do not rise."""
        rowids, whole = [], True
        for at in _cells(page, 8):
            size, after = _varint(page, at)
            rowids.append(_varint(page, after)[0])
            whole = whole and size <= usable - _LEAST_LOCAL
        if any(one >= other for one, other in pairwise(rowids)):
            raise NotAsItShouldBe
        return cls(rowids[0], rowids[-1], len(rowids), whole) if rowids else cls(0, 0, 0, whole)


@dataclass(frozen=True, slots=True)
class Pages:
    """A database without a log.

    Attributes:
        size: bytes of a page, of which `usable` are SQLite's.
        count: how many pages there are.
        form: what else decides what the bytes of a page mean: sizes, schema format, encoding.
    """

    data: bytes | mmap
    size: int
    usable: int
    count: int
    form: bytes

    @classmethod
    def of(cls, data: bytes | mmap) -> "Pages":
        """Return the pages of a database; raises NotAsItShouldBe for a header that tells none."""
        if len(data) < 512:
            raise NotAsItShouldBe
        size = int.from_bytes(data[16:18], "big")
        size = 65536 if size == 1 else size
        if size < 512 or size & (size - 1):
            raise NotAsItShouldBe
        # Where the counters agree, SQLite believes the header about how many pages there are.
        told = int.from_bytes(data[28:32], "big") if data[24:28] == data[92:96] else 0
        count = min(told or len(data) // size, len(data) // size)
        return cls(data, size, size - data[20], count, data[16:18] + data[20:21] + data[44:48] + data[56:60])

    def leaves(self, root: int) -> Iterator[tuple[bytes, int, int]]:
        """Yield the leaves of a table in order: the page, and the least and the largest rowid that it may have.

        Raises NotAsItShouldBe where pages do not hang together.
        """
        least = _LEAST_ROWID
        for page, most in self._below(root, set(), _MOST_DEPTH):
            yield page, least, (1 << 63) - 1 if most is None else most
            least = least if most is None else most + 1

    def _below(self, number: int, seen: set[int], depth: int) -> Iterator[tuple[bytes, int | None]]:
        """Yield the leaves below a page, each with its largest rowid; None for the last, which nothing limits here."""
        if number in seen or not depth or not 1 < number <= self.count:
            raise NotAsItShouldBe
        seen.add(number)
        page = self.data[(number - 1) * self.size : number * self.size]
        if page[0] == _LEAF:
            yield page, None
            return
        if page[0] != _INTERIOR:
            raise NotAsItShouldBe
        for at in _cells(page, 12):
            most = _varint(page, at + 4)[0]
            for leaf, limit in self._below(int.from_bytes(page[at : at + 4], "big"), seen, depth - 1):
                yield leaf, most if limit is None else limit
        yield from self._below(int.from_bytes(page[8:12], "big"), seen, depth - 1)


def _cells(page: bytes, at: int) -> tuple[int, ...]:
    """Return where the cells of a page begin; their pointers stand from `at` on."""
    count = int.from_bytes(page[3:5], "big")
    if at + 2 * count > len(page):
        raise NotAsItShouldBe
    return struct.unpack_from(f">{count}H", page, at)


def _varint(page: bytes, at: int) -> tuple[int, int]:
    """Return a number of SQLite's variable length, and where it ends."""
    if at + 9 > len(page):
        value, length = _varint(page[at:] + bytes(9), 0)
        return value, at + length
    value = 0
    for step in range(8):
        byte = page[at + step]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + step + 1
    value = value << 8 | page[at + 8]
    return value - (1 << 64) if value >> 63 else value, at + 9
