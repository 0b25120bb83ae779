"""Interleavings: two effects that were seen in one order are tried in the other one too.

Two effects are in flight together where each could have come first. The one that came first is held at its point until
the other one has passed; where more than one other was in flight with it, until all of these have, too. So each two of
them are seen in both orders. Kin: partial-order reduction in model checkers, cut down to pairs.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..values.media import medium_of
from ..values.points import ActorId, InFlight, Phase, Point
from ..values.rare import rare
from ..values.schedule import SWAP, Injection
from .process_runs import CrashState, ProcessRun

MAX_INTERLEAVINGS = 60
MAX_INTERLEAVINGS_IN_RECOVERY = 40
"""In all recoveries together: where recovery repeats effects side by side, worlds double with each crash and order."""


@dataclass(slots=True)
class InterleavingBudget:
    """Counts the interleavings of all processes, against their limits.

    Attributes:
        tried: how many were carried out; `in_recovery`: so many of them in recoveries.
        skipped: how many were not, by the name of the rule.
        fixed: of whose effects one order was tried only.
    """

    tried: int = 0
    in_recovery: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    fixed: set[str] = field(default_factory=set)

    def plan(self, process: ProcessRun) -> tuple[Injection, ...]:
        """Return the interleavings of a traced process that are to be tried, and count those beyond the limit."""
        planned, fixed = other_interleavings(process)
        self.fixed |= fixed
        most = MAX_INTERLEAVINGS if process.role == "run" else max(0, MAX_INTERLEAVINGS_IN_RECOVERY - self.in_recovery)
        if planned[most:]:
            rare("more orders are possible than are tried")
            self.skipped["max_orders"] += len(planned[most:])
        return planned[:most]

    def came(self, processes: Sequence[ProcessRun], *, in_recovery: bool = False) -> bool:
        """Return whether the interleaving took place in one of these processes, and count it.

        It is impossible if the other actor did not come.
        """
        fired = any(process.fired for process in processes)
        self.in_recovery += in_recovery
        self.tried += fired
        if not fired:
            rare("an order is held in vain")
            self.skipped["held_in_vain"] += 1
        return fired


def other_interleavings(process: ProcessRun) -> tuple[tuple[Injection, ...], set[str]]:
    """Return the other interleavings of a traced process, and the kinds of actors with one order only."""
    found: dict[Injection, None] = {}
    fixed = set()
    for index, in_flight in enumerate(process.in_flight):
        if not medium_of(process.points[index].kind).touches_outside:
            continue  # a sleep is no effect
        count = _in_flight(process.points, process.in_flight, index)
        place = _preemptible(process.points, process.in_flight, index) if count else None
        if place is not None:
            # After one other, and after all: so each two of them are seen in both orders.
            found |= dict.fromkeys(_injection(*place, others) for others in sorted({1, count}))
        elif count:
            fixed.add("tasks" if in_flight.who[1] else "threads")
    return tuple(found), fixed


def pair(process: ProcessRun, usual: ProcessRun, injection: Injection) -> list[Point]:
    """Return the points of a process that changed places: the one that went first here, and the one that was held."""
    index, held = usual.points.index(injection.point), injection.point
    later = (p for p in process.points[index + 1 :] if replace(p, n=held.n) == held)
    return [*process.points[index : index + 1], *list(later)[:1]]


def from_there_on(process: ProcessRun, usual: ProcessRun, injection: Injection) -> Sequence[CrashState]:
    """Return the crash states from the point on at which the interleaving differs: those before are the usual ones."""
    before = [(s.point, s.when) for s in usual.crash_states]
    place = (injection.point, injection.when)
    return process.crash_states[before.index(place) if place in before else 0 :]


def _injection(point: Point, when: Phase, others: int) -> Injection:
    return Injection(SWAP, point, when, 0 if others == 1 else others)


def _in_flight(points: Sequence[Point], in_flights: Sequence[InFlight], index: int) -> int:
    """Return the number of other actors with an effect that could have come before this one."""
    in_flight = in_flights[index]
    if not in_flight.others:
        return 0
    others: set[ActorId] = set()
    for point, later in zip(points[index + 1 :], in_flights[index + 1 :], strict=True):
        touches = later.who != in_flight.who and medium_of(point.kind).touches_outside
        other = in_flight.beside(later.who) if touches else None
        if other is not None:
            others.add(other)
    return len(others)


def _preemptible(points: Sequence[Point], in_flights: Sequence[InFlight], index: int) -> tuple[Point, Phase] | None:
    """Return the point and phase before this effect at which its actor can be preempted.

    Here, or after its task's last await; None for nowhere.
    """
    # Between two awaits a task cannot be made to wait without its loop: it waits where it last could.
    back, who = index, in_flights[index].who
    while back > 0 and not in_flights[back].preemptible and in_flights[back - 1].who == who:
        back -= 1
    if not in_flights[back].preemptible:
        return None
    return points[back], "before" if back == index else "after"
