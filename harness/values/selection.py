"""The points at which faults are placed, as ``--chaos-points`` restricts them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar

from .errors import ChaosError, nearest, shown
from .points import Point


class AtPoint(Protocol):
    """A crash state or an injection: it has a point."""

    @property
    def point(self) -> Point:
        """Return the point at which it is."""
        ...


_T = TypeVar("_T", bound=AtPoint)


@dataclass(frozen=True, slots=True)
class PointSelection:
    """Globs of points, each with its number or without: ``http.post:*stripe*``; no globs select every point.

    Attributes:
        option: the place where they were written.
    """

    globs: tuple[str, ...] = ()
    option: str = "--chaos-points"

    def __bool__(self) -> bool:
        return bool(self.globs)

    @property
    def is_of_a_test(self) -> bool:
        """Return whether a mark has them, and not the command line or the ini file, which are for all tests."""
        return self.option.startswith("@")

    def has(self, point: Point | str) -> bool:
        """Return whether faults are placed at a point."""
        return not self.globs or any(_matches(str(point), glob) for glob in self.globs)

    def of(self, points: Iterable[Point]) -> list[Point]:
        """Return those of the points at which faults are placed."""
        return [point for point in points if self.has(point)]

    def at(self, things: Iterable[_T]) -> list[_T]:
        """Return those of the things (crash states, injections) that are at such a point."""
        return [thing for thing in things if self.has(thing.point)]

    def missing(self, points: Sequence[Point]) -> ChaosError | None:
        """Return the error that no glob matches any of the points of a fault-free run; None where one does."""
        if self.globs and not self.of(points):
            known = list(dict.fromkeys(map(str, points)))
            near = list(dict.fromkeys(one for glob in self.globs for one in nearest(glob.strip("*"), known)))
            hint = f"nearest: {', '.join(near)}\nall of them: pytest --chaos --chaos-dry-run, without {self.option}"
            text = f"no point of this run matches {shown(','.join(self.globs))} ({self.option})"
            return ChaosError("unknown-point", text, hint)
        return None

    def told(self, points: Sequence[str]) -> str:
        """Return a phrase on the points that the restriction leaves out; "" if there is none.

        Args:
            points: those of the fault-free run.
        """
        if not self.globs:
            return ""
        chosen = sum(map(self.has, points))
        idle = [glob for glob in self.globs if not any(_matches(point, glob) for point in points)]
        none = f"; none in the run without a fault matches {', '.join(idle)}" if idle else ""
        return f"faults only at points that match {', '.join(self.globs)}: {chosen} of {len(points)}{none}"


def _matches(point: str, glob: str) -> bool:
    bare = point.rpartition("#")[0]
    # As it is printed, too: a bracket in a path is no set of letters.
    return glob in (point, bare) or fnmatchcase(point, glob) or fnmatchcase(bare, glob)
