"""Both sides of one comparison: the masks and references that one thing is seen through."""

from dataclasses import dataclass

from ..volatile.canonical import Tree, View, Walk
from ..volatile.masks import ThingMask


@dataclass(frozen=True, slots=True)
class Sides:
    """The views of a file, a table or a collection in the world that is right and in the one that was found.

    `thing` is its masked name.
    """

    expected: View
    found: View
    thing: str

    @property
    def mask(self) -> ThingMask:
        """The mask of its volatile parts."""
        return self.expected.masks.of(self.thing)

    def line_at(self, number: int, line: str) -> str:
        """Return a line that was found as it would look if it were the line `number` (from 0)."""
        return self.found.line(self.thing, self.mask, number, line)

    def value_at(self, view: View, place: str, value: object) -> Tree:
        """Return a value of one side as it looks at a place such as ``.items[*].id``, through the mask."""
        return Walk(view, self.thing, self.mask).tree(value, place)
