"""The record of a process of the agent: the outside it started from, its points, the outside it left."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from ..boundary.resolved import ResolvedInjection
from ..values.epoch import MADE
from ..values.history import Execution, Outcome, Role
from ..values.http import HttpRequest, ModelAnswer
from ..values.places import Place
from ..values.points import Effect, InFlight, Phase, Point
from ..values.protocol import InjectionFired
from ..values.reads import EVERYTHING, Footprint
from ..world.storage.disk import DiskState
from .effects import Made
from .model_calls import ModelCall

BIRTH = MADE + 3600.0  # virtual time at which the first process starts: 2026-01-15 09:00 UTC
RESTART_S = 1.0
FIRST_STREAM = "run/0"
Tracing = bool | Literal["once fired", "for the story"]
"""Whether the outside is looked at at every point of a process, or at those that come after its first fault.

Looks for the story are for people: nothing is learned of them, planned on them, or judged by them.
"""

OWN_PROCESSES: frozenset[Role] = frozenset({"run", "recover early", "recover"})
"""Those that a schedule consists of; the others ask what would come after it."""


@dataclass(frozen=True, slots=True)
class RawState:
    """The outside as bytes: disk, services, the virtual time, and the pids of the processes that made it.

    `reused` are those of these pids that another program has by now.
    """

    disk: DiskState
    services: tuple[bytes, ...]
    clock: float
    pids: frozenset[int] = frozenset()
    reused: frozenset[int] = frozenset()

    def same_state(self, other: "RawState") -> bool:
        """Return whether disk and services are equal, whatever the time."""
        return self.services == other.services and (self.disk is other.disk or self.disk == other.disk)


@dataclass(frozen=True, slots=True)
class CrashState:
    """The outside as a crash in this phase of this point would leave it."""

    point: Point
    when: Phase
    raw_state: RawState


@dataclass(frozen=True, slots=True)
class Strike:
    """The time at which an injection was due: a number of points of the process, and the virtual time."""

    points: int
    clock: float


@dataclass(frozen=True, slots=True)
class Sent:
    """A POST that a twin handled, its idempotency key and the header that this came in; "" where there was none."""

    point: Point
    header: str = ""
    key: str = ""


class Treatment(Protocol):
    """A change of what a process sends, tried to see whether it is a cure."""

    def request(self, process: "ProcessRun", point: Point, request: HttpRequest) -> HttpRequest:
        """Return the request that the twin gets in the place of the agent's own."""


@dataclass(slots=True)
class ProcessRun:
    """The record of one process of the agent, from the state that it started from to the state that it left.

    Attributes:
        points: what it reached, in order; `places` has where in the agent's code each of them is, `within` the names of
            the steps, tool calls and graph nodes that it is inside of, the outermost first; no entry for none.
        last: the last point of its own that was looked at.
        relayed: points that relays saw, each with the `last` of then.
        unseen: how many looks were left out for want of time.
        asked: hosts that nobody declared, with the agent's line, where it only looked and was refused.
        unordered: what was left to the machine.
        unheld: what could reach the network and is not held back from it.
        started: the lines that started other processes; `written` what one of such lines' processes changed.
        said: what models said where a fault put words into their mouths; `changed_fields` what of it was changed.
        due: positions of what was planned and whose point and phase came; `fired` of these, what was carried out; and
            `late`, what a relay could not carry out any more, since the connection was over.
        sent: what can have created something at a twin.
        stopped_at: where in the agent's code it went on without end.
        refused: the last request to a twin that it refused, and how.
        printed: what was printed, where that is shown.
        footprint: what it asked of the disk, everything where it could not say.
        made: what each of its points changed outside, once somebody asked.
        misread: whether a fault was planned in which it reads what was not written.
        goes_on: whether its process had been called before, and an error left it, as a queue's worker goes on.
        called_again: how it went on where its process was called again; `apart` says that this takes another process,
            since this one had something left to do before its end.
        plan: what was planned in it.
        for_story: the states that were seen for the story; `crash_states` has those of a traced process.
        times: the virtual time at which it came to a point, where it was looked at.
        outcomes: how effects went, for people; `met` what the agent met instead, where that is something else.
        strikes: when the injections that were due came, by their position.
        reworded: what models said to the agent, where a fault put other words into their mouths.
        treatment: what is changed of it, to see whether that cures it; None for a process as it is.
        model_calls: the requests that models answered, by their points.
        notes: what the story tells of an answer of a service: what a list did not show yet.
        refusals: what a service refused with, where that is not the status of the fault: ``200 {"ok": false}``.
    """

    role: Role
    start: RawState
    outcome: Outcome = field(default_factory=lambda: Outcome("killed"))
    end: RawState = None  # type: ignore[assignment]  # set when the process has ended
    crash_states: list[CrashState] = field(default_factory=list)
    pids: frozenset[int] = frozenset()
    pid: int = 0
    points: tuple[Point, ...] = ()
    places: dict[Point, Place] = field(default_factory=dict)
    within: dict[Point, tuple[str, ...]] = field(default_factory=dict)
    effects: dict[Point, Effect] = field(default_factory=dict)
    last: Point | None = None
    relayed: list[tuple[Point | None, Point]] = field(default_factory=list)
    due: set[int] = field(default_factory=set)
    fired: set[int] = field(default_factory=set)
    late: set[int] = field(default_factory=set)
    resent: Counter[str] = field(default_factory=Counter)
    unintercepted: list[str] = field(default_factory=list)
    unwatched: list[str] = field(default_factory=list)
    concurrent: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    unheld: list[str] = field(default_factory=list)
    unordered: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    written: dict[tuple[str, ...], dict[str, None]] = field(default_factory=dict)
    unseen: int = 0
    said: list[str] = field(default_factory=list)
    changed_fields: list[str] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    stopped_at: Place = ()
    refused: str = ""
    printed: str = ""
    calls: int = 0
    polls: int = 0
    planned: int = 0
    misread: bool = False
    late_modules: tuple[str, ...] = ()
    in_flight: tuple[InFlight, ...] = ()
    footprint: Footprint = EVERYTHING
    made: dict[str, list[Made]] = field(default_factory=dict)
    goes_on: bool = False
    called_again: list["ProcessRun"] = field(default_factory=list)
    apart: bool = False
    plan: tuple[ResolvedInjection, ...] = ()
    for_story: list[CrashState] = field(default_factory=list)
    times: dict[Point, float] = field(default_factory=dict)
    outcomes: dict[Point, str] = field(default_factory=dict)
    met: dict[Point, str] = field(default_factory=dict)
    strikes: dict[int, Strike] = field(default_factory=dict)
    reworded: dict[Point, ModelAnswer] = field(default_factory=dict)
    model_calls: dict[Point, ModelCall] = field(default_factory=dict)
    refusals: dict[Point, str] = field(default_factory=dict)
    notes: dict[Point, str] = field(default_factory=dict)

    @property
    def seen(self) -> list[CrashState]:
        """The states that were seen between its points, for whatever reason; empty where nobody looked."""
        return self.for_story or self.crash_states

    treatment: Treatment | None = None

    def came_early(self) -> None:
        """Record that a lease was still live when this recovery ran, and that another one follows."""
        self.role = "recover early"

    def needs_another_process(self) -> None:
        """Record that this process cannot be called again: something is left to do before its end."""
        self.apart = True

    def leaves(self, end: RawState) -> None:
        """Replace the state that the process left by the one that it leaves with the change under trial."""
        self.end = end

    def print(self, text: str) -> None:
        """Keep the text that the process printed."""
        self.printed = text

    def hear(self, fired: InjectionFired) -> bool:
        """Keep the state of an injection of the plan; returns whether that is an event: a lasting one fires once."""
        if fired.stage == "due":
            self.due.add(fired.position)
        elif fired.stage == "fired":
            return self.fires(fired.position)
        else:
            self.declines(fired.position)
        return fired.stage != "due"

    def fires(self, position: int) -> bool:
        """Record that a due action was carried out; returns whether it is the first time.

        A fault that lasts from an earlier process was counted there.
        """
        if position not in self.due or position in self.fired:
            return False
        self.fired.add(position)
        return True

    def declines(self, position: int) -> None:
        """Record that an action turned out to be impossible when it was due."""
        self.due.discard(position)
        self.fired.discard(position)

    def comes_too_late(self, position: int) -> None:
        """Record that an action was due on a connection that was over by then."""
        self.declines(position)
        self.late.add(position)

    @property
    def unconfirmed(self) -> set[int]:
        """The positions of what was due in a process that came to its end, and what nobody carried out."""
        # A process that was killed may have died before it could confirm.
        return self.due - self.fired if self.outcome.kind in ("returned", "raised") else set()

    def in_short(self) -> "ProcessRun":
        """Return a record that is small enough to keep one of each schedule: how it ended, not what was seen before."""
        less: Any = {"crash_states": [], "effects": {}, "places": {}, "made": {}, "called_again": [], "in_flight": ()}
        return replace(self, **less)

    def execution(self) -> Execution:
        """Return the part of the record that invariants get."""
        return Execution(self.role, self.outcome, self.planned > 0, dict(self.resent))
