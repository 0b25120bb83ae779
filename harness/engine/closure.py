"""Crash closure: judge any number of crashes by recovering once from each distinct world.

A crash throws process memory away, so what recovery does depends on the outside alone. One traced run shows every world
that a crash can leave; one traced recovery from each distinct one shows the worlds that a crash during recovery can
leave; the fixpoint covers every schedule of crashes. Kin: EXPLODE (crashes during recovery, states hashed), ALICE,
CrashMonkey.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..values.schedule import Injection, Schedule
from .judge import Judge, Judgement
from .lens import Lens
from .lives import Lived, Sighting, Snapshot
from .orders import Tally
from .plan import crash, order
from .setting import Setting


@dataclass(frozen=True, slots=True)
class Ordered:
    """A recovery whose effects came in another order, and what came of it."""

    injection: Injection
    lives: tuple[Lived, ...]
    judgement: Judgement


@dataclass(slots=True)
class Node:
    """A distinct world that a recovery starts from, and what came of it; `schedule` is a smallest that leads here."""

    world: Snapshot
    schedule: Schedule
    lives: tuple[Lived, ...] = ()
    judgement: Judgement | None = None
    orders: tuple[Ordered, ...] = ()

    @property
    def sightings(self) -> list[Sighting]:
        """What was seen in its recovery, in every process of it."""
        return [sighting for life in self.lives for sighting in life.sightings]

    @property
    def seen(self) -> list[tuple[tuple[Injection, ...], Sighting]]:
        """What was seen in its recovery in every order, and the order."""
        usual: list[tuple[tuple[Injection, ...], Sighting]] = [((), sighting) for sighting in self.sightings]
        others = [((o.injection,), sighting) for o in self.orders for life in o.lives for sighting in life.sightings]
        return usual + others


class Closure:
    """The distinct worlds and their recoveries; grows until nothing new appears.

    `left_out` counts, by the name of the rule, the worlds that were not recovered from.
    """

    def __init__(self, setting: Setting, judge: Judge, lens: Lens) -> None:
        self._setting, self._judge, self._lens = setting, judge, lens
        self._work: deque[str] = deque()
        self.nodes: dict[str, Node] = {}
        self.cut_at_crashes = 0
        self.left_out: Counter[str] = Counter()
        self.abandoned = 0
        self.tally = Tally()
        self.concurrent = False

    @property
    def closed(self) -> bool:
        """Whether every world that appeared was recovered from."""
        return not self.cut_at_crashes and not self.left_out and not self.abandoned

    def add(self, world: Snapshot, schedule: Schedule) -> str:
        """Add a world that a process ended in, however it ended; returns its identity."""
        key = self._lens.identity(world)
        known = self.nodes.get(key)
        if known is None:
            self.nodes[key] = Node(world, schedule)
            self._work.append(key)
        elif len(schedule.injections) < len(known.schedule.injections):
            known.schedule = schedule
        return key

    def abandon(self) -> int:
        """Leave out all worlds that are still waiting; returns how many."""
        left = len(self._work)
        self._work.clear()
        self.abandoned += left
        return left

    def run(self, *, follow: bool = True) -> Iterator[Node]:
        """Recover from every world that is waiting, breadth first, and yield each node once it is judged.

        With `follow` the worlds that a crash during these recoveries leaves join in.
        """
        while self._work:
            node = self.nodes[self._work.popleft()]
            crashes = self._setting.kill is not None
            trace = crashes or self.concurrent or self._setting.depth > 1
            node.lives = tuple(self._judge.recover(node.world, trace=trace))
            node.judgement = self._judge.judge(node.lives)
            node.orders = tuple(self._other_orders(node)) if follow else ()
            yield node
            if crashes and follow:
                self._follow(node)

    def _other_orders(self, node: Node) -> Iterator[Ordered]:
        """Recover once more for each other order of effects that this recovery had in flight together."""
        for injection in [i for life in node.lives for i in self.tally.plan(life)]:
            injection = replace(injection, recovering=True)
            lives = tuple(self._judge.recover(node.world, trace=True, plan=(order(injection),)))
            if self.tally.came(lives, in_recovery=True):
                yield Ordered(injection, lives, self._judge.judge(lives))

    def _follow(self, node: Node) -> None:
        """Add the worlds that a crash during this recovery leaves."""
        for between, sighting in node.seen:
            if self._lens.identity(sighting.world) in self.nodes:
                continue
            if node.schedule.faults >= self._setting.max_crashes:
                self.cut_at_crashes = self._setting.max_crashes
            elif len(self.nodes) >= self._setting.max_worlds:
                self.left_out["max_worlds"] += 1
            elif self._piles_up(node):
                self.left_out["after_a_failure"] += 1
            else:
                last = (*between, crash(sighting, recovering=True))
                self.add(sighting.world, Schedule((*node.schedule.injections, *last)))

    def _piles_up(self, node: Node) -> bool:
        """Say whether a failure is only made worse: with each crash more is left of what is left behind already."""
        failed = node.judgement is not None and bool(node.judgement.broken)
        return failed and node.schedule.faults > 1 and len(self.nodes) >= self._setting.many_worlds
