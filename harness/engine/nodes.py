"""Crash states, and what came of recovering from each; when they are tried."""

from dataclasses import dataclass, field
from enum import IntEnum

from ..values.reads import NOTHING, Footprint, together
from ..values.schedule import Injection, Schedule
from .judge import Judgement
from .process_runs import CrashState, ProcessRun, RawState


class Stage(IntEnum):
    """The stages of an exploration, in order: breadth first, so that a budget is spent on the likeliest schedules."""

    SINGLE = 1
    CRASH_IN_RECOVERY = 2
    CRASH_AFTER_AN_ERROR = 3
    INTERLEAVING = 4
    REST = 5
    SECOND_FAULT = 6

    @property
    def text(self) -> str:
        """The name of the stage, for people."""
        return _STAGES[self]


_STAGES = {
    Stage.SINGLE: "single faults",
    Stage.CRASH_IN_RECOVERY: "crashes in recovery",
    Stage.CRASH_AFTER_AN_ERROR: "crashes after an error",
    Stage.INTERLEAVING: "other orders",
    Stage.REST: "further crashes",
    Stage.SECOND_FAULT: "second faults",
}


@dataclass(frozen=True, slots=True)
class Interleaving:
    """A recovery in another interleaving, and its judgement."""

    injection: Injection
    processes: tuple[ProcessRun, ...]
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a crash state.

    Attributes:
        parent: the node in whose recovery it came; None for a state that a run left.
        left_by: the run that left it, where that was not the fault-free one.
    """

    parent: "Node | None" = None
    left_by: ProcessRun | None = None

    @property
    def earlier(self) -> tuple[ProcessRun, ...]:
        """The processes that led here, but for a fault-free run that crashed."""
        before = (*self.parent.origin.earlier, *self.parent.recovery) if self.parent is not None else ()
        # `blame` knows the fault-free run anyway, up to where it crashed.
        return before if self.left_by is None else (*before, self.left_by)


@dataclass(slots=True)
class Turn:
    """The turn of a crash state: in which stage it is recovered from, and whether crashes there are tried.

    Attributes:
        stage: the earliest in which it is recovered from.
        follow: whether a crash in its recovery is tried too.
        followed: whether what a crash in its recovery leaves has been looked through.
    """

    stage: Stage = Stage.SINGLE
    follow: bool = True
    followed: bool = False

    def comes_at(self, stage: Stage) -> None:
        """Move the recovery to an earlier stage."""
        self.stage = stage

    def is_followed(self) -> None:
        """Mark it to be crashed in its recovery, too."""
        self.follow = True

    def was_looked_through(self) -> None:
        """Record that the states which a crash in its recovery leaves were added."""
        self.followed = True


@dataclass(slots=True)
class After:
    """The consequences of a crash state.

    Attributes:
        asked: the reads of its recovery, and of the processes that judging it needed.
        then: keys of the nodes that faults in its recovery lead to.
    """

    asked: Footprint = NOTHING
    then: set[str] = field(default_factory=set)

    def reads(self, asked: Footprint) -> None:
        """Keep the reads of all processes that started from this state or from its recovery."""
        self.asked = asked


@dataclass(slots=True)
class Node:
    """A distinct crash state, the recovery from it, and its judgement.

    Attributes:
        schedule: a smallest that leads here.
        joined: the node whose recovery stands for this one's: no process read anything in which the two differ.
    """

    key: str
    raw_state: RawState
    schedule: Schedule
    turn: Turn = field(default_factory=Turn)
    origin: Origin = Origin()
    after: After = field(default_factory=After)
    joined: "Node | None" = None
    processes: tuple[ProcessRun, ...] = ()
    judgement: Judgement | None = None
    interleavings: tuple[Interleaving, ...] | None = None

    @property
    def recovery(self) -> tuple[ProcessRun, ...]:
        """The processes that recovered from it, or from the node that it joined."""
        return self.joined.processes if self.joined is not None else self.processes

    def was_carried_out(self, schedule: Schedule) -> bool:
        """Return whether this very schedule led to its recovery, and no other one stands for it."""
        return self.joined is None and schedule == self.schedule

    @property
    def crash_states(self) -> list[CrashState]:
        """The crash states of its recovery, of every process of it."""
        return [crash_state for process in self.processes for crash_state in process.crash_states]

    @property
    def seen(self) -> list[tuple[tuple[Injection, ...], CrashState]]:
        """The crash states of its recovery in every interleaving, each with the interleaving."""
        usual: list[tuple[tuple[Injection, ...], CrashState]] = [((), crash_state) for crash_state in self.crash_states]
        interleavings = self.interleavings or ()
        others = [
            ((o.injection,), crash_state)
            for o in interleavings
            for process in o.processes
            for crash_state in process.crash_states
        ]
        return usual + others

    def is_left_by(self, schedule: Schedule) -> None:
        """Record a smaller schedule that leads here."""
        self.schedule = schedule

    def recovered(self, processes: tuple[ProcessRun, ...], judgement: Judgement) -> None:
        """Keep the recovery from this state, and its judgement."""
        self.processes, self.judgement = processes, judgement
        self.after.reads(together(process.footprint for process in judgement.executions))

    def reorder(self, interleaving: Interleaving | None = None) -> None:
        """Keep a recovery in another interleaving, or that such ones are tried from now on."""
        self.interleavings = (*(self.interleavings or ()), *(() if interleaving is None else (interleaving,)))

    def join(self, other: "Node") -> None:
        """Take the recovery from another one for this one's."""
        self.joined, self.judgement = other, other.judgement

    def leave(self) -> None:
        """Leave the joined node and wait for a recovery: a later process read something in which the two differ."""
        self.joined = self.judgement = self.interleavings = None
