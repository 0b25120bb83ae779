"""A world as it looks through masks and references: equal canonical forms mean equal worlds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ...values.world import Entry, Row, World
from .documents import read_document, read_json
from .masks import KEYS, Masks, ThingMask
from .references import References
from .shapes import marker

Tree = Any
"""Nested dicts and lists whose leaves are text: the repr of a value, a marker, or the name of a reference."""

REFERENCE = "→ "
"""Begins each place where a reference stood."""


@dataclass(slots=True)
class View:
    """One world seen through `masks`.

    `seen` collects, where it is wanted, each hidden value and each reference with its place.
    """

    masks: Masks
    references: References
    seen: list[tuple[str, str]] | None = None

    @classmethod
    def of(cls, world: World, masks: Masks) -> "View":
        """Return the view on a world with its references named."""
        view = cls(masks, References(world))
        view.refine()
        return view

    def refine(self) -> None:
        """Label all references by the content of their targets."""
        self.references.refine(self.row)

    def is_plain(self, thing: str) -> bool:
        """Return whether equal rows of a table or collection look equal in every world: nothing in them refers."""
        shape = self.references.shapes.get(thing)
        return shape is not None and not shape.refers and not self.references.in_texts

    def hides_only_references_in(self, thing: str) -> bool:
        """Return whether no row of a table has a hidden value, nor has its name, nor a reference but one in a text."""
        shape = self.references.shapes.get(thing)
        if shape is None or shape.refers or shape.key or self.references.found_in(thing):
            return False
        masked, filled = self.masks.canonical_thing(thing)
        return not filled and self.masks.of(masked).is_empty()

    def path(self, path: str) -> tuple[str, str]:
        """Return the masked name of a path, and the things that the ids in it refer to."""
        ids = self.references.found_in(path)
        name, filled = self.masks.canonical(self.references.plain(path) if ids else path)
        if self.seen is not None:
            self.seen += filled
            self.note_ids(name, ids)
        return name, self.references.labels_of(ids) if ids else ""

    def thing(self, name: str) -> str:
        """Return the masked name of a table ``path.db:table``; a collection has no other name."""
        if name not in self.references.shapes:
            return name
        path, colon, table = name.rpartition(":")
        return self.path(path)[0] + colon + table

    def content(self, thing: str, entry: Entry) -> Tree:
        """Return the masked content of an entry; `thing` is its masked name."""
        mask = self.masks.of(thing)
        if entry.kind == "link":
            return self.text(thing, entry.content.decode(errors="surrogateescape"))
        if entry.kind == "dir":
            return ""
        if mask.whole:
            return _whole(entry.legible)
        document = read_document(entry.legible, thing.endswith((".jsonl", ".ndjson")))
        if document.kind == "binary":
            return document.value
        if document.kind == "text":
            return [self.line(thing, mask, number, line) for number, line in enumerate(document.value)]
        tree = Walk(self, thing, mask).tree(document.value, "")
        return [document.kind, "" if mask.keys else document.layout, tree]

    def line(self, thing: str, mask: ThingMask, number: int, line: str) -> str:
        """Return one line of a text."""
        template = mask.lines.get(number)
        if template is None:
            return self.text(f"{thing}: line {number}", line)
        ids = self.references.found_in(line)
        hidden, filled = template.hide(self.references.plain(line) if ids else line)
        self.note_ids(f"{thing}: line {number}", ids)
        self.note(f"{thing}: line {number}", filled)
        return hidden + self.references.labels_of(ids)

    def text(self, place: str, text: str) -> str:
        """Return a text with the ids in it replaced by what they refer to."""
        ids = self.references.found_in(text)
        if not ids:
            return text
        self.note_ids(place, ids)
        return self.references.plain(text) + self.references.labels_of(ids)

    def row(self, thing: str, row: Row) -> Tree:
        """Return a row of a table, or a resource of a collection; its own id is no value."""
        table = thing if thing in self.references.shapes else ""
        name = self.thing(thing)
        walk = Walk(self, name, self.masks.of(name), table)
        return {column: walk.cell(column, value) for column, value in row.items()}

    def note(self, place: str, values: Iterable[str]) -> None:
        """Record the text that a mask hid."""
        if self.seen is not None:
            self.seen += [(place, value) for value in values]

    def note_ids(self, place: str, ids: Iterable[str]) -> None:
        """Remember which references occurred."""
        if self.seen is not None:
            self.seen += [(REFERENCE + place, one) for one in ids]


def _whole(content: bytes) -> str:
    return f"<{read_document(content).kind}>" if content else "nothing"


@dataclass(slots=True)
class Walk:
    """The way through one document or row; `leaf` is told of each place where a value stands.

    `thing` is a masked name, `table` the name by which references know the table; "" for no table.
    """

    view: View
    thing: str
    mask: ThingMask
    table: str = ""
    leaf: Callable[[str, object], None] | None = field(default=None)

    def cell(self, column: str, value: object) -> Tree:
        """Return one column of a row, or one field of a resource."""
        references = self.view.references
        if column == "id" and not self.table and isinstance(value, str | int):
            self.view.note_ids(f"{self.thing}.id", [str(value)])
            return "‹id›"
        target = references.target(self.table, column, value) if self.table else None
        if target is not None:
            self.view.note_ids(f"{self.thing}.{column}", [target[1]])
            return target[0]
        return self.tree(value, f".{column}")

    def tree(self, value: object, place: str) -> Tree:
        """Return the tree of a value at a place such as ``.items[*].id``."""
        if place in self.mask.fields:
            self._tell(place, value)
            self.view.note(self.thing + place, [value] if isinstance(value, str) and value else [])
            return marker(value)
        if isinstance(value, dict):
            return self._object(value, place)
        if isinstance(value, list):
            shared = any(isinstance(item, dict | list) for item in value)
            return [self.tree(item, f"{place}[{'*' if shared else index}]") for index, item in enumerate(value)]
        if isinstance(value, str):
            inner = read_json(value)
            if inner:
                return {"as JSON": self.tree(inner, place)}
            self._tell(place, value)
            return repr(self.view.text(self.thing + place, value))
        self._tell(place, value)
        return repr(value)

    def _object(self, value: dict[str, Any], place: str) -> Tree:
        stable = self.mask.keys.get(place)
        if not value:
            self._tell(place, value)
        if stable is None:
            return {self.view.text(self.thing, key): self.tree(item, f"{place}.{key}") for key, item in value.items()}
        own = {key: self.tree(item, f"{place}.{key}") for key, item in value.items() if key in stable}
        volatile = [key for key in value if key not in stable]
        self.view.note(self.thing + place + KEYS, volatile)
        return {**own, KEYS: sorted((self.tree(value[key], place + KEYS) for key in volatile), key=repr)}

    def _tell(self, place: str, value: object) -> None:
        if self.leaf is not None:
            self.leaf(place, value)
