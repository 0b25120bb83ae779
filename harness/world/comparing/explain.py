"""Put a difference into words that a person understands at three in the morning."""

from collections.abc import Iterator

from ...values.contents import begins_with, part_of
from ...values.world import Change, Entry, Row
from ..volatile.canonical import Tree
from ..volatile.documents import Document, read_document
from .excerpts import QUOTED, instead, short
from .sides import Sides
from .structures import Seen, Structure, texts_of
from .texts import line_details

_WIDTH = 160
_DETAILS = 3
_KINDS = {"file": "file", "dir": "folder", "link": "link"}

Side = tuple[Entry, Tree]


def describe_entry(entry: Entry) -> str:
    """Describe an entry: ``file, 120 bytes``."""
    if entry.kind == "file":
        return f"file, {entry.size} bytes"
    return "folder" if entry.kind == "dir" else f"link to {entry.content.decode(errors='replace')}"


def describe_row(row: Row) -> str:
    """Return a row as a person would write it, cut where it is long."""
    return _cut(repr(row))


def entry_changes(path: str, sides: Sides, expected: Side, found: Side) -> Iterator[Change]:
    """Yield the changes of one path."""
    (old, old_tree), (new, new_tree) = expected, found
    if old.kind != new.kind:
        yield Change("~", path, f"{_KINDS[new.kind]} instead of {_KINDS[old.kind]}")
        return
    if old_tree[2] != new_tree[2]:
        details = _content_details(sides, old, new, old_tree[2], new_tree[2])
        yield from (Change("~", path, _cut(detail)) for detail in details[:_DETAILS])
        if len(details) > _DETAILS:
            yield Change("~", path, f"and {len(details) - _DETAILS} more differences")
    if old.mode != new.mode:
        yield Change("~", path, f"mode {new.mode:o} instead of {old.mode:o}")


def _content_details(sides: Sides, old: Entry, new: Entry, old_tree: Tree, new_tree: Tree) -> list[str]:
    if old.kind == "link":
        return [f"points to {new.content.decode(errors='replace')} instead of {old.content.decode(errors='replace')}"]
    if not new.size:
        return [f"empty instead of {old.size} bytes"]
    if not old.size:
        return [f"{new.size} bytes instead of none: {_part(new, 0)}"]
    by_lines = sides.thing.endswith((".jsonl", ".ndjson"))
    documents = read_document(old.legible, by_lines), read_document(new.legible, by_lines)
    kinds = {document.kind for document in documents}
    if not (kinds in ({"text"}, {"jsonl"}) and _differ_by_lines(*sorted((old, new), key=lambda each: each.size))):
        if begins_with(old.held, new.held) or _is_beginning(old_tree, new_tree):
            return [f"first {new.size} of {old.size} bytes"]
        if begins_with(new.held, old.held):
            return [f"{new.size - old.size} bytes more at its end: {_part(new, old.size)}"]
    if isinstance(old_tree, list) and isinstance(new_tree, list) and len(kinds) == 1:
        return _document_details(sides, *documents, old_tree, new_tree)
    return [f"other content: {new.size} instead of {old.size} bytes"]


def _differ_by_lines(shorter: Entry, longer: Entry) -> bool:
    """Say whether, of two files that begin alike, the shorter ends where a line does."""
    return _last(shorter) == b"\n" or (longer.size == shorter.size + 1 and _last(longer) == b"\n")


def _last(entry: Entry) -> bytes:
    return part_of(entry.held, entry.size - 1, 1)


def _part(entry: Entry, at: int) -> str:
    return repr(part_of(entry.held, at, _WIDTH).decode(errors="replace"))


def _is_beginning(old: Tree, new: Tree) -> bool:
    """Return whether a text ends early, seen through masks: whole lines, and the first part of one."""
    if not (isinstance(old, list) and isinstance(new, list) and all(isinstance(line, str) for line in (*old, *new))):
        return False
    last = len(new) - 1
    return 0 < last < len(old) and old[:last] == new[:last] and old[last].startswith(new[last])


def _document_details(sides: Sides, old: Document, new: Document, old_tree: Tree, new_tree: Tree) -> list[str]:
    if old.kind == "text":
        return line_details(sides, old.value, new.value, old_tree, new_tree)
    details = list(Structure(sides).details(Seen(old.value, old_tree[2]), Seen(new.value, new_tree[2])))
    return details or ["the same values, written otherwise (white space, order of keys)"]


def row_change(name: str, sides: Sides, expected: tuple[Row, Tree], found: tuple[Row, Tree]) -> Change:
    """Return the change of a row that is there with other values; begins with a text that tells which row it is."""
    (old, old_tree), (new, new_tree) = expected, found
    same = [key for key in new_tree if new_tree[key] == old_tree.get(key)]
    which = next((f"{key} {short(new[key])}: " for key in same if isinstance(new[key], str) and key != "id"), "")
    other = [key for key in new_tree if key not in same]
    details = [_of_cell(sides, key, (old.get(key), old_tree.get(key)), (new[key], new_tree[key])) for key in other]
    return Change("~", name, _cut(which + ", ".join(details)))


def _of_cell(sides: Sides, column: str, expected: tuple[object, Tree], found: tuple[object, Tree]) -> str:
    """Return the differences of one column; of long JSON only the places that differ."""
    (old, old_tree), (new, new_tree) = expected, found
    parts = isinstance(old_tree, dict | list) and type(old_tree) is type(new_tree)
    if parts and max(_long(old), _long(new)) > QUOTED:
        structure = Structure(sides, "", f".{column}")
        return f"{column}: " + ", ".join(structure.details(Seen(old, old_tree), Seen(new, new_tree)))
    return f"{column}: {instead(old, new, texts_of(old_tree, new_tree))}"


def _long(value: object) -> int:
    return len(repr(value))


def most_alike(tree: Tree, candidates: list[Tree]) -> int | None:
    """Return the number of the candidate with most columns in common with a row, if at least half; None for none."""
    alike = [(_likeness(old, tree), -place) for place, old in enumerate(candidates)]
    score, place = max(alike, default=(0.0, 0))
    return -place if score >= 0.5 else None


def _likeness(old: Tree, new: Tree) -> float:
    """Return the share of columns that are equal; 0 where a reference is another, since that is another thing."""
    columns = [key for key in old if old[key] not in ("‹key›", "‹id›")]
    if any(isinstance(old[key], str) and old[key].startswith("‹") and old[key] != new.get(key) for key in columns):
        return 0.0
    return sum(old[key] == new.get(key) for key in columns) / (len(columns) or 1) if old.keys() == new.keys() else 0.0


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
