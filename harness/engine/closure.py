"""Crash closure: judge any number of crashes by recovering once from each distinct world.

A crash throws process memory away, so what recovery does depends on the outside alone. One traced run shows every world
that a crash can leave; one traced recovery from each distinct one shows the worlds that a crash during recovery can
leave; the fixpoint covers every schedule of crashes. Kin: EXPLODE (crashes during recovery, states hashed), ALICE,
CrashMonkey.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass

from ..values.schedule import Schedule
from .judge import Judge, Judgement
from .lens import Lens
from .lives import Lived, Sighting, Snapshot
from .plan import crash
from .setting import Setting


@dataclass(slots=True)
class Node:
    """A distinct world that a recovery starts from, and what came of it; `schedule` is a smallest that leads here."""

    world: Snapshot
    schedule: Schedule
    lives: tuple[Lived, ...] = ()
    judgement: Judgement | None = None

    @property
    def sightings(self) -> list[Sighting]:
        """What was seen in its recovery, in every process of it."""
        return [sighting for life in self.lives for sighting in life.sightings]


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
            node.lives = tuple(self._judge.recover(node.world, trace=crashes or self._setting.depth > 1))
            node.judgement = self._judge.judge(node.lives)
            yield node
            if crashes and follow:
                self._follow(node)

    def _follow(self, node: Node) -> None:
        """Add the worlds that a crash during this recovery leaves."""
        for sighting in node.sightings:
            if self._lens.identity(sighting.world) in self.nodes:
                continue
            if len(node.schedule.injections) >= self._setting.max_crashes:
                self.cut_at_crashes = self._setting.max_crashes
            elif len(self.nodes) >= self._setting.max_worlds:
                self.left_out["max_worlds"] += 1
            elif self._piles_up(node):
                self.left_out["after_a_failure"] += 1
            else:
                self.add(sighting.world, node.schedule.then(crash(sighting, recovering=True)))

    def _piles_up(self, node: Node) -> bool:
        """Say whether a failure is only made worse: with each crash more is left of what is left behind already."""
        failed = node.judgement is not None and bool(node.judgement.broken)
        return failed and len(node.schedule.injections) > 1 and len(self.nodes) >= self._setting.many_worlds
