"""Equal volatile values stay equal to each other: which places share a generated value must not change."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from ...values.rows import parts_of
from ...values.world import World
from .canonical import REFERENCE, View
from .masks import Masks
from .shapes import looks_random, time_format

_LEAST_ID = 6
Pattern = Counter[tuple[tuple[str, int], ...]]
"""For each identifier: the places it stands at and how often; identifiers themselves are left out."""


def linked_places(runs: Sequence[World], masks: Masks) -> frozenset[str]:
    """Return the places of identifiers whose pattern of equality is the same in all fault-free runs."""
    hidden = [hidden_values(world, masks) for world in runs]
    by_run = [_by_place(seen) for seen in hidden]
    places = {
        place
        for place in set.intersection(*(set(run) for run in by_run))
        if not place.startswith(REFERENCE)
        and any(looks_random(value) for run in by_run for value in run[place])
        and not any(time_format(value) or len(value) < 6 for run in by_run for value in run[place])
    }
    patterns = [_pattern(seen, places) for seen in hidden]
    for other in patterns[1:]:
        doubtful = {place for signature in (patterns[0] - other) + (other - patterns[0]) for place, _ in signature}
        places -= doubtful
    return frozenset(places)


def pattern_of(world: World, masks: Masks) -> Pattern:
    """Return the sets of watched places that share generated values; references count too."""
    watched = World(world.entries, world.tables, world.resources, shapes=world.shapes)
    return _pattern(hidden_values(watched, masks), set(masks.links))


def hidden_values(world: World, masks: Masks) -> list[tuple[str, str]]:
    """Return each value that a mask hides, and each reference, with its place."""
    view = View.of(world, masks)
    seen: list[tuple[str, str]] = []
    view.seen = seen
    for path, entry in {**world.entries, **world.private_entries}.items():
        name, _ = view.path(path)
        if entry.kind != "dir" and (view.references.in_texts or not masks.of(name).is_empty()):
            view.content(name, entry)  # nothing else of it is hidden
    for thing, rows in {**world.tables, **world.private_tables, **world.resources}.items():
        plain = view.hides_only_references_in(thing)
        for part in parts_of(rows):
            if not plain or view.references.may_stand_in(part):
                for row in part:
                    view.row(thing, row)
    return seen


def _by_place(seen: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for place, value in seen:
        found[place].append(value)
    return found


def _pattern(seen: list[tuple[str, str]], places: set[str]) -> Pattern:
    """Count signatures; a value within a longer one at another place (an id in a path) is found there too."""
    where: dict[str, Counter[str]] = defaultdict(Counter)
    longer = []
    for place, value in seen:
        if place.startswith(REFERENCE) or place in places:
            where[value][place] += 1
            longer.append((place, value))
    lengths = sorted({len(value) for value in where if len(value) >= _LEAST_ID})
    for place, text in longer:
        for value in _within(text, where, lengths):
            where[value][place] += 1
    return Counter(tuple(sorted(counts.items())) for counts in where.values())


def _within(text: str, values: Collection[str], lengths: Sequence[int]) -> set[str]:
    """Return the values of these lengths that stand within a longer text, by whichever way is shorter."""
    shorter = [length for length in lengths if length < len(text)]
    if len(shorter) * len(text) > len(values):
        return {value for value in values if _LEAST_ID <= len(value) < len(text) and value in text}
    parts = {text[at : at + length] for length in shorter for at in range(len(text) - length + 1)}
    return {part for part in parts if part in values}
