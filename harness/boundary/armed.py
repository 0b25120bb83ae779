"""What a process is to meet, and how much it may do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..values.faults import matches
from ..values.media import medium_of
from ..values.points import Point, When
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
        match medium_of(origin.kind).lasts_for:
            case "host":
                return point.target.partition("/")[0] == origin.target.partition("/")[0]
            case "target":
                return point.kind == origin.kind and point.target == origin.target
        return point.kind == origin.kind


class Plan:
    """What a process is to meet: an injection strikes once, what it began may last."""

    def __init__(self, armed: Sequence[Armed]) -> None:
        self.armed = armed
        self._lasting = [one for one in armed if one.begun]
        self.spent = {one.position for one in self._lasting}

    def due(
        self, point: Point, when: When, wanted: Callable[[Strike], bool], struck: Callable[[int], object]
    ) -> Armed | None:
        """Return what strikes at this moment; `struck` is told the position of what does so for the first time."""
        armed = self.first(point, when, wanted)
        if armed is None:
            return self.again(point, when, wanted)
        struck(armed.position)
        return armed

    def first(self, point: Point, when: When, wanted: Callable[[Strike], bool]) -> Armed | None:
        """Return what strikes for the first time at this moment; it has struck then."""
        for armed in self.armed:
            injection = armed.injection
            here = injection.point == point and injection.when == when and armed.position not in self.spent
            if here and wanted(armed.strike):
                self.spent.add(armed.position)
                if injection.lasting:
                    self._lasting.append(armed)
                return armed
        return None

    def again(self, point: Point, when: When, wanted: Callable[[Strike], bool]) -> Armed | None:
        """Return what began earlier and strikes here, too."""
        lasting = (a for a in self._lasting if _repeats(a, when) and a.reaches(point) and wanted(a.strike))
        return next(lasting, None)

    def expects(self, point: Point, when: When) -> bool:
        """Say whether something would strike at this moment, without striking."""
        return any(a.injection.point == point and a.injection.when == when for a in self.armed)


def _repeats(armed: Armed, when: When) -> bool:
    """What began in the middle of a write is there before every later one."""
    first = armed.injection.when
    return when == ("before" if first == "middle" else first)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many calls (requests), polls (sleeps) and effects a process may make before it counts as endless."""

    calls: int
    polls: int
    effects: int
