"""Tell the differences between two worlds, without those that masks allow."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ...values.trees import differing
from ...values.world import Change, Diff, Entry, Row, World
from ..storage.remembering import Remembered
from ..volatile.canonical import REFERENCE, Tree, View
from ..volatile.learning import learn
from ..volatile.links import Pattern, pattern_of
from ..volatile.masks import Masks
from .explain import describe_entry, entry_changes
from .returned import matches_value
from .rows import RowMatch
from .sides import Sides

__all__ = ["Masks", "difference", "learn", "matches_value"]


def difference(expected: World, found: World, masks: Masks) -> Diff:
    """Return the changes from `expected` to `found`: too much, missing, not the same; empty if they are equal.

    Only watched entries, tables and resources count. Rows and resources are compared in any order, without their
    generated ids; an empty table equals none. Values that `masks` hide keep their type, and identifiers among them
    stay equal to each other where they were.
    """
    if _same(expected, found):
        return ()
    known = _known(expected, masks)
    view = View.of(found, masks)
    rows = RowMatch(known.view, view)
    row_changes = rows.changes({**expected.tables, **expected.resources}, {**found.tables, **found.resources})
    changes = [*_entries(known.view, view, expected.entries, found.entries), *row_changes]
    return tuple(changes or _links(known.pattern(), pattern_of(found, masks)))


def _same(expected: World, found: World) -> bool:
    return (
        expected.entries == found.entries
        and _filled(expected.tables) == _filled(found.tables)
        and _filled(expected.resources) == _filled(found.resources)
    )


def _filled(rows: Mapping[str, list[Row]]) -> dict[str, list[Row]]:
    return {name: each for name, each in rows.items() if each}


@dataclass(slots=True)
class _Known:
    """A world that others are compared with again and again."""

    world: World
    masks: Masks
    view: View
    _pattern: Pattern | None = None

    def pattern(self) -> Pattern:
        """Return the pattern of equality of its generated values."""
        if self._pattern is None:
            self._pattern = pattern_of(self.world, self.masks)
        return self._pattern


_recent: Remembered[tuple[int, int], _Known] = Remembered(most=8)


def _known(world: World, masks: Masks) -> _Known:
    return _recent.get((id(world), id(masks)), lambda: _Known(world, masks, View.of(world, masks)))


@dataclass(slots=True)
class _Group:
    """Paths of one masked name on either side that have no equal on the other."""

    expected: list[tuple[str, Entry, Tree]] = field(default_factory=list)
    found: list[tuple[str, Entry, Tree]] = field(default_factory=list)

    def drop_equal(self) -> None:
        """Take out pairs that look the same."""
        for item in list(self.expected):
            twin = next((other for other in self.found if other[2] == item[2]), None)
            if twin is not None:
                self.expected.remove(item)
                self.found.remove(twin)


def _entries(
    old_view: View, new_view: View, expected: Mapping[str, Entry], found: Mapping[str, Entry]
) -> Iterator[Change]:
    """Yield the changes of paths, those with volatile names paired by masked name and content."""
    groups: dict[tuple[str, str], _Group] = defaultdict(_Group)
    for path in sorted(differing(expected, found)):
        old, new = expected.get(path), found.get(path)
        if old is not None and old != new:
            name = old_view.path(path)
            groups[name].expected.append((path, old, _tree(old_view, name[0], old)))
        if new is not None and old != new:
            name = new_view.path(path)
            groups[name].found.append((path, new, _tree(new_view, name[0], new)))
    for name, group in groups.items():
        group.drop_equal()
        sides = Sides(old_view, new_view, name[0])
        for (_, old, old_tree), (path, new, new_tree) in zip(group.expected, group.found, strict=False):
            yield from entry_changes(path, sides, (old, old_tree), (new, new_tree))
        count = min(len(group.expected), len(group.found))
        yield from (Change("-", path, describe_entry(old)) for path, old, _ in group.expected[count:])
        yield from (Change("+", path, describe_entry(new)) for path, new, _ in group.found[count:])


def _tree(view: View, name: str, entry: Entry) -> Tree:
    return [entry.kind, entry.mode, view.content(name, entry)]


def _links(expected: Pattern, found: Pattern) -> Iterator[Change]:
    """Yield the places where generated values or references are equal, or different, and should not be."""
    lost, new = (sorted(Counter.elements(each)) for each in (expected - found, found - expected))
    for signature in new:
        instead = f"; in a fault-free run one at {_places(lost.pop(0))}" if lost else ""
        yield Change("~", _first(signature), f"one generated value stands at {_places(signature)}{instead}")
    for signature in lost:
        yield Change("~", _first(signature), f"no generated value of its own stands at {_places(signature)}")


def _first(signature: tuple[tuple[str, int], ...]) -> str:
    return signature[0][0].removeprefix(REFERENCE)


def _places(signature: tuple[tuple[str, int], ...]) -> str:
    named = (place.removeprefix(REFERENCE) + (f" ({count} times)" if count > 1 else "") for place, count in signature)
    return ", ".join(named)
