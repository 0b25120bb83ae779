"""The plan of one process: its resolved injections, and its limits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..values.actions import Action, Preempt
from ..values.faults import matches
from ..values.media import medium_of
from ..values.points import Phase, Point
from ..values.schedule import Injection


@dataclass(frozen=True, slots=True)
class ResolvedInjection:
    """An injection with the action that it carries out, ready to fire.

    `at` has the globs of ``kind.verb`` where its fault can fire; `survives_restart` says that the next process meets it
    too, and `already_active` that it fired in an earlier one and lasts.
    """

    position: int
    injection: Injection
    action: Action
    at: tuple[str, ...]
    survives_restart: bool = False
    already_active: bool = False

    @property
    def others(self) -> int:
        """Return how many other actors a preempted one waits for; 0 for any other action."""
        return self.action.others if isinstance(self.action, Preempt) else 0

    def reaches(self, point: Point) -> bool:
        """Return whether a lasting fault also fires at this later point: the same host, program, or kind of medium."""
        origin = self.injection.point
        if not matches(self.at, point):
            return False
        match medium_of(origin.kind).lasts_for:
            case "host":
                # A host that is down, or a revoked key, concerns every request to that host.
                return point.target.partition("/")[0] == origin.target.partition("/")[0]
            case "target":
                return point.kind == origin.kind and point.target == origin.target
        return point.kind == origin.kind


class Plan:
    """The injections of one process. Each fires once; a lasting one fires again at later points that it reaches."""

    def __init__(self, resolved: Sequence[ResolvedInjection]) -> None:
        self.resolved = resolved
        self._lasting = [one for one in resolved if one.already_active]
        # What fired in an earlier process goes on here, and does not begin at its own point once more.
        self.spent = {one.position for one in self._lasting}

    def due(
        self, point: Point, when: Phase, wanted: Callable[[Action], bool], fired: Callable[[int], object]
    ) -> ResolvedInjection | None:
        """Return the injection that fires in this phase.

        `fired` gets the position of one that fires for the first time.
        """
        resolved = self.first(point, when, wanted)
        if resolved is None:
            return self.again(point, when, wanted)
        fired(resolved.position)
        return resolved

    def first(self, point: Point, when: Phase, wanted: Callable[[Action], bool]) -> ResolvedInjection | None:
        """Return the injection that fires here for the first time, and mark it as spent."""
        for resolved in self.resolved:
            injection = resolved.injection
            here = injection.point == point and injection.when == when and resolved.position not in self.spent
            # Several ask in one phase, each for what it can carry out; what nobody wants is not spent, and not due.
            if here and wanted(resolved.action):
                self.spent.add(resolved.position)
                if injection.lasting:
                    self._lasting.append(resolved)
                return resolved
        return None

    def again(self, point: Point, when: Phase, wanted: Callable[[Action], bool]) -> ResolvedInjection | None:
        """Return a lasting injection that has fired before and reaches this point, too."""
        lasting = (a for a in self._lasting if _repeats(a, when) and a.reaches(point) and wanted(a.action))
        return next(lasting, None)

    def expects(self, point: Point, when: Phase) -> bool:
        """Return whether an injection is planned for this phase, without firing it."""
        return any(a.injection.point == point and a.injection.when == when for a in self.resolved)


def _repeats(resolved: ResolvedInjection, when: Phase) -> bool:
    """Return whether a lasting fault fires in this phase.

    One that first fired in the middle fires before every later write.
    """
    first = resolved.injection.when
    return when == ("before" if first == "middle" else first)


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers of calls (requests), polls (sleeps) and effects beyond which a process counts as endless."""

    calls: int
    polls: int
    effects: int
