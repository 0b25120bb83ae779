"""Orders of effects in flight together: what was seen in one order is tried in the other one too.

Two effects are in flight together where each could have come first. The one that came first is held at its point until
the other one has passed; where more than one other was in flight with it, until all of these have, too. So each two of
them are seen in both orders. Kin: partial-order reduction in model checkers, cut down to pairs.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..values.media import medium_of
from ..values.points import Flight, Point, When, Who
from ..values.rare import rare
from ..values.schedule import SWAP, Injection
from .lives import Lived, Sighting

MAX_ORDERS = 60
MAX_ORDERS_IN_RECOVERY = 40
"""In all recoveries together: where recovery repeats effects side by side, worlds double with each crash and order."""


@dataclass(slots=True)
class Tally:
    """What became of the other orders of all processes.

    Attributes:
        tried: how many were carried out; `in_recovery`: so many of them in recoveries.
        skipped: how many were not, by the name of the rule.
        fixed: of whose effects one order was tried only.
    """

    tried: int = 0
    in_recovery: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    fixed: set[str] = field(default_factory=set)

    def plan(self, life: Lived) -> tuple[Injection, ...]:
        """Return the other orders of a traced process that are to be tried, and note what they leave out."""
        planned, fixed = other_orders(life)
        self.fixed |= fixed
        most = MAX_ORDERS if life.role == "run" else max(0, MAX_ORDERS_IN_RECOVERY - self.in_recovery)
        if planned[most:]:
            rare("more orders are possible than are tried")
            self.skipped["max_orders"] += len(planned[most:])
        return planned[:most]

    def came(self, lives: Sequence[Lived], *, in_recovery: bool = False) -> bool:
        """Say whether one of these processes kept to its order; where the others did not come, there is one only."""
        struck = any(life.struck for life in lives)
        self.in_recovery += in_recovery
        self.tried += struck
        if not struck:
            rare("an order is held in vain")
            self.skipped["held_in_vain"] += 1
        return struck


def other_orders(life: Lived) -> tuple[tuple[Injection, ...], set[str]]:
    """Return the other orders of the effects of a traced process, and whose effects cannot be put in another one."""
    found: dict[Injection, None] = {}
    fixed = set()
    for index, flight in enumerate(life.flights):
        if not medium_of(life.points[index].kind).touches_outside:
            continue  # a sleep is no effect
        count = _in_flight(life.points, life.flights, index)
        place = _holdable(life.points, life.flights, index) if count else None
        if place is not None:
            found |= dict.fromkeys(_injection(*place, others) for others in sorted({1, count}))
        elif count:
            fixed.add("tasks" if flight.who[1] else "threads")
    return tuple(found), fixed


def pair(life: Lived, usual: Lived, injection: Injection) -> list[Point]:
    """Return the points of a process that changed places: the one that went first here, and the one that was held."""
    index, held = usual.points.index(injection.point), injection.point
    later = (p for p in life.points[index + 1 :] if replace(p, n=held.n) == held)
    return [*life.points[index : index + 1], *list(later)[:1]]


def from_there_on(life: Lived, usual: Lived, injection: Injection) -> Sequence[Sighting]:
    """Return what was seen of a process from where its order is another one; a crash before that is a usual one."""
    before = [(s.point, s.when) for s in usual.sightings]
    place = (injection.point, injection.when)
    return life.sightings[before.index(place) if place in before else 0 :]


def _injection(point: Point, when: When, others: int) -> Injection:
    return Injection(SWAP, point, when, 0 if others == 1 else others)


def _in_flight(points: Sequence[Point], flights: Sequence[Flight], index: int) -> int:
    """Return how many others had an effect that could have come before this one."""
    flight = flights[index]
    if not flight.others:
        return 0
    others: set[Who] = set()
    for point, later in zip(points[index + 1 :], flights[index + 1 :], strict=True):
        touches = later.who != flight.who and medium_of(point.kind).touches_outside
        other = flight.beside(later.who) if touches else None
        if other is not None:
            others.add(other)
    return len(others)


def _holdable(points: Sequence[Point], flights: Sequence[Flight], index: int) -> tuple[Point, When] | None:
    """Return where an effect can be held: at itself, or where its task awaited last and nobody came since."""
    back, who = index, flights[index].who
    while back > 0 and not flights[back].held and flights[back - 1].who == who:
        back -= 1
    if not flights[back].held:
        return None
    return points[back], "before" if back == index else "after"
