"""Find names that grow with each restart, and so make each crash a new state: chat sessions, counters, logs."""

from collections.abc import Sequence
from itertools import pairwise

from ..values.world import World


def grown(worlds: Sequence[World]) -> tuple[str, ...]:
    """Return the names that grew from each `World` to the next; empty if anything else changed.

    Files count by their size and tables by their rows, so that a time in another file is no change.
    """
    steps = [_grew(before, after) for before, after in pairwise(worlds)]
    return tuple(sorted({name for step in steps for name in step})) if all(steps) else ()


def _grew(before: World, after: World) -> set[str]:
    """Return the names that are larger; none where one is smaller, new or gone, or a service keeps more or fewer."""
    one, other = _sizes(before), _sizes(after)
    if one.keys() != other.keys() or _live(before) != _live(after) or any(other[name] < one[name] for name in one):
        return set()
    return {name for name in one if other[name] > one[name]}


def _sizes(world: World) -> dict[str, int]:
    sizes = {name: e.size for part in (world.entries, world.private_entries) for name, e in part.items()}
    sizes.update((name, len(rows)) for part in (world.tables, world.private_tables) for name, rows in part.items())
    return sizes


def _live(world: World) -> dict[str, int]:
    return {name: len(rows) for name, rows in world.resources.items()}
