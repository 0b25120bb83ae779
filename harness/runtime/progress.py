"""Where a run is: a fold over its events, and nothing that is stored beside them.

    (nothing) ─started→ RUNNING ─entered→ RUNNING … ─completed→ COMPLETED
                           │
                       abandoned
                           ↓
                        UNDOING ─undone→ UNDOING … ─rolled_back→ ROLLED_BACK

`started` enters the first step. A step is entered *before* it acts, so a step that is entered may have happened, may be
happening, or may never have begun; that the one after it is entered says that it is done. `undone` comes after the
undo.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from .journal import Entry, Journal


class Event(StrEnum):
    """The transitions that a run's journal records."""

    STARTED = "started"
    ENTERED = "entered"
    ABANDONED = "abandoned"
    UNDONE = "undone"
    ROLLED_BACK = "rolled_back"
    COMPLETED = "completed"


class Status(StrEnum):
    """The states between them; the last two are final."""

    RUNNING = "running"
    UNDOING = "undoing"
    ROLLED_BACK = "rolled_back"
    COMPLETED = "completed"

    @property
    def final(self) -> bool:
        """Whether nothing will happen to the run any more."""
        return self in (Status.ROLLED_BACK, Status.COMPLETED)


STATUS_AFTER = {
    Event.STARTED: Status.RUNNING,
    Event.ENTERED: Status.RUNNING,
    Event.ABANDONED: Status.UNDOING,
    Event.UNDONE: Status.UNDOING,
    Event.ROLLED_BACK: Status.ROLLED_BACK,
    Event.COMPLETED: Status.COMPLETED,
}


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of one run after the event `seq`; `entered` are the steps that may have happened and are not undone."""

    run: str
    saga: str = ""
    status: Status = Status.RUNNING
    entered: tuple[str, ...] = ()
    seq: int = 0
    last: tuple[str, str] = ("", "")

    def after(self, entry: Entry) -> Progress:
        """Give the state after one more event."""
        event, step = Event(entry.event), str(entry.detail.get("step", ""))
        entered = self.entered
        if event in (Event.STARTED, Event.ENTERED):
            entered = (*entered, step)
        elif event is Event.UNDONE:
            entered = entered[: entered.index(step)]
        return replace(
            self,
            saga=str(entry.detail.get("saga", self.saga)),
            status=STATUS_AFTER[event],
            entered=entered,
            seq=entry.seq,
            last=(event, step),
        )


def progress_of(run: str, entries: Iterable[Entry]) -> Progress:
    """Fold the events of one run, oldest first."""
    progress = Progress(run)
    for entry in entries:
        progress = progress.after(entry)
    return progress


def unfinished(journal: Journal, saga: str) -> list[Progress]:
    """Give the runs of one saga that are in no final state, oldest first."""
    runs: dict[str, Progress] = {}
    for entry in journal.entries():
        runs[entry.run] = runs.get(entry.run, Progress(entry.run)).after(entry)
    return [run for run in runs.values() if run.saga == saga and not run.status.final]
