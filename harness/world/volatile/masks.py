"""Masks: which places hold a value that differs from run to run, and how a value looks through them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from .templates import Template

KEYS = ".{*}"


@dataclass(frozen=True, slots=True)
class NameMask:
    """Names in one folder of which each run has its own; `stable` are the names beside them that all runs share."""

    template: Template
    stable: frozenset[str]


@dataclass(frozen=True, slots=True)
class ThingMask:
    """The volatile places of a file, a table or a collection of resources.

    Attributes:
        fields: places in JSON or in rows, such as ``.meta.created_at``, ``.items[*].id``.
        keys: places of objects whose keys are volatile, with the keys that are not.
        lines: line (from 0) of a text → what is alike in it.
        whole: nothing but the kind of content can be compared.
        of_rows: whether this is a table or a collection, not a file.
    """

    fields: frozenset[str] = frozenset()
    keys: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lines: Mapping[int, Template] = field(default_factory=dict)
    whole: bool = False
    of_rows: bool = False

    def places(self) -> Iterator[str]:
        """Yield each masked place in words."""
        if self.whole:
            yield "content"
        for place in sorted(self.fields):
            yield place
        for place in sorted(self.keys):
            yield f"{place or '.'} names"
        for _, run in groupby(enumerate(sorted(self.lines)), key=lambda pair: pair[1] - pair[0]):
            numbers = [number + 1 for _, number in run]
            yield f"line {numbers[0]}" if len(numbers) == 1 else f"lines {numbers[0]}-{numbers[-1]}"

    def is_empty(self) -> bool:
        """Return whether nothing is volatile here."""
        return not (self.fields or self.keys or self.lines or self.whole)

    def merged(self, other: "ThingMask") -> "ThingMask":
        """Return the union of two masks."""
        keys = {place: self.keys.get(place, stable) & stable for place, stable in other.keys.items()}
        lines = {
            number: template if self.lines.get(number, template) == template else Template()
            for number, template in other.lines.items()
        }
        return ThingMask(
            self.fields | other.fields,
            {**self.keys, **keys},
            {**self.lines, **lines},
            self.whole or other.whole,
            self.of_rows,
        )


NOTHING = ThingMask()


@dataclass(frozen=True)
class Masks:
    """All places in which two or three fault-free runs differ.

    Attributes:
        names: folder (itself masked) → volatile names in it.
        things: file, table or collection, by its masked name → what is volatile in it.
        links: places whose volatile values are identifiers: which of them are equal must not change.
        private: names in `things` that `difference` never looks at.
        named: masked paths that stand for volatile ones, to be printed.
    """

    names: Mapping[str, tuple[NameMask, ...]] = field(default_factory=dict)
    things: Mapping[str, ThingMask] = field(default_factory=dict)
    links: frozenset[str] = frozenset()
    private: frozenset[str] = frozenset()
    named: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """Return each mask on what is watched, printable: ``shared/report.json: .meta.created_at``."""
        found = [f"{path}: name" for path in self.named if path not in self.private]
        for thing, mask in sorted(self.things.items()):
            if thing not in self.private:
                found += [thing + ("" if mask.of_rows else ": ") + place for place in mask.places()]
        return tuple(found)

    def of(self, thing: str) -> ThingMask:
        """Return the mask of one thing."""
        return self.things.get(thing, NOTHING)

    def canonical(self, path: str) -> tuple[str, list[tuple[str, str]]]:
        """Return a path with its volatile names as ``*``, and what stood there, by place."""
        if not self.names:
            return path, []
        steps: list[str] = []
        filled: list[tuple[str, str]] = []
        for step in path.split("/"):
            folder = "/".join(steps)
            for mask in self.names.get(folder, ()):
                values = None if step in mask.stable else mask.template.match(step)
                if values is not None:
                    step = str(mask.template)
                    filled += [(f"{folder}/{step}", value) for value in values]
                    break
            steps.append(step)
        return "/".join(steps), filled

    def canonical_thing(self, name: str) -> tuple[str, list[tuple[str, str]]]:
        """Return the same as `canonical` for a table, ``path.db:table``; any other name counts as a path."""
        path, colon, table = name.rpartition(":")
        masked, filled = self.canonical(path or table)
        return masked + colon + table if path else masked, filled
