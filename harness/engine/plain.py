"""Values of the outside and of models as plain data, cut to what a person reads: states and exchanges of a story."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from ..values.contents import start_of
from ..values.http import HttpRequest
from ..values.story import States
from ..values.world import Entry, World
from ..world.comparing.explain import describe_entry
from .blame import changed

_CHARACTERS, _ITEMS, _DEPTH = 400, 20, 6


def plain(value: object, characters: int = _CHARACTERS, depth: int = _DEPTH) -> Any:
    """Return a value as JSON has them; long texts and lists are cut, and say so."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return value if len(value) <= characters else f"{value[:characters]}…"
    if depth == 0:
        return plain(repr(value), characters)
    if isinstance(value, bytes):
        return _text(value, len(value), characters)
    if isinstance(value, Mapping):
        return {str(key): plain(each, characters, depth - 1) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        more = [f"… and {len(value) - _ITEMS} more"] if len(value) > _ITEMS else []
        return [plain(each, characters, depth - 1) for each in value[:_ITEMS]] + more
    if is_dataclass(value) and not isinstance(value, type):
        shown = {field.name: getattr(value, field.name) for field in fields(value) if field.repr}
        return plain(shown, characters, depth)
    return plain(repr(value), characters)


def _text(start: bytes, size: int, characters: int) -> str:
    """Return a content of `size` bytes by its start: the text that it is, or how large it is."""
    try:
        # The start of a text may end within a character.
        text = start.decode(errors="strict" if len(start) == size else "ignore")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return f"{size} bytes"
    return f"{text[:characters]}…" if len(text) > characters or len(start) < size else text


def request_told(request: HttpRequest) -> Any:
    """Return the body of a request to a model as plain data."""
    try:
        return plain(request.json())
    except ValueError:
        return plain(request.body)


def states_told(before: World, fault: World, end: World, done: World) -> States:
    """Return four worlds by readable names, those names only that two of them do not have in common."""
    pairs = (before, fault), (before, end), (before, done), (end, done)
    names = sorted({name for old, new in pairs for name, *_ in changed(old, new)})
    told = [dict(_told(world, names)) for world in (before, fault, end, done)]
    right = {name: _distinct([told[0].get(name), told[3].get(name)]) for name in names}
    return States(told[0], told[1], told[2], right)


def _told(world: World, names: Iterable[str]) -> Iterable[tuple[str, Any]]:
    """Yield the names that there are in a world, and what is there."""
    entries = world.entries, world.private_entries
    rows = world.tables, world.private_tables, world.resources
    for name in names:
        for found in entries:
            if (entry := found.get(name) if name in found.keys() else None) is not None:  # noqa: SIM118
                yield name, _entry_told(entry)
        # A short name would be found, too.
        yield from ((name, plain(found[name])) for found in rows if name in found.keys())  # noqa: SIM118


def _entry_told(entry: Entry) -> Any:
    if entry.kind != "file":
        return describe_entry(entry)
    return _text(start_of(entry.held, 4 * _CHARACTERS), entry.size, _CHARACTERS)


def _distinct(values: Sequence[Any]) -> list[Any]:
    return [value for number, value in enumerate(values) if value not in values[:number]]


def hiding(value: Any, hidden: Callable[[str], str]) -> Any:
    """Return plain data with each of its texts hidden in part."""
    if isinstance(value, str):
        return hidden(value)
    if isinstance(value, Mapping):
        return {hidden(key): hiding(each, hidden) for key, each in value.items()}
    return [hiding(each, hidden) for each in value] if isinstance(value, list) else value
