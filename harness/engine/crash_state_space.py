"""Crash closure: judge any number of crashes by recovering once from each distinct crash state.

A crash throws process memory away, so what recovery does depends on the outside alone. One traced run shows every state
that a crash can leave; one traced recovery from each distinct one shows the states that a crash during recovery can
leave; the fixpoint covers every schedule of crashes. Kin: EXPLODE (crashes during recovery, states hashed), ALICE,
CrashMonkey.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..values.events import CrashStateFound
from ..values.rare import rare
from ..values.reads import together
from ..values.schedule import Schedule
from .budget import OutOfTime
from .interleavings import InterleavingBudget
from .merging import Merging
from .nodes import Interleaving, Node, Origin, Stage, Turn
from .plan import crash, reorder
from .process_runs import ProcessRun, RawState
from .rules import Rules
from .trials import Trials


class CrashStateSpace:
    """The distinct crash states and their recoveries; grows until no new state appears (a fixpoint).

    Attributes:
        nodes: the crash states, by fingerprint.
        rules: decide which of them are not recovered from.
        merging: finds those that no process can tell apart.
    """

    def __init__(self, trials: Trials) -> None:
        self._trials, self._config = trials, trials.config
        self._unfollowed = deque[Node]()
        self._work: list[tuple[Stage, int, str]] = []
        self._added = 0
        self.nodes: dict[str, Node] = {}
        self.rules, self.merging = Rules(trials, self.nodes), Merging(trials, self.nodes)
        self.abandoned = 0
        self.interleaving_budget = InterleavingBudget()

    @property
    def closed(self) -> bool:
        """Return whether every crash state that appeared was recovered from."""
        return not self.rules.cut_at_crashes and not self.rules.left_out and not self.abandoned

    @property
    def waiting(self) -> int:
        """Return how many crash states wait to be recovered from."""
        return sum(self._waits(stage, key) for stage, _, key in self._work) + len(self._unfollowed)

    def add(
        self,
        world: RawState,
        schedule: Schedule,
        stage: Stage = Stage.SINGLE,
        *,
        follow: bool = True,
        parent: Node | None = None,
        left_by: ProcessRun | None = None,
    ) -> str:
        """Add the state that a process ended in; returns its fingerprint."""
        key = self._trials.view.fingerprint(world)
        node = self.nodes.get(key)
        if node is None:
            self.nodes[key] = Node(key, world, schedule, Turn(stage, follow), Origin(parent, left_by))
            self._trials.events.tell(CrashStateFound(len(self.nodes), schedule))
            self._push(stage, key)
            return key
        # The shorter schedule is shown, and rules that count crashes go by it.
        if len(schedule.injections) < len(node.schedule.injections):
            node.is_left_by(schedule)
        if follow:
            self._follow_too(node)
        # The older entry stays in the heap: `_waits` sees that its stage is no longer the node's.
        if stage < node.turn.stage and node.judgement is None:
            node.turn.comes_at(stage)
            self._push(stage, key)
        return key

    def _follow_too(self, node: Node) -> None:
        """Try crashes in the recovery from a node from now on."""
        if not node.turn.follow:
            node.turn.is_followed()
            if node.judgement is not None:
                self._unfollowed.append(node)
        # A joined node has no recovery of its own: the crash states are those of its twin.
        if node.joined is not None:
            self._follow_too(node.joined)

    def _push(self, stage: Stage, key: str) -> None:
        self._added += 1
        heapq.heappush(self._work, (stage, self._added, key))

    def _waits(self, stage: Stage, key: str) -> bool:
        """Return whether an entry of the heap is current: its node is not judged, and waits for just this stage."""
        node = self.nodes[key]
        return node.judgement is None and node.turn.stage == stage

    def abandon(self) -> int:
        """Leave out all crash states that still wait; returns their number."""
        left = sum(self._waits(stage, key) for stage, _, key in self._work if stage > Stage.SINGLE)
        # States whose recovery is judged, but whose own crashes were not followed.
        left += len(self._unfollowed)  # a single one was counted where it was tried
        self._work.clear()
        self._unfollowed.clear()
        self.abandoned += left
        return left

    def run(self, until: Stage) -> Iterator[Node]:
        """Recover from every state that waits for this stage or an earlier one, and yield each node once it is judged.

        The states that a crash during these recoveries leaves are added, where they are followed. Raises OutOfTime
        where the budget is spent; the node waits on then.
        """
        while True:
            if self._work and self._work[0][0] <= until:
                stage, _, key = item = heapq.heappop(self._work)
                if self._waits(stage, key):
                    try:
                        self._recover(self.nodes[key])
                    except OutOfTime:
                        # It must still count as waiting, or the claim would call the exploration closed.
                        heapq.heappush(self._work, item)
                        raise
                    yield self.nodes[key]
            # Breadth first: crashes in recoveries are looked at when no recovery of this stage waits.
            elif self._unfollowed and until > Stage.SINGLE:
                # Taken off only afterwards: where the budget ends within `_follow`, the node counts as left.
                self._follow(self._unfollowed[0])
                self._unfollowed.popleft()
            else:
                return

    def settle(self, key: str) -> Node:
        """Recover from one state now, whatever its stage, if that has not been done."""
        node = self.nodes[key]
        if node.judgement is None:
            self._recover(node)
        return node

    def _recover(self, node: Node) -> None:
        twin = self.merging.twin_of(node)
        if twin is not None:
            node.join(twin)
            # Crashes during this recovery are tried later, when their stage comes.
            if node.turn.follow:
                self._follow_too(twin)
            return
        # Looking takes time: without crashes, interleavings and second faults nobody asks for the states in between.
        crashes = self._config.kill is not None
        concurrent = any(flight.others for flight in self._trials.baseline.first.in_flight)
        trace = crashes or concurrent or self._config.depth > 1
        processes = tuple(self._trials.recovery.recover(node.raw_state, trace=trace))
        node.recovered(processes, self._trials.judged(node.schedule, processes, node.origin.earlier))
        self.merging.add(node)
        if node.turn.follow:
            self._unfollowed.append(node)

    def also_read(self, node: Node, processes: Iterable[ProcessRun], then: Node | None = None) -> None:
        """Add the reads of further processes that started from a node (interleavings, second faults), and the node
        they led to.
        """
        # A joined node equals this one only in what was read so far: what is read later can take the two apart.
        node.after.reads(together([node.after.asked, *(process.footprint for process in processes)]))
        if then is not None:
            node.after.then.add(then.key)

    def take_apart(self) -> bool:
        """Separate joined nodes from their twin where a later process read something in which the two differ.

        They wait to be recovered from again; returns whether there are any.
        """
        apart = self.merging.take_apart()
        for node in apart:
            rare("crash states that were joined are taken apart")
            self._push(node.turn.stage, node.key)
        return bool(apart)

    def reorder(self, node: Node) -> Iterator[Interleaving]:
        """Recover once more for each other interleaving of this recovery; once for each node.

        The states that a crash in one of these leaves are added later.
        """
        if node.interleavings is not None or not node.turn.follow:
            return
        node.reorder()
        for injection in [i for process in node.processes for i in self.interleaving_budget.plan(process)]:
            injection = replace(injection, recovering=True)
            processes = tuple(self._trials.recovery.recover(node.raw_state, trace=True, plan=(reorder(injection),)))
            self.also_read(node, processes)
            if self.interleaving_budget.came(processes, in_recovery=True):
                schedule = node.schedule.then(injection)
                interleaving = Interleaving(injection, processes, self._trials.judged(schedule, processes))
                # Judging runs further processes from there (recover again, a retry), which read, too.
                self.also_read(node, interleaving.judgement.executions)
                node.reorder(interleaving)
                yield interleaving
        # Followed once more: `seen` has the crash states of its interleavings by now.
        if node.interleavings:
            self._unfollowed.append(node)

    def _follow(self, node: Node) -> None:
        """Add the crash states that this recovery passes through."""
        node.turn.was_looked_through()
        if self._config.kill is None:
            return
        check = self._trials.executor.allowance.deadline.check
        # Crashes in the recovery from a single crash come first: that is where most bugs show.
        stage = Stage.CRASH_IN_RECOVERY if node.turn.stage == Stage.SINGLE and not node.interleavings else Stage.REST
        for between, crash_state in node.seen:
            if not self._config.points.has(crash_state.point):
                continue
            check()  # there may be thousands of worlds to name
            key = self._trials.view.fingerprint(crash_state.raw_state)
            known = self.nodes.get(key)
            if known is not None:
                self._follow_too(known)
                continue
            if not self.rules.leave_out(key, node, crash_state.raw_state):
                last = (*between, crash(crash_state, recovering=True))
                schedule = Schedule((*node.schedule.injections, *last))
                self.add(crash_state.raw_state, schedule, max(stage, node.turn.stage), parent=node)
