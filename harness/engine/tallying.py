"""Count what was judged: each schedule once, and each crash in a recovery once, whatever led to its crash state."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..values.schedule import Injection, Schedule
from .crash_state_space import CrashStateSpace
from .findings import Findings
from .judge import Judgement
from .nodes import Node
from .plan import crash
from .state_view import StateView


@dataclass(slots=True)
class Tallying:
    """Counts judged schedules once each, and hands them to the findings.

    Attributes:
        not_reached: schedules whose fault never fired.
    """

    view: StateView
    findings: Findings
    not_reached: list[str]
    _led: dict[int, tuple[Node, list[Schedule]]] = field(default_factory=dict)
    _reached: dict[str, dict[Injection, tuple[Schedule, int]]] = field(default_factory=dict)

    def count(
        self,
        schedule: Schedule,
        judgement: Judgement | None,
        node: Node | None = None,
        again: Judgement | None = None,
        *,
        merged: bool = False,
    ) -> None:
        """Count a schedule that was judged, and remember the crash state that it was recovered from.

        `again` is its other end, where its process is called again that an error left; `merged` says that it was not
        carried out itself.
        """
        if judgement is not None:
            self.findings.add(schedule, judgement, again=again, merged=merged)
            if node is not None:
                self._led.setdefault(id(node), (node, []))[1].append(schedule)

    def found(self, node: Node) -> None:
        """Note a broken promise after the recovery from a crash state, as soon as it is known."""
        if node.judgement is not None and node.judgement.broken:
            # Not counted: `count_recoveries` counts it with all others, in the end.
            self.findings.note(node.schedule, node.judgement)

    def reached(self, key: str, schedule: Schedule) -> None:
        """Remember that a crash after an error, or in another interleaving, leaves the crash state of this key."""
        firsts = self._reached.setdefault(key, {})
        known, count = firsts.get(schedule.injections[0], (schedule, 0))
        firsts[schedule.injections[0]] = known, count + 1

    def count_recoveries(self, space: CrashStateSpace) -> None:
        """Count each crash in a recovery, after an error or in another interleaving that was judged.

        To be called once, after the last stage: a second call would count them again.
        """
        for key, firsts in self._reached.items():
            node = space.nodes[key]
            if node.judgement is not None:
                for schedule, count in firsts.values():
                    self.findings.add(schedule, node.judgement, count, merged=count - node.was_carried_out(schedule))
        for node in space.nodes.values():
            for last, inner, judgement in self._crashes_in(node, space):
                schedule = Schedule((*node.schedule.injections, *last))
                self.findings.add(schedule, judgement, merged=not inner.was_carried_out(schedule))
        for node, schedules in self._led.values():
            self._tabulate_recovery(node, schedules, space)

    def _crashes_in(
        self, node: Node, space: CrashStateSpace
    ) -> Iterator[tuple[tuple[Injection, ...], Node, Judgement]]:
        """Yield each judged crash in the recovery from a crash state, what it leaves, and what came of that."""
        for between, crash_state in node.seen if node.turn.followed else ():
            inner = space.nodes.get(self.view.fingerprint(crash_state.raw_state))
            if inner is not None and inner.judgement is not None:
                yield (*between, crash(crash_state, recovering=True)), inner, inner.judgement

    def _tabulate_recovery(self, node: Node, schedules: Sequence[Schedule], space: CrashStateSpace) -> None:
        """Count crashes in the recovery from a crash state in the rows of the faults that led to it."""
        ends: dict[object, tuple[tuple[Injection, ...], Judgement, int]] = {}
        for last, _, judgement in self._crashes_in(node, space):
            end = (judgement.invariants, bool(judgement.errors))
            first, example, count = ends.get(end, (last, judgement, 0))
            ends[end] = first, example, count + 1
        for schedule in schedules:
            if schedule != node.schedule:
                for last, judgement, count in ends.values():
                    self.findings.tabulate(Schedule((*schedule.injections, *last)), judgement, count, count)
