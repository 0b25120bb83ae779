"""The state of a run: a fold over its events, and nothing that is stored beside them.

Any process may ask, and sees a run as its last transition left it; only the one that has the run's lease makes another.

    from rollproof.runtime import Saga, Status, Step, Store

    with Store("agent.db") as store:
        saga = Saga(store, "look", [Step("look", lambda run: {"seen": 4}, reads_only=True)])
        saga.run("look", {})
        (run,) = saga.runs()
        assert (run.status, run.entered) == (Status.COMPLETED, ("look",))

The states, and the events between them:

    (nothing) ─started→ RUNNING ─entered→ RUNNING … ─completed→ COMPLETED
                         │  ↑└─handed_over→ WITH_PERSON
                         │  └──handed_back──────┘
                     abandoned                               (COMPLETED ─abandoned→ UNDOING: by hand)
                         ↓
                      UNDOING
                         │ ─undone, undo_failed→ UNDOING … ─rolled_back→ ROLLED_BACK
                         └─gave_up→ STUCK ─requeued→ UNDOING
                                      └─dismissed→ STUCK … ROLLED_BACK

`started` enters the first step. A step is entered *before* it acts, so a step that is entered may have happened, may be
happening, or may never have begun; that the one after it is entered says that it is done. `undone` comes after the
undo; so do `rewound`, where a run goes on from an older checkpoint, and `retaken`, where it takes a step anew that may
have been half done: both give the step another key. A STUCK run is rolled back but for undos that kept failing: they
are dead letters, and it keeps its lease until they are requeued, or the last one is dismissed by a person who settled
it by hand.

A run that is not over holds a lease, so the leases say which runs those are, however many others the journal has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from .journal import Entry, Journal
from .locks import Lease


class Event(StrEnum):
    """The transitions that a run's journal records."""

    STARTED = "started"
    ENTERED = "entered"
    ABANDONED = "abandoned"
    REWOUND = "rewound"
    RETAKEN = "retaken"
    ACT_FAILED = "act_failed"
    UNDO_FAILED = "undo_failed"
    UNDONE = "undone"
    ROLLED_BACK = "rolled_back"
    GAVE_UP = "gave_up"
    REQUEUED = "requeued"
    HANDED_OVER = "handed_over"
    HANDED_BACK = "handed_back"
    DISMISSED = "dismissed"
    COMPLETED = "completed"


class Status(StrEnum):
    """The states between them."""

    RUNNING = "running"
    UNDOING = "undoing"
    WITH_PERSON = "with_person"
    STUCK = "stuck"
    ROLLED_BACK = "rolled_back"
    COMPLETED = "completed"

    @property
    def final(self) -> bool:
        """Return whether nothing will happen to the run any more, unless a person asks for it."""
        return self in (Status.ROLLED_BACK, Status.COMPLETED, Status.STUCK)

    @property
    def over(self) -> bool:
        """Return whether nothing of the run is left half done, so that its lease is free."""
        return self in (Status.ROLLED_BACK, Status.COMPLETED)

    @property
    def ours(self) -> bool:
        """Return whether the agent has work to do on the run; it must not touch a run that is with a person."""
        return self in (Status.RUNNING, Status.UNDOING)


class Decision(StrEnum):
    """The decision of a person about a run that they hand back."""

    GO_ON = "go_on"
    ROLL_BACK = "roll_back"


STATUS_AFTER = {
    Event.STARTED: Status.RUNNING,
    Event.ENTERED: Status.RUNNING,
    Event.ABANDONED: Status.UNDOING,
    Event.REWOUND: Status.RUNNING,
    Event.RETAKEN: Status.RUNNING,
    Event.ACT_FAILED: Status.RUNNING,
    Event.UNDO_FAILED: Status.UNDOING,
    Event.UNDONE: Status.UNDOING,
    Event.ROLLED_BACK: Status.ROLLED_BACK,
    Event.GAVE_UP: Status.STUCK,
    Event.REQUEUED: Status.UNDOING,
    Event.HANDED_OVER: Status.WITH_PERSON,
    Event.HANDED_BACK: Status.RUNNING,
    Event.COMPLETED: Status.COMPLETED,
}


_TRANSITIONS = frozenset(Event)


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of one run after the event `seq`.

    Attributes:
        lock: the name of its lease.
        entered: steps that may have happened and are not undone, in their order.
        begun: all steps that were entered, undone or not.
        takes: for each time that a step was undone to be taken anew, its name.
        failed: for each failed pass over an undo, or failed recovery by an act that must go forward, the name of its
            step, since the run was last requeued or handed back.
        decision: what a person said when they handed the run back; a restart obeys it. Empty: nothing.
        last: the last event and its step.
    """

    run: str
    saga: str = ""
    lock: str = ""
    status: Status = Status.RUNNING
    entered: tuple[str, ...] = ()
    begun: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    decision: str = ""
    seq: int = 0
    last: tuple[str, str] = ("", "")

    def after(self, entry: Entry) -> Progress:
        """Return the state after one more event."""
        event, step = Event(entry.event), str(entry.detail.get("step", ""))
        entered, begun, failed = self._steps_after(event, step)
        return replace(
            self,
            saga=str(entry.detail.get("saga", self.saga)),
            lock=str(entry.detail.get("lock", self.lock)),
            status=self._status_after(event, entered),
            entered=entered,
            begun=begun,
            takes=(*self.takes, step) if event in (Event.REWOUND, Event.RETAKEN) else self.takes,
            failed=failed,
            decision=str(entry.detail.get("decision", self.decision)),
            seq=entry.seq,
            last=(event, step),
        )

    def _status_after(self, event: Event, entered: tuple[str, ...]) -> Status:
        """Return the status after an event; dismissing one letter while other steps are being undone changes none."""
        if event is not Event.DISMISSED:
            return STATUS_AFTER[event]
        return Status.ROLLED_BACK if self.status is Status.STUCK and not entered else self.status

    def _steps_after(self, event: Event, step: str) -> tuple[tuple[str, ...], ...]:
        """Return `entered`, `begun` and `failed` after an event; a requeued run is undone again from its last step."""
        entered, begun, failed = self.entered, self.begun, self.failed
        match event:
            case Event.STARTED | Event.ENTERED:
                return (*entered, step), (*begun, step), failed
            case Event.UNDONE | Event.DISMISSED:
                return tuple(name for name in entered if name != step), begun, failed
            case Event.REWOUND:
                return entered[:-1], begun[:-1], failed
            case Event.UNDO_FAILED | Event.ACT_FAILED:
                return entered, begun, (*failed, step)
            case Event.REQUEUED:
                return begun, begun, ()
            case Event.HANDED_BACK | Event.ABANDONED:
                return entered, begun, ()
        return entered, begun, failed


def is_transition(entry: Entry) -> bool:
    """Return whether an event moves its run on; the journal holds others too: changes of files, dismissed messages."""
    return entry.event in _TRANSITIONS and (entry.event != Event.DISMISSED or "step" in entry.detail)


def progress_of(run: str, entries: Iterable[Entry]) -> Progress:
    """Fold the events of one run, oldest first."""
    progress = Progress(run)
    for entry in entries:
        if is_transition(entry):
            progress = progress.after(entry)
    return progress


def all_runs(journal: Journal, before: int | None = None) -> list[Progress]:
    """Return every run that was ever started, oldest first, by the events up to `before` if given."""
    runs: dict[str, Progress] = {}
    for entry in journal.entries(before=before):
        if is_transition(entry):
            runs[entry.run] = runs.get(entry.run, Progress(entry.run)).after(entry)
    return list(runs.values())


def current(journal: Journal, run: str) -> Progress:
    """Return the state of a run by its events; a run that never began has none, and `seq` 0."""
    return progress_of(run, journal.entries(run))


def unfinished(journal: Journal, leases: Iterable[Lease]) -> list[Progress]:
    """Return the runs of some leases that an agent has to settle, of any saga, in the order of the leases."""
    runs = [current(journal, lease.holder) for lease in leases]
    return [run for run in runs if run.status.ours and run.seq]
