"""A mapping by path in parts, one for each folder: states that differ in one folder share all others."""

from collections.abc import Callable, Hashable, ItemsView, Iterator, Mapping
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


def above(path: str) -> str:
    """Return the folder of a path, by which the entries of a world are parted."""
    return path.rpartition("/")[0]


def differing(one: Mapping[_K, _V], other: Mapping[_K, _V]) -> set[_K]:
    """Return the paths in parts that are not the same; all others are alike."""
    if not (isinstance(one, Tree) and isinstance(other, Tree)):
        return {*one, *other}
    found: set[_K] = set()
    for folder in one.parts.keys() | other.parts.keys():
        mine, yours = one.parts.get(folder), other.parts.get(folder)
        if mine is not yours and mine != yours:
            found.update(mine or (), yours or ())
    return found


def new_in(one: Mapping[_K, _V], other: Mapping[_K, _V]) -> Iterator[tuple[_K, _V]]:
    """Yield the items of `one` that are not just so in `other`, in their order; what both share is not gone through."""
    if not (isinstance(one, Tree) and isinstance(other, Tree)):
        yield from (item for item in one.items() if other.get(item[0]) != item[1])
        return
    for folder, part in one.parts.items():
        yours = other.parts.get(folder, {})
        if part is not yours:
            yield from (item for item in part.items() if yours.get(item[0]) != item[1])


def replaced(entries: Mapping[str, _V], others: Mapping[str, _V]) -> "Tree[str, _V]":
    """Return the entries of a world with `others` instead of those of their names; all other folders are shared."""
    tree = Tree.of(entries, above)
    touched = {above(name) for name in others}
    parts = {
        folder: {name: others.get(name, entry) for name, entry in part.items()} if folder in touched else part
        for folder, part in tree.parts.items()
    }
    return Tree(parts, above)


class _Items(ItemsView[_K, _V]):
    """The items of a tree, part by part."""

    _mapping: "Tree[_K, _V]"

    def __iter__(self) -> Iterator[tuple[_K, _V]]:
        for part in self._mapping.parts.values():
            yield from part.items()


class Tree(Mapping[_K, _V], Generic[_K, _V]):
    """Paths and what lies there; `folder_of` says in which part a path is.

    Attributes:
        parts: what is in each folder, shared with other trees: nobody changes it.
    """

    __slots__ = ("_folder_of", "_size", "parts")

    def __init__(self, parts: Mapping[Hashable, dict[_K, _V]], folder_of: Callable[[_K], Hashable]) -> None:
        self.parts, self._folder_of = parts, folder_of
        self._size = sum(map(len, parts.values()))

    @classmethod
    def of(cls, items: Mapping[_K, _V], folder_of: Callable[[_K], Hashable]) -> "Tree[_K, _V]":
        """Return a tree of any mapping."""
        if isinstance(items, Tree):
            return items
        parts: dict[Hashable, dict[_K, _V]] = {}
        for key, value in items.items():
            parts.setdefault(folder_of(key), {})[key] = value
        return cls(parts, folder_of)

    def __getitem__(self, key: _K) -> _V:
        part = self.parts.get(self._folder_of(key))
        if part is None:
            raise KeyError(key)
        return part[key]

    def __iter__(self) -> Iterator[_K]:
        for part in self.parts.values():
            yield from part

    def items(self) -> ItemsView[_K, _V]:
        """Return pairs of path and what lies there."""
        return _Items(self)

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Tree):  # equal parts are mostly the same ones, and then not looked into
            return self.parts == other.parts
        return isinstance(other, Mapping) and dict(self.items()) == dict(other.items())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(dict(self.items()))
