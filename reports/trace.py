"""The events of an exploration, line by line, as they happen: points, faults, processes, crash states, verdicts.

The times are virtual, so two explorations of one agent have the same lines.
"""

from collections.abc import Callable
from functools import singledispatchmethod
from typing import Any

from ..values.events import (
    CrashStateFound,
    ExplorationBegan,
    FaultFired,
    Found,
    Judged,
    PointReached,
    ProcessEnded,
    ProcessStarted,
    Reader,
)
from ..values.story import beginning

_FIRST_LINE = 200  # characters of an error


class Trace:
    """Turns events into lines: what it is, which process or crash state, when, and what came.

    Args:
        write: receives whole lines, a few at a time.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._lines: list[str] = []
        self._found: set[str] = set()

    @property
    def reader(self) -> Reader:
        """Return the reader of the events."""
        points = (PointReached,)
        told = (ExplorationBegan, ProcessStarted, FaultFired, ProcessEnded, CrashStateFound, Judged, Found)
        return Reader((*points, *told), self._read)

    def _read(self, event: object) -> None:
        self._add(event)
        if not isinstance(event, PointReached):  # of these there are many
            self._write("".join(f"{line.rstrip()}\n" for line in self._lines))
            self._lines.clear()

    @singledispatchmethod
    def _add(self, event: Any) -> None:
        raise TypeError(f"no line for {event!r}")

    @_add.register
    def _(self, event: ExplorationBegan) -> None:
        self._line("explore", text=f"{event.test}{f' [{event.label}]' if event.label else ''}")

    @_add.register
    def _(self, event: ProcessStarted) -> None:
        again = ", called again in the same process" if event.goes_on else ""
        self._line("process", event.number, event.at_s, f"{event.role} starts{again}")

    @_add.register
    def _(self, event: PointReached) -> None:
        self._line("point", event.number, text=str(event.point))

    @_add.register
    def _(self, event: FaultFired) -> None:
        vain = ", in vain: nobody else passed" if event.impossible else ""
        self._line("fault", event.number, event.at_s, f"{event.injection}{vain}")

    @_add.register
    def _(self, event: ProcessEnded) -> None:
        error = beginning(event.outcome.error, _FIRST_LINE)
        how = f"{event.role} {event.outcome.kind}{f': {error}' if error else ''}"
        self._line("process", event.number, event.at_s, how)

    @_add.register
    def _(self, event: CrashStateFound) -> None:
        self._line("state", event.number, text=f"after {event.schedule}")

    @_add.register
    def _(self, event: Judged) -> None:
        broken = f": {', '.join(event.invariants)}" if event.invariants else ""
        verdict = "violated" if broken else "unknown" if event.errors else "holds"
        self._line("verdict", text=f"{verdict:<8}  {event.schedule or 'no fault'}{broken}")

    @_add.register
    def _(self, event: Found) -> None:
        for finding in event.so_far.violations:
            if finding.schedule not in self._found:
                self._found.add(finding.schedule)
                self._line("finding", text=f"{finding.schedule}: {', '.join(finding.invariants)}")

    def _line(self, what: str, number: int | None = None, at_s: float | None = None, text: str = "") -> None:
        nth, when = "" if number is None else f"{number}", "" if at_s is None else f"{at_s:.3f}"
        self._lines.append(f"{what:<8} {nth:>5} {when:>13}  {text}")
