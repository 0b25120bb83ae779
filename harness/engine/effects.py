"""An effect of the agent as a value: what it did, where in its code, and what that changed outside."""

from dataclasses import dataclass
from typing import NamedTuple

from ..values.places import Place
from ..values.points import Point, canonical
from ..values.world import Entry

REMOVING = ("delete", "remove", "rmdir")
"""Verbs of effects that take something away."""


class Blamed(NamedTuple):
    """An effect of the agent, and where in its code it is made.

    `effect` says what is done to what, random parts replaced: ``http.post:api.mail.test/mails``.
    """

    effect: str
    place: Place

    @classmethod
    def at(cls, point: Point, place: Place) -> "Blamed":
        """Return the effect of a point."""
        return cls(f"{point.kind}.{point.verb}:{canonical(point.target)}", place)


@dataclass(frozen=True, slots=True)
class Made:
    """The change of one name by one point: the entry afterwards, the rows that are new, and those that are gone.

    `is_new` says that there was no entry of this name before.
    """

    index: int
    blamed: Blamed
    entry: Entry | None = None
    rows: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    is_new: bool = False
