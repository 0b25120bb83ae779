"""What a process is to meet, and how much it may do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..values.actions import Action
from ..values.faults import matches
from ..values.media import medium_of
from ..values.points import Phase, Point
from ..values.schedule import Injection


@dataclass(frozen=True, slots=True)
class ResolvedInjection:
    """An injection of the plan, ready to strike.

    `at` has the globs of ``kind.verb`` that its fault strikes; `survives_restart` says that the next process meets it
    too, and `already_active` that it struck in an earlier one and lasts.
    """

    position: int
    injection: Injection
    action: Action
    at: tuple[str, ...]
    survives_restart: bool = False
    already_active: bool = False

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

    def __init__(self, resolved: Sequence[ResolvedInjection]) -> None:
        self.resolved = resolved
        self._lasting = [one for one in resolved if one.already_active]
        self.spent = {one.position for one in self._lasting}

    def due(
        self, point: Point, when: Phase, wanted: Callable[[Action], bool], fired: Callable[[int], object]
    ) -> ResolvedInjection | None:
        """Return what strikes at this moment; `fired` is told the position of what does so for the first time."""
        resolved = self.first(point, when, wanted)
        if resolved is None:
            return self.again(point, when, wanted)
        fired(resolved.position)
        return resolved

    def first(self, point: Point, when: Phase, wanted: Callable[[Action], bool]) -> ResolvedInjection | None:
        """Return what strikes for the first time at this moment; it has struck then."""
        for resolved in self.resolved:
            injection = resolved.injection
            here = injection.point == point and injection.when == when and resolved.position not in self.spent
            if here and wanted(resolved.action):
                self.spent.add(resolved.position)
                if injection.lasting:
                    self._lasting.append(resolved)
                return resolved
        return None

    def again(self, point: Point, when: Phase, wanted: Callable[[Action], bool]) -> ResolvedInjection | None:
        """Return what began earlier and strikes here, too."""
        lasting = (a for a in self._lasting if _repeats(a, when) and a.reaches(point) and wanted(a.action))
        return next(lasting, None)

    def expects(self, point: Point, when: Phase) -> bool:
        """Say whether something would strike at this moment, without striking."""
        return any(a.injection.point == point and a.injection.when == when for a in self.resolved)


def _repeats(resolved: ResolvedInjection, when: Phase) -> bool:
    """What began in the middle of a write is there before every later one."""
    first = resolved.injection.when
    return when == ("before" if first == "middle" else first)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many calls (requests), polls (sleeps) and effects a process may make before it counts as endless."""

    calls: int
    polls: int
    effects: int
