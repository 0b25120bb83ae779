"""Generated ids are references: what counts is what they point at, not how they read.

Each resource and each row with a generated key gets a name made of its content; content that holds references is
named by theirs, round by round, until no name changes or, in a cycle, for some rounds (colour refinement, Weisfeiler
and Leman).
So two rows that a crash swapped, or an id that a lost insert burned, make no difference, and cycles end.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Any

from ...values.world import Row, TableShape, World

Content = Callable[[str, Row], object]
_ROUNDS = 6
_SHORTEST = 4
"""Shorter ids, or mere numbers, stand for too much else to be found in texts."""


class References:
    """The generated ids of a world, and the labels of what they point at."""

    def __init__(self, world: World) -> None:
        self.shapes: Mapping[str, TableShape] = world.shapes
        self._ids: dict[str, tuple[str, Row]] = {
            row["id"]: (collection, row)
            for collection, rows in world.resources.items()
            for row in rows
            if isinstance(row.get("id"), str) and len(row["id"]) >= _SHORTEST and not row["id"].isdigit()
        }
        self._rows = _referred_rows(world)
        self._labels: dict[object, str] = {}
        self._adopted: dict[object, str] = {}
        longest_first = "|".join(re.escape(one) for one in sorted(self._ids, key=len, reverse=True))
        self._pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{longest_first})(?![A-Za-z0-9])") if self._ids else None

    def refine(self, content: Content) -> None:
        """Label every reference by the content of its target, round by round (colour refinement)."""
        nodes: list[tuple[object, str, Row]] = [(one, *where) for one, where in self._ids.items()]
        nodes += [((table, key), table, row) for table, rows in self._rows.items() for key, row in rows.items()]
        for _ in range(_ROUNDS if nodes else 0):
            before = self._labels
            self._labels = {node: _digest(thing, content(thing, row)) for node, thing, row in nodes} | self._adopted
            if self._labels == before:
                break

    def node_of(self, thing: str, row: Row) -> object:
        """Return the node that references to a row or resource point at; None where there can be none."""
        shape = self.shapes.get(thing)
        if shape is None:
            return row.get("id") if row.get("id") in self._ids else None
        return (thing, row[shape.key]) if shape.key in row and thing in self._rows else None

    def adopt(self, node: object, other: "References", there: object) -> None:
        """Make references to `node` equal to references to `there` in another world from now on."""
        self._adopted[node] = other._labels.get(there, "")

    @property
    def in_texts(self) -> bool:
        """Return whether there is an id that could stand in a text."""
        return self._pattern is not None

    def found_in(self, text: str) -> list[str]:
        """Return the ids of resources that occur in a text, in order."""
        return self._pattern.findall(text) if self._pattern else []

    def may_stand_in(self, rows: Iterable[Row]) -> bool:
        """Return whether an id could stand in a text of these rows of a table; in JSON with escapes each could."""
        if self._pattern is None:
            return False
        text = "\n".join(value for row in rows for value in row.values() if isinstance(value, str))
        return "\\" in text or self._pattern.search(text) is not None

    def plain(self, text: str) -> str:
        """Replace ids of resources by the name of their collection."""
        return self._pattern.sub(lambda match: f"‹{self._ids[match.group()][0]}›", text) if self._pattern else text

    def labels_of(self, ids: list[str]) -> str:
        """Return the names of resources by their content, as a suffix for the text they occur in."""
        return "".join(f"‹{self._labels.get(one, '')}›" for one in ids)

    def target(self, table: str, column: str, value: object) -> tuple[str, str] | None:
        """Return the target of a column's integer: (name of the row it points at, its identity); None for a value."""
        shape = self.shapes.get(table)
        if shape is None or not isinstance(value, int):
            return None
        if column == shape.key:
            return "‹key›", f"{table}#{value}"
        there = shape.refers.get(column)
        if there is None or value not in self._rows.get(there, {}):
            return None
        return f"‹{there} {self._labels.get((there, value), '')}›", f"{there}#{value}"


def _referred_rows(world: World) -> dict[str, dict[Any, Row]]:
    """Return the rows, by key, of those tables that others refer to."""
    found = {}
    for name in {target for shape in world.shapes.values() for target in shape.refers.values()}:
        rows = world.tables.get(name) or world.private_tables.get(name) or []
        key = world.shapes[name].key if name in world.shapes else ""
        found[name] = {row[key]: row for row in rows if key in row}
    return found


def _digest(thing: str, content: object) -> str:
    return f"{thing}:{blake2b(repr(content).encode(errors='surrogatepass'), digest_size=6).hexdigest()}"
