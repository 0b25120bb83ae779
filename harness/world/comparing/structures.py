"""Tell how two JSON values differ, place by place, as masks show them."""

from ast import literal_eval
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..volatile.canonical import Tree, View
from ..volatile.documents import read_json
from ..volatile.masks import KEYS
from .alignment import Alignment, Edit, repeated
from .excerpts import instead, short, some
from .sides import Sides

_QUOTES = ("'", '"')


@dataclass(frozen=True, slots=True)
class Seen:
    """A value with its unmasked part; `step` leads to it from its parent: ``[2]``, ``.id``."""

    value: Any
    tree: Tree
    step: str = ""


@dataclass(frozen=True, slots=True)
class Structure:
    """A place in two JSON values.

    `place` is what a person is told (``.items[2].id``), `at` what masks call it (``.items[*].id``).
    """

    sides: Sides
    place: str = ""
    at: str = ""

    def details(self, old: Seen, new: Seen) -> Iterator[str]:
        """Yield the places where two values differ, named as in the value that was found."""
        if old.tree == new.tree:
            return
        values, trees = (old.value, new.value), (old.tree, new.tree)
        if _are(dict, *values, *trees):
            yield from self._of_objects(old, new)
        elif _are(list, *values, *trees):
            yield from _Items(self, _items(old), _items(new)).details()
        elif _are(str, *values) and _are(dict, *trees):
            yield from self.details(*(Seen(read_json(each.value), each.tree["as JSON"]) for each in (old, new)))
        else:
            yield f"{self.place or 'all'}: {instead(*values, texts_of(*trees))}"

    def below(self, step: str, at: str) -> "Structure":
        """Return a place inside this one."""
        return Structure(self.sides, self.place + step, self.at + at)

    def _of_objects(self, old: Seen, new: Seen) -> Iterator[str]:
        stable = self.sides.mask.keys.get(self.at)
        sides = (self.sides.expected, old), (self.sides.found, new)
        ours, theirs = (self._named(*side, stable) for side in sides)
        for name in [*ours, *(name for name in theirs if name not in ours)]:
            if name not in theirs:
                yield f"{self.place}{ours[name].step}: {short(ours[name].value)} is missing"
            elif name not in ours:
                yield f"{self.place}{theirs[name].step}: {short(theirs[name].value)} is too much"
            else:
                step = theirs[name].step
                yield from self.below(step, step).details(ours[name], theirs[name])
        if stable is not None:
            was, now = (self._volatile(*side, stable) for side in sides)
            yield from _Items(self, was, now, named=True).details()

    def _named(self, view: View, of: Seen, stable: frozenset[str] | None) -> dict[str, Seen]:
        """Return the values below the keys that all runs share, by their masked names."""
        named = {key if stable is not None else view.text(self.sides.thing, key): key for key in of.value}
        return {
            name: Seen(of.value[key], of.tree[name], f".{key}")
            for name, key in named.items()
            if stable is None or key in stable
        }

    def _volatile(self, view: View, of: Seen, stable: frozenset[str]) -> list[Seen]:
        """Return the values below the keys that each run has of its own, in an order that does not depend on them."""
        found = [
            Seen(value, self.sides.value_at(view, self.at + KEYS, value), f".{key}")
            for key, value in of.value.items()
            if key not in stable
        ]
        return sorted(found, key=lambda each: repr(each.tree))


def texts_of(old: Tree, new: Tree) -> tuple[str, str] | None:
    """Return two leaves as the texts that masks leave of them; None where one of them is no text."""
    if _are(str, old, new) and old[:1] in _QUOTES and new[:1] in _QUOTES:
        return literal_eval(old), literal_eval(new)
    return None


def _are(kind: type, *values: Any) -> bool:
    return all(isinstance(value, kind) for value in values)


def _items(of: Seen) -> list[Seen]:
    return [Seen(*pair, f"[{n}]") for n, pair in enumerate(zip(of.value, of.tree, strict=True))]


@dataclass(slots=True)
class _Items:
    """The items of two lists, or the values below generated keys (`named`) that have no order."""

    structure: Structure
    old: Sequence[Seen]
    new: Sequence[Seen]
    named: bool = False
    _by_number: bool = field(init=False)

    def __post_init__(self) -> None:
        shared = self.named or any(_are_parts(each.value) for each in (*self.old, *self.new))
        self._by_number = bool(self.structure.sides.mask.fields) and not shared

    def details(self) -> Iterator[str]:
        """Yield each difference in words."""
        old, new = ([repr(each.tree) for each in side] for side in (self.old, self.new))
        keys: list[Hashable] = [("item", n) if self._is_masked(n) else key for n, key in enumerate(old)]
        known = set(keys)
        moved = [self._known_as(m, key, known) for m, key in enumerate(new)]
        for edit in Alignment(keys, moved, self._same, lambda n, m: (old[n], new[m])).edits():
            yield from self._told(edit)

    def _at(self, n: int) -> str:
        """Return the name that masks give to item `number` of the right side."""
        if self.named:
            return KEYS
        return "[*]" if any(_are_parts(each.value) for each in self.old) else f"[{n}]"

    def _is_masked(self, n: int) -> bool:
        return self._by_number and self.structure.at + self._at(n) in self.structure.sides.mask.fields

    def _known_as(self, m: int, key: str, known: set[Hashable]) -> str:
        """Return the right item that a found one equals where it stands elsewhere, and no mask hides it."""
        if not self._by_number or key in known:
            return key
        plain = repr(self._as_if("[*]", m))
        return plain if plain in known else key

    def _same(self, n: int, m: int) -> bool:
        return bool(self.old[n].tree == self._seen(n, m))

    def _seen(self, n: int, m: int) -> Tree:
        """Return the item `m` that was found as it looks in the place of the right item `n`."""
        return self._as_if(self._at(n), m) if self._by_number and n != m else self.new[m].tree

    def _as_if(self, step: str, m: int) -> Tree:
        sides = self.structure.sides
        return sides.value_at(sides.found, self.structure.at + step, self.new[m].value)

    def _told(self, edit: Edit) -> Iterator[str]:
        old, new = self.old[edit.old.start : edit.old.stop], self.new[edit.new.start : edit.new.stop]
        right = " of the right list" if edit.is_shifted and not self.named else ""
        if not new:
            yield from self._run(old, "missing", right)
        elif not old:
            yield from self._run(new, "too much", again=self._again(edit.new))
        elif len(old) == len(new) == 1:
            below = self.structure.below(new[0].step, self._at(edit.old.start))
            right = f" ({old[0].step}{right})" if right else ""
            seen = Seen(new[0].value, self._seen(edit.old.start, edit.new.start))
            yield from (detail + right for detail in below.details(old[0], seen))
        else:
            place, count = self.structure.place, f"instead of {len(old)}" if len(new) != len(old) else "are others"
            first = instead(old[0].value, new[0].value)
            yield f"{len(new)} items from {place}{new[0].step} on {count}, the first of them {first}"

    def _run(self, run: Sequence[Seen], what: str, right: str = "", again: str = "") -> Iterator[str]:
        """Tell of items in a row that are missing or too much."""
        place = self.structure.place
        if self.named or len(run) == 1:
            yield from (f"{place}{each.step}{right}: {short(each.value)} is {what}{again}" for each in run)
        else:
            values = some([each.value for each in run])
            yield f"{place}{run[0].step} to {run[-1].step}{right} are {what}{again}: {values}"

    def _again(self, run: range) -> str:
        """Return the hint on equal items elsewhere, if some are too much; "" if there are none."""
        if self.named or not any(_are_parts(self.new[m].value) or self.new[m].value for m in run):
            return ""
        first = repeated(run, len(self.new), lambda one, other: bool(self.new[one].tree == self.new[other].tree))
        if first is None:
            return ""
        step, last = self.new[first].step, self.new[first + len(run) - 1].step
        return f" (it stands at {step} too)" if len(run) == 1 else f" (they stand at {step} to {last} too)"


def _are_parts(value: object) -> bool:
    """Return whether a list with such an item is masked as a whole, each item like the others."""
    return isinstance(value, dict | list)
