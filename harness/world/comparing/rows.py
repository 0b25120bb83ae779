"""Match rows of tables and resources of services: in any order, whatever their generated ids."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ...values.rows import not_shared
from ...values.world import Change, Row
from ..volatile.canonical import Tree, View
from .explain import describe_row, most_alike, row_change
from .sides import Sides

Rows = Mapping[str, list[Row]]
_ROUNDS = 4


@dataclass(slots=True)
class _Left:
    """Rows of one table on either side that have no equal on the other, with the name they are known by."""

    expected: list[tuple[str, Row]] = field(default_factory=list)
    found: list[tuple[str, Row]] = field(default_factory=list)
    changed: list[tuple[tuple[str, Row], tuple[str, Row]]] = field(default_factory=list)


class RowMatch:
    """Rows of `found` against those of `expected`.

    Where a row is there with other values, all that refers to it would be another thing as well; so the pair takes
    one name and everything is matched again: only the change itself is reported.
    """

    def __init__(self, expected: View, found: View) -> None:
        self._expected, self._found = expected, found

    def changes(self, expected: Rows, found: Rows) -> list[Change]:
        """Return all changes, table by table."""
        left: dict[str, _Left] = defaultdict(_Left)
        for name in expected.keys() | found.keys():
            old, new = expected.get(name) or [], found.get(name) or []
            if old != new:
                if self._expected.is_plain(name) and self._found.is_plain(name):
                    old, new = not_shared(old, new)
                left[self._expected.thing(name)].expected += [(name, row) for row in old]
                left[self._found.thing(name)].found += [(name, row) for row in new]
        for _ in range(_ROUNDS):
            for group in left.values():
                self._drop_equal(group)
            if not [True for group in left.values() if self._pair(group)]:
                break
            self._found.refine()
        return [change for thing, group in sorted(left.items()) for change in self._explain(thing, group)]

    def _drop_equal(self, group: _Left) -> None:
        if not group.expected or not group.found:
            return
        old = [repr(self._expected.row(*item)) for item in group.expected]
        new = [repr(self._found.row(*item)) for item in group.found]
        both = Counter(old) & Counter(new)
        if both:
            group.expected = _without(group.expected, old, both)
            group.found = _without(group.found, new, both)

    def _pair(self, group: _Left) -> bool:
        """Pair rows that are there with other values; says whether references have to be named anew."""
        renamed = False
        trees = [self._expected.row(*item) for item in group.expected]
        for item in list(group.found):
            place = most_alike(self._found.row(*item), trees)
            if place is not None:
                old = group.expected.pop(place)
                trees.pop(place)
                group.found.remove(item)
                group.changed.append((old, item))
                renamed |= self._adopt(old, item)
        return renamed

    def _adopt(self, old: tuple[str, Row], new: tuple[str, Row]) -> bool:
        node, there = self._found.references.node_of(*new), self._expected.references.node_of(*old)
        if node is None or there is None:
            return False
        self._found.references.adopt(node, self._expected.references, there)
        return True

    def _explain(self, thing: str, group: _Left) -> Iterator[Change]:
        sides = Sides(self._expected, self._found, thing)
        for (old_name, old), (name, new) in group.changed:
            trees: tuple[Tree, Tree] = self._expected.row(old_name, old), self._found.row(name, new)
            if trees[0] != trees[1]:
                yield row_change(name, sides, (old, trees[0]), (new, trees[1]))
        yield from (Change("-", name, describe_row(row)) for name, row in group.expected)
        yield from (Change("+", name, describe_row(row)) for name, row in group.found)


def _without(items: list[tuple[str, Row]], keys: list[str], both: Counter[str]) -> list[tuple[str, Row]]:
    """Leave out as many items of each key as `both` counts."""
    left, kept = both.copy(), []
    for item, key in zip(items, keys, strict=True):
        if left[key] > 0:
            left[key] -= 1
        else:
            kept.append(item)
    return kept
