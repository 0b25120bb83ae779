"""What a process is to meet, and how much it may do."""

from dataclasses import dataclass

from ..values.faults import matches
from ..values.points import ANSWERED, Point
from ..values.schedule import Injection
from ..values.strikes import Strike


@dataclass(frozen=True, slots=True)
class Armed:
    """An injection of the plan, ready to strike.

    `at` has the globs of ``kind.verb`` that its fault strikes; `outlives` says that the next process meets it too, and
    `begun` that it struck in an earlier one and lasts.
    """

    position: int
    injection: Injection
    strike: Strike
    at: tuple[str, ...]
    outlives: bool = False
    begun: bool = False

    def reaches(self, point: Point) -> bool:
        """Say whether a lasting fault covers this later point: the same host, program, or kind of medium."""
        origin = self.injection.point
        if not matches(self.at, point):
            return False
        if origin.kind in ANSWERED:
            return point.target.partition("/")[0] == origin.target.partition("/")[0]
        if origin.kind in ("process", "net"):
            return point.kind == origin.kind and point.target == origin.target
        return point.kind == origin.kind


@dataclass(frozen=True, slots=True)
class Limits:
    """How many calls (requests), polls (sleeps) and effects a process may make before it counts as endless."""

    calls: int
    polls: int
    effects: int
