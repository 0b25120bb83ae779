"""Find leases: future times until which a dead process may still seem to hold something."""

import re
from collections.abc import Iterable, Iterator, Mapping

from ...values.points import canonical
from ...values.rows import REMEMBERED_ROWS_BYTES, ROW_BYTES, Part, parts_of
from ...values.trees import Tree
from ...values.world import Entry, World
from ..storage.remembering import Remembered, remembered
from .documents import read_document, read_json
from .timestamps import timestamp_of_number, timestamp_of_text

_WEEK_S = 7 * 86400.0
_NAMES = r"lease|expir|deadline|ttl|until|valid_?to|not_?after|release_at|locked"
_NAME = re.compile(_NAMES, re.IGNORECASE)
_HINT = re.compile(_NAMES.encode(), re.IGNORECASE)
Place = tuple[str, ...]


def live_leases(world: World, now: float) -> dict[Place, float]:
    """Return, for each field that is named like a lease, its latest time within a week after `now` (epoch seconds).

    Looks at columns of rows, fields of JSON files and of resources, watched and private. A place is the canonical name
    of the file, table or collection and the names of the fields that lead there; which row or item is not told apart.
    """
    found: dict[Place, float] = {}
    for place, value in _values(world):
        timestamp = _timestamp(value, now)
        if timestamp is not None and timestamp > now:
            found[place] = max(timestamp, found.get(place, timestamp))
    return found


def _values(world: World) -> Iterator[tuple[Place, object]]:
    for entries in (world.entries, world.private_entries):
        if isinstance(entries, Tree):
            for folder in entries.parts.values():
                yield from _in_folder(folder)
        else:
            yield from _in_files(entries)
    for tables in (world.tables, world.private_tables, world.resources):
        for name, rows in tables.items():
            for part in parts_of(rows):
                yield from _in_rows(part, canonical(name))


def _timestamp(value: object, now: float) -> float | None:
    if isinstance(value, str):
        return timestamp_of_text(value, now, _WEEK_S)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timestamp_of_number(value, now, _WEEK_S)
    return None


def _in_files(entries: Mapping[str, Entry]) -> Iterator[tuple[Place, object]]:
    for path, entry in entries.items():
        if entry.kind == "file" and entry.size:
            for place, value in _in_file(entry.legible):
                yield (canonical(path), *place), value


def _in_folder(part: dict[str, Entry]) -> tuple[tuple[Place, object], ...]:
    def make() -> tuple[object, tuple[tuple[Place, object], ...]]:
        return part, tuple(_in_files(part))

    return _of_folders.get(id(part), make, lambda made: 100 * len(part) + 200 * len(made[1]))[1]


_of_folders: Remembered[int, tuple[object, tuple[tuple[Place, object], ...]]] = Remembered(32 << 20)
"""What a folder has, by the part of a world: kept with it, so that no other one has its id."""


def _in_rows(part: Part, place: str) -> tuple[tuple[Place, object], ...]:
    def make() -> tuple[Part, tuple[tuple[Place, object], ...]]:
        return part, tuple(_named(part, (place,), False))

    return _of_rows.get((id(part), place), make, lambda made: ROW_BYTES * len(part) + 200 * len(made[1]))[1]


_of_rows: Remembered[tuple[int, str], tuple[Part, tuple[tuple[Place, object], ...]]] = Remembered(REMEMBERED_ROWS_BYTES)
"""What a part of a table has, kept with it, so that no other one has its id."""


@remembered(32 << 20)
def _in_file(content: bytes) -> tuple[tuple[Place, object], ...]:
    if not _HINT.search(content):
        return ()
    document = read_document(content)
    return tuple(_named(document.value, (), False)) if document.kind in ("json", "jsonl") else ()


def _named(value: object, place: Place, named: bool) -> Iterator[tuple[Place, object]]:
    """Yield leaves below a field that is named like a lease; `named` where one above is."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _named(item, (*place, str(key)), named or bool(_NAME.search(str(key))))
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for item in value:
            yield from _named(item, place, named)
    elif isinstance(value, str) and value[:1] in ("{", "[") and (inner := read_json(value)) is not None:
        yield from _named(inner, place, named)
    elif named:
        yield place, value
