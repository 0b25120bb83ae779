"""A saga: steps that all happen, or whose effects are all taken back (Garcia-Molina and Salem, 1987).

    saga = Saga(store, "publish", [Step("stage", stage, undo=discard), Step("mail", mail, irreversible=True)])
    saga.run("A report on solar power", {"topic": "solar"})     # everything is done, or it raises
    saga.recover()                                              # what the service calls when it starts

- Before a step acts, the undo log (the run's events in the journal) says that it may happen. After an error, or a crash
  and `recover`, what may have happened is undone, last first.
- Once an irreversible step is entered, the way is forward only: the step is repeated, with the same key, until its
  outcome is known. The one way back from there is an act that `Refused` the first time it was tried.
- `recover` appends real transitions only. With nothing to do it writes nothing; called again and again, or killed again
  and again, it comes to the same end.

The states of a run are drawn in `progress`; the run's lease is held from its first event to its last.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, TypeVar

from .checkpoints import Checkpoint, Checkpoints
from .execution import Execution, Step
from .journal import Journal, JournalBroken
from .locks import LeaseHeld, LeaseLost, Leases, wait
from .progress import Event, Progress, Status, unfinished
from .store import Store

T = TypeVar("T")


class UnfinishedRun(Exception):
    """An earlier run of this saga is neither done nor undone; `recover` settles it."""


class CheckpointDamaged(Exception):
    """A run must go forward and what it knew last is damaged; older knowledge could do the wrong thing."""


class Saga:
    """A named list of steps over one store. Make it anew in each process, with the same name and the same steps."""

    def __init__(
        self,
        store: Store,
        name: str,
        steps: Sequence[Step],
        *,
        lock: str | None = None,
        lease_s: float = 300.0,
        patience_s: float = 900.0,
    ) -> None:
        """Describe the saga; nothing is opened or written.

        Args:
            store: The agent's own database.
            name: Finds the runs of this saga again; never reuse it for other steps.
            steps: In their order.
            lock: What must not be worked on by two runs at once; the saga's name if not given.
            lease_s: How long a run that died keeps others out, in seconds; longer than a run takes.
            patience_s: How long to wait for somebody else's lease, in seconds.

        Raises:
            ValueError: The steps make no saga.
        """
        _refuse_bad(steps)
        self._store = store
        self._journal = Journal(store)
        self._leases = Leases(store)
        self._lease_s = lease_s
        self._patience_s = patience_s
        self.name = name
        self.lock = lock or name
        self.steps = tuple(steps)

    def run(self, goal: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Take every step, and give what the agent knows at the end; returning means that everything is done.

        Raises:
            UnfinishedRun: An earlier run is in the way.
            LeaseHeld: Somebody else kept the lock for longer than our patience.
            BaseException: What went wrong; all is undone, unless a second error says why it could not be, which is for
                `recover` to mend then.
        """
        execution = self._patiently(lambda: self._start(uuid.uuid4().hex, goal, variables))
        try:
            execution.forward()
        except LeaseLost:
            raise
        except BaseException as error:
            if execution.settle(error) is not Status.COMPLETED:
                raise
        return execution.variables

    def recover(self) -> Status | None:
        """Settle the run that an earlier process left unfinished; None when there is none.

        Returns:
            `COMPLETED` if it was past the point of no return, `ROLLED_BACK` otherwise.

        Raises:
            JournalBroken: Somebody changed the journal; nothing was undone or repeated on its word.
            CheckpointDamaged: The run must go forward and cannot.
        """
        broken = self._journal.verify()
        if broken is not None:
            raise JournalBroken(f"{self._store.path}: {broken.reason}; the events before it are sound")
        status = None
        for progress in unfinished(self._journal, self.name):
            status = self._settle(progress)
        return status

    def _start(self, run: str, goal: str, variables: Mapping[str, Any]) -> Execution:
        """Enter the first step inside the open transaction: the run, its memory and its lease begin together."""
        lease = self._leases.take(self.lock, run, self._lease_s)
        for earlier in unfinished(self._journal, self.name):
            raise UnfinishedRun(f"run {earlier.run} of {self.name!r} is still {earlier.status}; call recover() first")
        first = self.steps[0].name
        memory = Checkpoint(goal, first, dict(variables))
        Checkpoints(self._store).save(run, memory)
        entry = self._journal.append(run, Event.STARTED, saga=self.name, step=first)
        return Execution(self._store, self.steps, Progress(run).after(entry), lease, memory)

    def _settle(self, progress: Progress) -> Status:
        """Bring one unfinished run to its end: forward if it may not go back, back otherwise."""
        restored = Checkpoints(self._store).load(progress.run)
        memory = restored.checkpoint or Checkpoint("", progress.entered[0], {})
        lease = self._leases.find(self.lock)
        if lease is None or lease.holder != progress.run or lease.expires_at <= time.time():
            lease = self._patiently(lambda: self._leases.take(self.lock, progress.run, self._lease_s))
        execution = Execution(self._store, self.steps, progress, lease, memory)
        if not execution.only_forward:
            execution.back("restart")
        elif restored.damaged:
            raise CheckpointDamaged(
                f"run {progress.run} must go on from {progress.entered[-1]!r}, "
                f"and its checkpoint {restored.damaged[0]} is damaged; restore {self._store.path} from a copy"
            )
        else:
            execution.forward()
        return execution.progress.status

    def _patiently(self, take: Callable[[], T]) -> T:
        """Do something that takes the lease in a transaction, waiting as long as somebody else holds it."""
        until = time.time() + self._patience_s
        for looks in count():
            try:
                with self._store.transaction():
                    return take()
            except LeaseHeld as held:
                if time.time() >= until:
                    raise
                wait(held.lease, looks)
        raise AssertionError("count() never ends")


def _refuse_bad(steps: Sequence[Step]) -> None:
    names = [step.name for step in steps]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"a saga needs steps, each with a name of its own, not {names}")
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if step.irreversible and step.undo:
            raise ValueError(f"step {step.name!r} has an undo and is irreversible; it can be one of them")
        if step.irreversible and following and not following.irreversible:
            raise ValueError(f"step {following.name!r} comes after irreversible {step.name!r}, which must come last")
