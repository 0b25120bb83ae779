"""The order of faults: first those that happen most often in production, and one of each family before many of one.

A budget spends its first seconds on what is likeliest, and what it leaves out is told by family.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from ..values.families import CRASHES, family_of, likelihood
from ..values.points import Point


class Single(Protocol):
    """A schedule of one fault, or those of one crash state."""

    @property
    def fault(self) -> str:
        """The name of the fault."""
        ...

    @property
    def count(self) -> int:
        """Return how many schedules it stands for."""
        ...


_S = TypeVar("_S", bound=Single)


def breadth_first(singles: Iterable[_S]) -> list[_S]:
    """Return the first of each family, then at each place the commonest, then the crashes, then all others.

    A family's own are in the order of how often they happen; equal ones keep their order.
    """
    # One of each family first: also a short budget has met each kind of trouble.
    ordered = sorted(singles, key=lambda single: likelihood(single.fault))
    tasted: dict[str, _S] = {}
    for single in ordered:
        tasted.setdefault(family_of(single.fault), single)
    first = {id(single) for single in tasted.values()}
    commonest = [s for s in ordered if id(s) not in first and likelihood(s.fault) == (0, 0)]
    crashes = [s for s in ordered if id(s) not in first and s.fault == "process.kill"]
    done = first | {id(single) for single in (*commonest, *crashes)}
    return [*tasted.values(), *commonest, *crashes, *(s for s in ordered if id(s) not in done)]


@dataclass(slots=True)
class Tried:
    """Counts by family: the schedules of one fault, and those of them that were judged.

    Attributes:
        places: the points of the fault-free run at which each fault can fire, whatever part of all is tried here.
    """

    planned: Counter[str] = field(default_factory=Counter)
    judged: Counter[str] = field(default_factory=Counter)
    places: dict[str, dict[Point, None]] = field(default_factory=dict)

    def find_places(self, firing: Iterable[tuple[str, Point]]) -> None:
        """Note the points where faults can fire, tried in this shard or not."""
        for fault, point in firing:
            self.places.setdefault(fault, {})[point] = None

    def plan(self, singles: Sequence[Single], unseen: int = 0) -> None:
        """Count the schedules of each family, and the crashes whose state no process has seen."""
        if unseen:
            self.planned[CRASHES] += unseen
        for single in singles:
            self.planned[family_of(single.fault)] += single.count

    def judge(self, single: Single) -> None:
        """Count a schedule as tried, whatever its verdict."""
        self.judged[family_of(single.fault)] += single.count

    def left_out(self) -> dict[str, tuple[int, int]]:
        """Return for each family that was not tried whole how many were tried, of how many."""
        return {name: (self.judged[name], count) for name, count in self.planned.items() if self.judged[name] < count}
