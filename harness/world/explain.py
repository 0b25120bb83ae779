"""Put a difference into words that a person understands at three in the morning."""

from collections.abc import Iterator
from typing import Any

from ..values.contents import begins_with, part_of
from ..values.world import Change, Entry, Row
from .canonical import Tree
from .documents import Document, read_document

_WIDTH = 160
_DETAILS = 3
_KINDS = {"file": "file", "dir": "folder", "link": "link"}

Side = tuple[Entry, Tree]


def describe_entry(entry: Entry) -> str:
    """Return what a path is: ``file, 120 bytes``."""
    if entry.kind == "file":
        return f"file, {entry.size} bytes"
    return "folder" if entry.kind == "dir" else f"link to {entry.content.decode(errors='replace')}"


def describe_row(row: Row) -> str:
    """Return a row as a person would write it, cut where it is long."""
    return _cut(repr(row))


def entry_changes(path: str, expected: Side, found: Side) -> Iterator[Change]:
    """Yield how one path differs."""
    (old, old_tree), (new, new_tree) = expected, found
    if old.kind != new.kind:
        yield Change("~", path, f"{_KINDS[new.kind]} instead of {_KINDS[old.kind]}")
        return
    if old_tree[2] != new_tree[2]:
        details = list(_content_details(old, new, old_tree[2], new_tree[2]))
        yield from (Change("~", path, _cut(detail)) for detail in details[:_DETAILS])
        if len(details) > _DETAILS:
            yield Change("~", path, f"and {len(details) - _DETAILS} more differences")
    if old.mode != new.mode:
        yield Change("~", path, f"mode {new.mode:o} instead of {old.mode:o}")


def _content_details(old: Entry, new: Entry, old_tree: Tree, new_tree: Tree) -> Iterator[str]:
    if old.kind == "link":
        yield f"points to {new.content.decode(errors='replace')} instead of {old.content.decode(errors='replace')}"
        return
    if not new.size or begins_with(old.held, new.held) or _is_beginning(old_tree, new_tree):
        yield f"first {new.size} of {old.size} bytes" if new.size else f"empty instead of {old.size} bytes"
        return
    if old.size and begins_with(new.held, old.held):
        more = part_of(new.held, old.size, _WIDTH).decode(errors="replace")
        yield f"{new.size - old.size} bytes more at its end: {more!r}"
        return
    documents = read_document(old.legible), read_document(new.legible)
    if isinstance(old_tree, list) and isinstance(new_tree, list) and documents[0].kind == documents[1].kind:
        yield from _document_details(*documents, old_tree, new_tree)
    else:
        yield f"other content: {new.size} instead of {old.size} bytes"


def _is_beginning(old: Tree, new: Tree) -> bool:
    """Say whether a text ends early, seen through masks: whole lines, and the first part of one."""
    if not (isinstance(old, list) and isinstance(new, list) and all(isinstance(line, str) for line in (*old, *new))):
        return False
    last = len(new) - 1
    return 0 < last < len(old) and old[:last] == new[:last] and old[last].startswith(new[last])


def _document_details(old: Document, new: Document, old_tree: Tree, new_tree: Tree) -> Iterator[str]:
    if old.kind == "text":
        yield from _line_details(old.value, new.value, old_tree, new_tree)
        return
    details = list(tree_details(old_tree[2], new_tree[2], old.value, new.value))
    yield from details or ["the same values, written otherwise (white space, order of keys)"]


def _line_details(old: list[str], new: list[str], old_tree: Tree, new_tree: Tree) -> Iterator[str]:
    for number, (was, now) in enumerate(zip(old_tree, new_tree, strict=False)):
        if was != now:
            yield f"line {number + 1}: {_short(new[number])} instead of {_short(old[number])}"
    for number in range(len(new), len(old)):
        yield f"line {number + 1}: {_short(old[number])} is missing"
    for number in range(len(old), len(new)):
        yield f"line {number + 1}: {_short(new[number])} is too much"


def tree_details(old_tree: Tree, new_tree: Tree, old: Any, new: Any, place: str = "") -> Iterator[str]:
    """Yield the places where two trees differ, in the words of the values that they were made of."""
    if old_tree == new_tree:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            if key not in new:
                yield f"{place}.{key}: {_short(old[key])} is missing"
            elif key not in old:
                yield f"{place}.{key}: {_short(new[key])} is too much"
            else:
                inner = _below(old_tree, key), _below(new_tree, key)
                yield from tree_details(*inner, old[key], new[key], f"{place}.{key}")
        return
    if isinstance(old, list) and isinstance(new, list) and isinstance(old_tree, list) and isinstance(new_tree, list):
        for index, (was, now) in enumerate(zip(old, new, strict=False)):
            yield from tree_details(old_tree[index], new_tree[index], was, now, f"{place}[{index}]")
        if len(old) != len(new):
            yield f"{place}: {len(new)} items instead of {len(old)}"
        return
    yield f"{place or 'all'}: {_short(new)} instead of {_short(old)}"


def _below(tree: Tree, key: str) -> Tree:
    return tree.get(key) if isinstance(tree, dict) else tree


def row_change(name: str, old: Row, new: Row, old_tree: Tree, new_tree: Tree) -> Change:
    """Return the change of a row that is there with other values; begins with a text that tells which row it is."""
    same = [key for key in new_tree if new_tree[key] == old_tree.get(key)]
    which = next((f"{key} {_short(new[key])}: " for key in same if isinstance(new[key], str) and key != "id"), "")
    other = [key for key in new_tree if key not in same]
    details = [f"{key}: {_short(new.get(key))} instead of {_short(old.get(key))}" for key in other]
    return Change("~", name, _cut(which + ", ".join(details)))


def most_alike(tree: Tree, candidates: list[Tree]) -> int | None:
    """Return which candidate has most columns in common with a row, if at least half; None where none has."""
    alike = [(_likeness(old, tree), -place) for place, old in enumerate(candidates)]
    score, place = max(alike, default=(0.0, 0))
    return -place if score >= 0.5 else None


def _likeness(old: Tree, new: Tree) -> float:
    """Return the share of columns that are equal; 0 where a reference is another, since that is another thing."""
    columns = [key for key in old if old[key] not in ("‹key›", "‹id›")]
    if any(isinstance(old[key], str) and old[key].startswith("‹") and old[key] != new.get(key) for key in columns):
        return 0.0
    return sum(old[key] == new.get(key) for key in columns) / (len(columns) or 1) if old.keys() == new.keys() else 0.0


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
