"""Events of an exploration, as values: the engine tells each as it happens, and all writers read the same ones."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .exploration import Exploration
from .history import Outcome, Role
from .points import Point
from .schedule import Injection, Schedule


@dataclass(frozen=True, slots=True)
class ExplorationBegan:
    """An exploration begins; `label` tells it apart within its test."""

    test: str
    label: str


@dataclass(frozen=True, slots=True)
class ProcessStarted:
    """A process of the agent starts, the `number`th of its exploration, at a virtual time in seconds.

    `goes_on` says that an error has left it, and that it is called again.
    """

    number: int
    role: Role
    at_s: float
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class PointReached:
    """A process reaches a point; a point that a relay or a twin's server sees is one of the process that runs."""

    number: int
    point: Point


@dataclass(frozen=True, slots=True)
class FaultFired:
    """A planned injection has fired; an interleaving may turn out to be `impossible`."""

    number: int
    injection: Injection
    at_s: float
    impossible: bool = False


@dataclass(frozen=True, slots=True)
class ProcessEnded:
    """A process has ended, or was left by an error and waits to be called again.

    `doing` says in words what is going on, and counts what is left: it is asked only by readers that show it. `beside`
    of the processes until now checked what was merged or tried cures: no count of executions has these.
    """

    number: int
    role: Role
    outcome: Outcome
    at_s: float
    doing: Callable[[], str]
    beside: int = 0


@dataclass(frozen=True, slots=True)
class StillRunning:
    """A process of the agent runs on: told at each of its messages, and about once a second while none comes.

    `doing` and `beside` are as those of `ProcessEnded`.
    """

    number: int
    role: Role
    doing: Callable[[], str]
    beside: int = 0


@dataclass(frozen=True, slots=True)
class Printed:
    """A text that a process has printed, which a replay shows."""

    text: str


@dataclass(frozen=True, slots=True)
class CrashStateFound:
    """A world that nobody recovered from yet, the `number`th, and a schedule that leaves it."""

    number: int
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Judged:
    """A schedule is judged: which invariants are broken after it, and which checks failed themselves."""

    schedule: Schedule
    invariants: tuple[str, ...]
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A finding is confirmed; `so_far` has all that are."""

    so_far: Exploration


Event = (
    ExplorationBegan
    | ProcessStarted
    | PointReached
    | FaultFired
    | ProcessEnded
    | StillRunning
    | Printed
    | CrashStateFound
    | Judged
    | Found
)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads events of these types."""

    types: tuple[type, ...]
    read: Callable[[Any], object]


class Events:
    """Tells each event to the readers of its type. An event that no reader `wants` need not be made.

    Args:
        clean: returns an event without secrets.
    """

    def __init__(self, readers: Iterable[Reader] = (), clean: Callable[[Any], Any] = lambda event: event) -> None:
        self._clean = clean
        self._reads: dict[type, list[Callable[[Any], object]]] = {}
        for reader in readers:
            for each in reader.types:
                self._reads.setdefault(each, []).append(reader.read)

    def wants(self, kind: type) -> bool:
        """Return whether somebody reads events of this type."""
        return kind in self._reads

    def tell(self, event: Event) -> None:
        """Tell an event."""
        if reads := self._reads.get(type(event)):
            cleaned = self._clean(event)
            for read in reads:
                read(cleaned)
