"""Series that repeat, told once: a loop of sixty equal steps is one of them, and how many more there are."""

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

_LONGEST = 8  # steps of a loop's body; a longer one is told whole, and so is each of its turns
_FEWEST = 3  # turns: two are told sooner than that there is another one


class Series(NamedTuple):
    """A part of a sequence: so many items from `start` on, which come so many `times`, one after the other."""

    start: int
    length: int
    times: int


def series(items: Sequence[Hashable]) -> Iterator[Series]:
    """Yield the parts of a sequence in their order; what does not repeat is a part of its own, of one item."""
    at = 0
    while at < len(items):
        found = Series(at, 1, 1)
        for length in range(1, _LONGEST + 1):
            times = _times(items, at, length)
            if times >= _FEWEST:
                found = Series(at, length, times)
                break
        yield found
        at += found.length * found.times


def _times(items: Sequence[Hashable], at: int, length: int) -> int:
    times, first = 1, items[at : at + length]
    while len(first) == length and items[at + times * length : at + (times + 1) * length] == first:
        times += 1
    return times


def ranges(numbers: Sequence[int]) -> str:
    """Return numbers in words, neighbours as one: ``2 to 62``, ``3, 5 and 9``, ``3, 5, 7 and 57 more``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    told, shown = [], parts if len(parts) <= _FEWEST else parts[:_FEWEST]
    for part in shown:
        told += [f"{part[0]} to {part[-1]}"] if len(part) > 2 else list(map(str, part))
    hidden = sum(map(len, parts[len(shown) :]))
    *first, last = [*told, f"{hidden} more"] if hidden else told
    return f"{', '.join(first)} and {last}" if first else last
