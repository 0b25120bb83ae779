"""Count the processes of an exploration, and tell what happens in them."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from ..values.cleaning import Cleaner
from ..values.durations import Spent
from ..values.events import (
    Events,
    FaultFired,
    PointReached,
    Printed,
    ProcessEnded,
    ProcessStarted,
    Reader,
    StillRunning,
)
from ..values.points import Point
from ..values.schedule import Injection
from .process_runs import BIRTH, ProcessRun


def _role(role: str) -> str:
    return role


class Telling:
    """Tells the events of processes, one after the other; each event is of the process that started last.

    Attributes:
        executions: how many processes have started.
        spent: seconds of real time by part.
        tells_points: whether a reader wants single points: there are many.
    """

    def __init__(self, readers: Iterable[Reader], cleaner: Cleaner) -> None:
        self.events = Events(readers, cleaner.told)
        self.executions = 0
        self.spent = Spent()
        self.tells_points = self.events.wants(PointReached)
        self._working_on: Callable[[str], str] = _role

    def work_on(self, describe: Callable[[str], str] = _role) -> None:
        """Let `describe` give the text of the progress line from now on, by the role of the running process."""
        self._working_on = describe

    def started(self, process: ProcessRun) -> None:
        """Count a process, and tell that it starts."""
        self.executions += 1
        if self.events.wants(ProcessStarted):
            self.events.tell(
                ProcessStarted(self.executions, process.role, _since(process.start.clock), process.goes_on)
            )

    def reached(self, point: Point) -> None:
        """Tell that the process reaches a point."""
        if self.tells_points:
            self.events.tell(PointReached(self.executions, point))

    def fired(self, injection: Injection, clock: float, *, impossible: bool = False) -> None:
        """Tell that a planned injection has fired."""
        if self.events.wants(FaultFired):
            self.events.tell(FaultFired(self.executions, injection, _since(clock), impossible))

    def ended(self, process: ProcessRun, clock: float) -> None:
        """Tell how the process ended."""
        if self.events.wants(ProcessEnded):
            outcome, doing = replace(process.outcome, value=None), self._doing(process.role)
            self.events.tell(ProcessEnded(self.executions, process.role, outcome, _since(clock), doing))

    def runs_on(self, process: ProcessRun) -> None:
        """Tell that a process has not ended yet: a person who waits wants a sign of life."""
        if self.events.wants(StillRunning):
            self.events.tell(StillRunning(self.executions, process.role, self._doing(process.role)))

    def _doing(self, role: str) -> Callable[[], str]:
        working_on = self._working_on
        return lambda: working_on(role)

    def printed(self, text: str) -> None:
        """Tell a text that the process has printed."""
        self.events.tell(Printed(text))


def _since(clock: float) -> float:
    return clock - BIRTH
