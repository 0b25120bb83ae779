"""Pair paths that no two runs share, by folder, suffix and content, and learn how their names read."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .masks import NameMask
from .shapes import tokens
from .templates import name_template_of


@dataclass(slots=True)
class _Folder:
    """The entries that one run has in one folder: name → content of what lies there and below."""

    names: dict[str, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))


def learn_names(runs: Sequence[Mapping[str, bytes]]) -> dict[str, tuple[NameMask, ...]]:
    """Return volatile names by the masked folder they are in, outermost folders first."""
    found: dict[str, tuple[NameMask, ...]] = {}
    _learn_folder("", [[run] for run in runs], found)
    return found


def _learn_folder(
    folder: str, runs: Sequence[Sequence[Mapping[str, bytes]]], found: dict[str, tuple[NameMask, ...]]
) -> None:
    """Learn one folder; each run may have several of its name, where a folder above is volatile."""
    trees = [_by_first_step(run) for run in runs]
    own = [
        sorted(name for name in tree if all(name not in other for other in trees if other is not tree))
        for tree in trees
    ]
    stable = frozenset(name for tree in trees for name in tree) - {name for names in own for name in names}
    masks: list[NameMask] = []
    if own[0] and len({len(names) for names in own}) == 1:
        for group in _pairs(own, trees):
            mask = NameMask(name_template_of(group), stable)
            if mask not in masks:
                masks.append(mask)
    if masks:
        found[folder] = tuple(masks)
    below: dict[str, list[list[Mapping[str, bytes]]]] = defaultdict(lambda: [[] for _ in runs])
    for number, tree in enumerate(trees):
        for name, inner in tree.items():
            below[_masked(name, masks)][number] += [each for each in inner if any(each)]
    for name, parts in sorted(below.items()):
        if any(parts):
            _learn_folder(f"{folder}/{name}" if folder else name, parts, found)


def _by_first_step(run: Sequence[Mapping[str, bytes]]) -> dict[str, list[dict[str, bytes]]]:
    """Split paths at their first step; what lies at the step itself is named ""."""
    found: dict[str, list[dict[str, bytes]]] = {}
    for paths in run:
        here: dict[str, dict[str, bytes]] = defaultdict(dict)
        for path, content in paths.items():
            if path:
                first, _, rest = path.partition("/")
                here[first][rest] = content
        for first, inner in here.items():
            found.setdefault(first, []).append(inner)
    return found


def _masked(name: str, masks: Sequence[NameMask]) -> str:
    for mask in masks:
        if name not in mask.stable and mask.template.match(name) is not None:
            return str(mask.template)
    return name


def _pairs(own: Sequence[Sequence[str]], trees: Sequence[Mapping[str, list[dict[str, bytes]]]]) -> Iterator[list[str]]:
    """Yield for each name of the first run the name of every other run that is most like it."""
    left = [list(names) for names in own[1:]]
    for name in own[0]:
        group = [name]
        for names, tree in zip(left, trees[1:], strict=True):
            alike = [other for other in names if os.path.splitext(other)[1] == os.path.splitext(name)[1]]
            if not alike:
                break
            best = max(alike, key=lambda other: _likeness(name, other, trees[0][name], tree[other]))
            names.remove(best)
            group.append(best)
        if len(group) == len(own):
            yield group


def _likeness(
    name: str, other: str, inner: list[dict[str, bytes]], others: list[dict[str, bytes]]
) -> tuple[bool, int, bool, int]:
    """Return the likeness of two entries, by name and content; the greatest is that of the best pair."""
    mine, yours = tokens(name), tokens(other)
    sizes = [sum(len(content) for part in parts for content in part.values()) for parts in (inner, others)]
    same = sum(a == b for a, b in zip(mine, yours, strict=False))
    return len(mine) == len(yours), same, inner == others, -abs(sizes[0] - sizes[1])
