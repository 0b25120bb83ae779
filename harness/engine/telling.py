"""Count the processes of an exploration, and tell what happens in them."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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
        executions: how many processes have started; `beside` of them check what was merged, or try cures.
        spent: seconds of real time by part.
        tells_points: whether a reader wants single points: there are many.
    """

    def __init__(self, readers: Iterable[Reader], cleaner: Cleaner) -> None:
        self.events = Events(readers, cleaner.told)
        self.executions = self.beside = 0
        self.spent = Spent()
        self.tells_points = self.events.wants(PointReached)
        self._working_on: Callable[[str], str] = _role
        self._apart: int | None = None
        self._began = self._first_ended = time.monotonic()

    @property
    def each_s(self) -> float:
        """Seconds of real time that a process took until now, with all that follows it; the first one imports."""
        since = self._first_ended if self.executions > 1 else self._began
        return (time.monotonic() - since) / max(1, self.executions - 1)

    def work_on(self, describe: Callable[[str], str] = _role) -> None:
        """Take the text of the progress line from `describe` from now on, by the role of the running process."""
        self._working_on = describe

    @contextmanager
    def set_apart(self, doing: str) -> Iterator[None]:
        """Count the processes of the block apart: they check what was explored, or go beyond it."""
        before, working_on = self.executions - self.beside, self._working_on
        self._working_on = lambda role: f"{doing}: {role}"
        self._apart = before
        try:
            yield
        finally:
            self.beside, self._apart, self._working_on = self.executions - before, None, working_on

    @property
    def _beside(self) -> int:
        return self.beside if self._apart is None else self.executions - self._apart

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
        if self.executions == 1:
            self._first_ended = time.monotonic()
        if self.events.wants(ProcessEnded):
            outcome, doing = replace(process.outcome, value=None), self._doing(process.role)
            number, at_s = self.executions, _since(clock)
            self.events.tell(ProcessEnded(number, process.role, outcome, at_s, doing, self._beside))

    def runs_on(self, process: ProcessRun) -> None:
        """Tell that a process has not ended yet: a person who waits wants a sign of life."""
        if self.events.wants(StillRunning):
            doing = self._doing(process.role)
            self.events.tell(StillRunning(self.executions, process.role, doing, self._beside))

    def _doing(self, role: str) -> Callable[[], str]:
        working_on = self._working_on
        return lambda: working_on(role)

    def printed(self, text: str) -> None:
        """Tell a text that the process has printed."""
        self.events.tell(Printed(text))


def _since(clock: float) -> float:
    return clock - BIRTH
