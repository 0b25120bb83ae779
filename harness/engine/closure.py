"""Crash closure: judge any number of crashes by recovering once from each distinct world.

A crash throws process memory away, so what recovery does depends on the outside alone. One traced run shows every world
that a crash can leave; one traced recovery from each distinct one shows the worlds that a crash during recovery can
leave; the fixpoint covers every schedule of crashes. Kin: EXPLODE (crashes during recovery, states hashed), ALICE,
CrashMonkey.
"""

import heapq
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum

from ..values.events import CrashStateFound
from ..values.reads import NOTHING, Footprint, together
from ..values.schedule import Injection, Schedule
from .budget import OutOfTime
from .growth import grown
from .joining import Joining, with_all_after
from .judge import Judgement
from .lives import Lived, Sighting, Snapshot
from .orders import Tally
from .plan import crash, order
from .trials import Trials


class Stage(IntEnum):
    """What is tried before what: breadth first, so that a budget is spent on what is likeliest."""

    SINGLE = 1
    CRASH_IN_RECOVERY = 2
    CRASH_AFTER_AN_ERROR = 3
    ORDER = 4
    REST = 5
    SECOND_FAULT = 6

    @property
    def text(self) -> str:
        """What is being tried, for people."""
        return _STAGES[self]


_STAGES = {
    Stage.SINGLE: "single faults",
    Stage.CRASH_IN_RECOVERY: "crashes in recovery",
    Stage.CRASH_AFTER_AN_ERROR: "crashes after an error",
    Stage.ORDER: "other orders",
    Stage.REST: "further crashes",
    Stage.SECOND_FAULT: "second faults",
}


_TOO_MANY_CRASHES = "max_crashes"


@dataclass(frozen=True, slots=True)
class Ordered:
    """A recovery whose effects came in another order, and what came of it."""

    injection: Injection
    lives: tuple[Lived, ...]
    judgement: Judgement


@dataclass(slots=True)
class Node:
    """A distinct world that a recovery starts from, and what came of it.

    Attributes:
        schedule: a smallest that leads here.
        stage: the earliest in which it is recovered from.
        follow: whether a crash in its recovery is tried too.
        parent: from whose recovery it came; None for one that a run left.
        left_by: the run that left it, where that was not the fault-free one.
        followed: whether what a crash in its recovery leaves has been looked through.
        then: keys of the nodes that faults in its recovery lead to.
        joined: the node whose recovery stands for this one's: no process read anything in which the two differ.
        asked: what the processes read that came of it: its recovery, and those that judging needed.
    """

    key: str
    world: Snapshot
    schedule: Schedule
    stage: Stage = Stage.SINGLE
    follow: bool = True
    parent: "Node | None" = None
    left_by: Lived | None = None
    followed: bool = False
    then: set[str] = field(default_factory=set)
    joined: "Node | None" = None
    asked: Footprint = NOTHING
    lives: tuple[Lived, ...] = ()
    judgement: Judgement | None = None
    orders: tuple[Ordered, ...] | None = None

    @property
    def recovery(self) -> tuple[Lived, ...]:
        """The processes that recovered from it, or from the node that it joined."""
        return self.joined.lives if self.joined is not None else self.lives

    @property
    def earlier(self) -> tuple[Lived, ...]:
        """The processes that led here, but for a fault-free run that crashed."""
        before = (*self.parent.earlier, *self.parent.recovery) if self.parent is not None else ()
        return before if self.left_by is None else (*before, self.left_by)

    @property
    def sightings(self) -> list[Sighting]:
        """What was seen in its recovery, in every process of it."""
        return [sighting for life in self.lives for sighting in life.sightings]

    @property
    def seen(self) -> list[tuple[tuple[Injection, ...], Sighting]]:
        """What was seen in its recovery in every order, and the order."""
        usual: list[tuple[tuple[Injection, ...], Sighting]] = [((), sighting) for sighting in self.sightings]
        orders = self.orders or ()
        others = [((o.injection,), sighting) for o in orders for life in o.lives for sighting in life.sightings]
        return usual + others


class Closure:
    """The distinct worlds and their recoveries; grows until nothing new appears.

    Attributes:
        growing: what grows with each restart and kept the closure from ending.
    """

    def __init__(self, trials: Trials) -> None:
        self._trials, self._setting, self._lens = trials, trials.setting, trials.lens
        self._joining = Joining(trials.lens)
        self._alike: dict[str, list[Node]] = {}
        self._unfollowed = deque[Node]()
        self._work: list[tuple[Stage, int, str]] = []
        self._added = 0
        self.nodes: dict[str, Node] = {}
        self._left_out: dict[str, str] = {}
        self.growing: dict[str, None] = {}
        self.abandoned = 0
        self.tally = Tally()

    @property
    def left_out(self) -> Counter[str]:
        """How many worlds were not recovered from, by the name of the rule; the number of crashes is none."""
        left = self._left_out.items()
        return Counter(rule for key, rule in left if key not in self.nodes and rule != _TOO_MANY_CRASHES)

    @property
    def cut_at_crashes(self) -> int:
        """After how many crashes no further one was tried; 0 where there was no such end."""
        cut = any(rule == _TOO_MANY_CRASHES and key not in self.nodes for key, rule in self._left_out.items())
        return self._setting.max_crashes if cut else 0

    @property
    def closed(self) -> bool:
        """Whether every world that appeared was recovered from."""
        return not self.cut_at_crashes and not self.left_out and not self.abandoned

    @property
    def waiting(self) -> int:
        """How many worlds wait to be recovered from."""
        return sum(self._waits(stage, key) for stage, _, key in self._work) + len(self._unfollowed)

    def add(
        self,
        world: Snapshot,
        schedule: Schedule,
        stage: Stage = Stage.SINGLE,
        *,
        follow: bool = True,
        parent: Node | None = None,
        left_by: Lived | None = None,
    ) -> str:
        """Add a world that a process ended in, however it ended; returns its identity."""
        key = self._lens.identity(world)
        node = self.nodes.get(key)
        if node is None:
            self.nodes[key] = Node(key, world, schedule, stage, follow, parent, left_by)
            self._trials.events.tell(CrashStateFound(len(self.nodes), schedule))
            self._push(stage, key)
            return key
        if len(schedule.injections) < len(node.schedule.injections):
            node.schedule = schedule
        if follow:
            self._follow_too(node)
        if stage < node.stage and node.judgement is None:
            node.stage = stage
            self._push(stage, key)
        return key

    def _follow_too(self, node: Node) -> None:
        """Try crashes in the recovery from a node from now on."""
        if not node.follow:
            node.follow = True
            if node.judgement is not None:
                self._unfollowed.append(node)
        if node.joined is not None:
            self._follow_too(node.joined)

    def _push(self, stage: Stage, key: str) -> None:
        self._added += 1
        heapq.heappush(self._work, (stage, self._added, key))

    def _waits(self, stage: Stage, key: str) -> bool:
        """Say whether an item of the work stands for a node that nobody recovered from; one may be there twice."""
        node = self.nodes[key]
        return node.judgement is None and node.stage == stage

    def abandon(self) -> int:
        """Leave out all worlds that are still waiting; returns how many."""
        left = sum(self._waits(stage, key) for stage, _, key in self._work if stage > Stage.SINGLE)
        left += len(self._unfollowed)  # a single one was counted where it was tried
        self._work.clear()
        self._unfollowed.clear()
        self.abandoned += left
        return left

    def run(self, until: Stage) -> Iterator[Node]:
        """Recover from every world that waits for this stage or an earlier one, and yield each node once it is judged.

        The worlds that a crash during these recoveries leaves join in, where they are followed. Raises OutOfTime where
        the budget is spent; the node waits on then.
        """
        while True:
            if self._work and self._work[0][0] <= until:
                stage, _, key = item = heapq.heappop(self._work)
                if self._waits(stage, key):
                    try:
                        self._recover(self.nodes[key])
                    except OutOfTime:
                        heapq.heappush(self._work, item)
                        raise
                    yield self.nodes[key]
            elif self._unfollowed and until > Stage.SINGLE:
                self._follow(self._unfollowed[0])
                self._unfollowed.popleft()
            else:
                return

    def settle(self, key: str) -> Node:
        """Recover from one world now, whatever its stage, where nobody did yet."""
        node = self.nodes[key]
        if node.judgement is None:
            self._recover(node)
        return node

    def _recover(self, node: Node) -> None:
        twin = self._twin_of(node)
        if twin is not None:
            node.joined, node.judgement = twin, twin.judgement
            if node.follow:
                self._follow_too(twin)
            return
        crashes = self._setting.kill is not None
        concurrent = any(flight.others for flight in self._trials.baseline.first.flights)
        trace = crashes or concurrent or self._setting.depth > 1
        lives = tuple(self._trials.recovery.recover(node.world, trace=trace))
        node.judgement = self._trials.judged(node.schedule, lives, node.earlier)
        node.lives = lives
        node.asked = together(life.footprint for life in node.judgement.executions)
        self._alike.setdefault(self._joining.weakest(node.world), []).append(node)
        if node.follow:
            self._unfollowed.append(node)

    def _twin_of(self, node: Node) -> Node | None:
        """Return a judged node that this one equals in all that was read after it, and in all that is judged."""
        if self._trials.judge.private_is_judged:
            return None
        for other in self._alike.get(self._joining.weakest(node.world), ()):
            if other is not node and self._are_one(node, other, other.asked):
                return other
        return None

    def _are_one(self, node: Node, other: Node, footprint: Footprint) -> bool:
        fingerprint = self._joining.fingerprint
        return fingerprint(node.world, footprint) == fingerprint(other.world, footprint)

    @property
    def joined(self) -> list[Node]:
        """The nodes that joined another one."""
        return [node for node in self.nodes.values() if node.joined is not None]

    def also_read(self, node: Node, lives: Iterable[Lived], then: Node | None = None) -> None:
        """Note what further processes read that came of a node, and the node that they left: orders, second faults."""
        node.asked = together([node.asked, *(life.footprint for life in lives)])
        if then is not None:
            node.then.add(then.key)

    def after_one_fault(self) -> list[Node]:
        """Return the nodes that were recovered from and that one fault can leave, or one that joined them."""
        found = {}
        for node in self.nodes.values():
            recovered = node.joined or node
            if node.schedule.faults == 1 and recovered.lives:
                found[recovered.key] = recovered
        return list(found.values())

    def take_apart(self) -> bool:
        """Separate joined nodes from their twin where a later process read something in which the two differ.

        They wait to be recovered from again; returns whether there are any.
        """
        joined = self.joined
        if not joined:
            return False
        self._joining.forget()
        own = {key: node.asked for key, node in self.nodes.items() if node.joined is None}
        following = {key: [*self._following(self.nodes[key])] for key in own if self.nodes[key].followed}
        asked = with_all_after(own, following)
        for key, footprint in asked.items():
            self.nodes[key].asked = footprint  # who is taken apart does not join the same one again
        apart = [
            node
            for node in joined
            if node.joined is not None
            and (self._trials.judge.private_is_judged or not self._are_one(node, node.joined, asked[node.joined.key]))
        ]
        for node in apart:
            node.joined = node.judgement = node.orders = None
            self._push(node.stage, node.key)
        return bool(apart)

    def _following(self, node: Node) -> Iterator[str]:
        """Yield the keys of the nodes that a crash or a fault in this recovery leads to."""
        yield from ((self.nodes[key].joined or self.nodes[key]).key for key in node.then)
        for _, sighting in node.seen:
            after = self.nodes.get(self._lens.identity(sighting.world))
            if after is not None:
                yield (after.joined or after).key

    def reorder(self, node: Node) -> Iterator[Ordered]:
        """Recover once more for each other order of effects that this recovery had in flight together, once.

        The worlds that a crash in one of these leaves join in.
        """
        if node.orders is not None or not node.follow:
            return
        node.orders = ()
        for injection in [i for life in node.lives for i in self.tally.plan(life)]:
            injection = replace(injection, recovering=True)
            lives = tuple(self._trials.recovery.recover(node.world, trace=True, plan=(order(injection),)))
            self.also_read(node, lives)
            if self.tally.came(lives, in_recovery=True):
                schedule = node.schedule.then(injection)
                ordered = Ordered(injection, lives, self._trials.judged(schedule, lives))
                self.also_read(node, ordered.judgement.executions)
                node.orders += (ordered,)
                yield ordered
        if node.orders:
            self._unfollowed.append(node)

    def _follow(self, node: Node) -> None:
        """Add the worlds that a crash during this recovery leaves."""
        node.followed = True
        if self._setting.kill is None:
            return
        check = self._trials.executor.deadline.check
        stage = Stage.CRASH_IN_RECOVERY if node.stage == Stage.SINGLE and not node.orders else Stage.REST
        for between, sighting in node.seen:
            check()  # there may be thousands of worlds to name
            key = self._lens.identity(sighting.world)
            known = self.nodes.get(key)
            if known is not None:
                self._follow_too(known)
                continue
            if rule := self._rule_against(node, sighting.world):
                self._left_out[key] = rule
            else:
                last = (*between, crash(sighting, recovering=True))
                schedule = Schedule((*node.schedule.injections, *last))
                self.add(sighting.world, schedule, max(stage, node.stage), parent=node)

    def _rule_against(self, node: Node, world: Snapshot) -> str:
        """Return the rule by which a world is not recovered from that a crash in this recovery leaves; "" for none."""
        if node.schedule.faults >= self._setting.max_crashes:
            return _TOO_MANY_CRASHES
        if len(self.nodes) >= self._setting.max_worlds:
            return "max_worlds"
        many = len(self.nodes) >= self._setting.many_worlds
        if many and node.schedule.faults > 1 and node.judgement is not None and node.judgement.broken:
            return "after_a_failure"  # it is only made worse: with each crash more is left of what is left already
        if many and node.parent is not None and node.parent.parent is not None:
            worlds = [self._lens.world(one) for one in (node.parent.parent.world, node.parent.world, node.world, world)]
            things = grown(worlds)
            self.growing.update(dict.fromkeys(things))
            return "grows" if things else ""
        return ""
