"""One process carrying one run: forward to its end, or back to its beginning.

Every transition is one transaction that first makes sure of two things: the lease is still the run's, and the run's
last event is the one this process knows. So of two processes that carry the same run only one can go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .checkpoints import Checkpoint, Checkpoints
from .journal import Journal
from .locks import Lease, LeaseLost, Leases
from .progress import Event, Progress, Status, progress_of
from .store import Store


class Refused(Exception):
    """Raised by an act that knows for sure that nothing happened outside: the address was wrong, the key was revoked.

    A timeout or a server error is not that. Whatever else leaves an act means that nobody knows.
    """


@dataclass(frozen=True, slots=True)
class Run:
    """What an act or an undo is given: which run, which step of it, and what the agent knows."""

    id: str
    step: str
    goal: str
    variables: Mapping[str, Any]

    @property
    def key(self) -> str:
        """An idempotency key: stored before the step acts, the same however often it is repeated, of no other run."""
        return f"{self.id}:{self.step}"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a saga.

    - `act` does it. It may return variables (JSON) for the steps after it. An irreversible act must be repeatable, by
      sending `Run.key` or by asking outside first: after a crash it is repeated until its outcome is known.
    - `undo` takes it back. It may find the act done, half done, not done or already undone, and treats "already gone"
      as success. It may rely on the variables as they were when its step was entered. None: there is nothing to take
      back.
    - `irreversible`: there is no way back from it. Such steps come last.
    """

    name: str
    act: Callable[[Run], Mapping[str, Any] | None]
    undo: Callable[[Run], None] | None = None
    irreversible: bool = False


class Execution:
    """A run in the hands of this process; `progress` is what it knows to be stored."""

    def __init__(
        self, store: Store, steps: Sequence[Step], progress: Progress, lease: Lease, memory: Checkpoint
    ) -> None:
        """Take a run up where it stands; nothing is written."""
        self._store = store
        self._steps = {step.name: step for step in steps}
        self._order = [step.name for step in steps]
        self._lease = lease
        self._memory = memory
        self._attempting = ("", "")
        self._refused = False
        self.progress = progress

    @property
    def variables(self) -> dict[str, Any]:
        """What the agent knows by now."""
        return dict(self._memory.variables)

    @property
    def only_forward(self) -> bool:
        """Whether the run passed the point of no return: an irreversible step may have happened."""
        possible = self.progress.entered[:-1] if self._refused else self.progress.entered
        return self.progress.status is Status.RUNNING and any(self._steps[name].irreversible for name in possible)

    def forward(self) -> None:
        """Act from the step that is entered to the last, and complete the run."""
        while True:
            learned = self._step.act(self._view(self._step.name)) or {}
            following = self._order[len(self.progress.entered) :][:1]
            if not following:
                self._memory = self._remembering(self.progress.entered[-1], learned)
                return self._record(Event.COMPLETED)
            memory = self._remembering(following[0], learned)
            self._record(Event.ENTERED, following[0], memory if learned else None)
            self._memory = memory

    def back(self, reason: str) -> None:
        """Undo what may have happened, last step first, and end the run; started again it goes on where it stopped."""
        if self.progress.status is Status.RUNNING:
            self._record(Event.ABANDONED, reason=reason)
        for name in reversed(self.progress.entered):
            undo = self._steps[name].undo
            if undo is not None:
                undo(self._view(name))
                self._record(Event.UNDONE, name)
        self._record(Event.ROLLED_BACK)

    def settle(self, error: BaseException) -> Status:
        """Bring a run that an error stopped to an end, as a new process would: by what is stored, not by what we think.

        One thing we know better: an act that `Refused` was tried for the first time, so its step has a way back. A
        later refusal is none, since the try before may have got through.

        Raises:
            LeaseLost: Another process has it in hand.
            BaseException: The cause lasts. The run stays unfinished, and keeps its lease, until recovery settles it.
        """
        self._read_again()
        self._refused = isinstance(error, Refused)
        if self.only_forward:
            if not isinstance(error, Exception):
                raise error
            self.forward()
        elif not self.progress.status.final:
            self.back(type(error).__name__)
        return self.progress.status

    @property
    def _step(self) -> Step:
        return self._steps[self.progress.entered[-1]]

    def _view(self, step: str) -> Run:
        return Run(self.progress.run, step, self._memory.goal, self._memory.variables)

    def _remembering(self, position: str, learned: Mapping[str, Any]) -> Checkpoint:
        return Checkpoint(self._memory.goal, position, {**self._memory.variables, **learned})

    def _record(self, event: Event, step: str = "", memory: Checkpoint | None = None, **detail: str) -> None:
        """Make one transition: the event, a changed memory, and at the end of the run its lease, all or nothing."""
        self._attempting = (event, step)
        journal = Journal(self._store)
        with self._store.transaction():
            Leases(self._store).check(self._lease)
            self._refuse_unknown(progress_of(self.progress.run, journal.entries(self.progress.run)), self.progress.seq)
            entry = journal.append(self.progress.run, event, **({"step": step} if step else {}), **detail)
            progress = self.progress.after(entry)
            if memory is not None:
                Checkpoints(self._store).save(progress.run, memory)
            if progress.status.final:
                Leases(self._store).release(self._lease)
        self.progress = progress

    def _read_again(self) -> None:
        """Learn where the run stands after an error, which may have come from a commit that did happen."""
        stored = progress_of(self.progress.run, Journal(self._store).entries(self.progress.run))
        if stored.last != self._attempting:
            self._refuse_unknown(stored, self.progress.seq)
        self.progress = stored
        if not stored.status.final:
            self._memory = Checkpoints(self._store).load(stored.run).checkpoint or self._memory

    def _refuse_unknown(self, stored: Progress, known: int) -> None:
        if stored.seq != known:
            raise LeaseLost(f"run {stored.run} is {stored.status} after event {stored.seq}, we knew event {known}")
