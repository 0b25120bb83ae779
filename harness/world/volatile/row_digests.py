"""The piece of a table for fingerprints, part by part: rows that were gone through once are not gone through again.

What is the same in every state that has a row counts as one number. These join like digits: the number of a table comes
of those of its parts, wherever one part ends and the next begins, and says the order of all rows (Rabin and Karp).
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

from ...values.rows import REMEMBERED_ROWS_BYTES, ROW_BYTES, Part, Row, parts_of
from ..storage.remembering import Remembered
from .masks import Masks, ThingMask
from .skeletons import Skeleton, Slot, is_still, row_skeleton

_PRIME = (1 << 127) - 1
_NONE: frozenset[int] = frozenset()
_BASE = 0x5851F42D4C957F2D14057B7EF767814F & _PRIME


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows in a row.

    Attributes:
        number: of all rows in their order, without the values of `slots`.
        power: what the number of the rows before is multiplied by.
        slots: of rows that read otherwise in each state, in order.
        pids: the short numbers in all other rows, which rise: they have no slots, unless one of these is a pid.
        part: kept, so that no other one has its id.
    """

    number: int
    power: int
    slots: tuple[Slot, ...]
    pids: "array[int]"
    part: Part

    def pids_of(self, pids: Set[int]) -> frozenset[int]:
        """Return those of these numbers that stand in rows without slots."""
        own = self.pids
        if not own:
            return _NONE
        return frozenset(pid for pid in pids if own[0] <= pid <= own[-1] and own[bisect_left(own, pid)] == pid)


class RowDigests:
    """The pieces of tables and collections under one set of masks."""

    def __init__(self, masks: Masks, shorten: Callable[[str], str]) -> None:
        self._masks, self._shorten = masks, shorten
        self._parts: Remembered[tuple[str, int, frozenset[int]], _Piece] = Remembered(REMEMBERED_ROWS_BYTES)

    def skeleton(self, masked: str, rows: list[Row], pids: Set[int]) -> Skeleton:
        """Return the piece of a table by its masked name; a part is remembered, so it must not change.

        `pids` are those of the processes that wrote.
        """
        mask = self._masks.of(masked)
        number, slots = 0, list[Slot]()
        for part in parts_of(rows):
            piece = self._piece(masked, part, mask, _NONE)
            if own := piece.pids_of(pids):
                piece = self._piece(masked, part, mask, own)
            number = (number * piece.power + piece.number) % _PRIME
            slots += piece.slots
        return f"rows {len(rows)} {number:x}", tuple(slots)

    def _piece(self, masked: str, part: Part, mask: ThingMask, pids: frozenset[int]) -> _Piece:
        return self._parts.get((masked, id(part), pids), partial(self._made, part, mask, pids), _size)

    def _made(self, part: Part, mask: ThingMask, pids: Set[int]) -> _Piece:
        number, power, slots, numbers = 0, 1, list[Slot](), set[int]()
        for row in part:
            text, own = row_skeleton(row, mask, self._shorten)
            short = [int(found) for _, found in own] if is_still(own) else None
            if short is None or not pids.isdisjoint(short):
                slots += own
                own = ()
            else:
                numbers.update(short)
            number = (number * _BASE + _number(text, own)) % _PRIME
            power = power * _BASE % _PRIME
        return _Piece(number, power, tuple(slots), array("L", sorted(numbers)), part)


def _number(text: str, slots: Iterable[Slot]) -> int:
    told = f"{text}\1{' '.join(found for _, found in slots)}\2"
    return int.from_bytes(blake2b(told.encode(errors="surrogatepass"), digest_size=16).digest(), "big")


def _size(piece: _Piece) -> int:
    return 200 + ROW_BYTES * len(piece.part) + 100 * len(piece.slots) + 8 * len(piece.pids)
