"""Find out until when somebody may believe that a dead process still holds something."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from ..values.world import World
from .documents import read_document, read_json
from .moments import moment_of_number, moment_of_text

_WEEK_S = 7 * 86400.0
_NAME = re.compile(r"lease|expir|deadline|ttl|until|valid_?to|not_?after|release_at|locked", re.IGNORECASE)
_HINT = re.compile(rb"lease|expir|deadline|ttl|until|valid_?to|not_?after|release_at|locked", re.IGNORECASE)


def live_lease_until(world: World, now: float) -> float | None:
    """Return the latest time within a week after `now` (epoch seconds) in a field that is named like a lease.

    Looks at columns of rows, fields of JSON files and of resources, watched and private; None where no lease lives.
    """
    values: list[object] = []
    for entries in (world.entries, world.private_entries):
        for entry in entries.values():
            if entry.kind == "file" and entry.content:
                values += _in_file(entry.content)
    for tables in (world.tables, world.private_tables, world.resources):
        for rows in tables.values():
            values += _named(rows, False)
    moments = (_moment(value, now) for value in values)
    return max((moment for moment in moments if moment is not None and moment > now), default=None)


def _moment(value: object, now: float) -> float | None:
    if isinstance(value, str):
        return moment_of_text(value, now, _WEEK_S)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return moment_of_number(value, now, _WEEK_S)
    return None


@lru_cache(maxsize=1024)
def _in_file(content: bytes) -> tuple[object, ...]:
    if not _HINT.search(content):
        return ()
    document = read_document(content)
    return tuple(_named(document.value, False)) if document.kind in ("json", "jsonl") else ()


def _named(value: object, named: bool) -> Iterator[object]:
    """Yield leaves below a field that is named like a lease; `named` where one above is."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _named(item, named or bool(_NAME.search(str(key))))
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for item in value:
            yield from _named(item, named)
    elif isinstance(value, str) and value[:1] in ("{", "[") and (inner := read_json(value)) is not None:
        yield from _named(inner, named)
    elif named:
        yield value
