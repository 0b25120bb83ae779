"""A run in the hands of this process: where it stands, under which lease, and what it knows; each change a transaction.

With several processes: of two that carry the same run only one can go on. Every transition is one transaction that
first makes sure of two things: the lease is still this process's, and the run's last event is the one it knows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .calls import Invoker
from .checkpoints import Checkpoint, Checkpoints, keep, load
from .dead_letters import DeadLetter, DeadLetters
from .definition import Definition
from .journal import Journal
from .locks import PERSON_S, Lease, LeaseLost, Leases
from .progress import Event, Progress, current

_ancestors: list[None] = []
"""An entry for each fork between the process that imported this and the running one, to tell child from parent."""
os.register_at_fork(after_in_child=lambda: _ancestors.append(None))


@dataclass(frozen=True, slots=True)
class Taken:
    """The progress and the lease of a run as this process last stored them; the renewing thread reads them.

    It is replaced as a whole: the thread sees no lease beside the progress of another moment.
    """

    progress: Progress
    lease: Lease


class CarriedRun:
    """A run that this process carries; `progress` is its state as this process last stored or read it."""

    def __init__(
        self, saga: Definition, checkpoints: Checkpoints, invoker: Invoker, taken: Taken, memory: Checkpoint
    ) -> None:
        """Carry a run from where it stands, with its last variables in `memory`; nothing is written."""
        self._saga, self._store, self._checkpoints, self._invoker = saga, saga.store, checkpoints, invoker
        self._known, self.memory = taken, memory
        self._forks = len(_ancestors)
        self._attempting = ("", "")

    @property
    def progress(self) -> Progress:
        """Return the state of the run as this process last stored or read it."""
        return self._known.progress

    @property
    def lease(self) -> Lease:
        """The lease under which this process carries the run."""
        return self._known.lease

    @property
    def renewable(self) -> Lease | None:
        """The lease as long as there is work to do; that of a run that waits for a person needs no renewal."""
        known = self._known  # read once: this is asked by the thread that renews
        return known.lease if known.progress.status.ours else None

    @property
    def is_in_child(self) -> bool:
        """Return whether this process is a fork of the process that took the run up; only that one carries it."""
        return len(_ancestors) != self._forks

    def check(self) -> None:
        """Make sure that no other process has taken the run up since, and that this process is no fork of its holder.

        Raises:
            LeaseLost: Nothing may be touched any more.
        """
        if self.is_in_child:
            raise LeaseLost(f"run {self.progress.run} is carried by the process from which this one was forked")
        Leases(self._store).check(self.lease)

    def given_up(self, step: str, passes: int = 0) -> bool:
        """Return whether a step has failed in as many passes as it has; those of an undo where no number is given."""
        return self.progress.failed.count(step) >= (passes or self._saga.undo_passes)

    def remembering(self, position: str, learned: Mapping[str, Any]) -> Checkpoint:
        """Return what the run knows with some more variables, at a step."""
        return Checkpoint(self.memory.goal, position, {**self.memory.variables, **learned})

    def remember(self, memory: Checkpoint) -> None:
        """Go on with these variables."""
        self.memory = memory

    async def record(self, event: Event, step: str = "", memory: Checkpoint | None = None, **detail: str) -> None:
        """Make one transition: the event, a changed memory, and at the end of the run its lease, all or nothing."""
        self._attempting = (event, step)
        journal, leases = Journal(self._store), Leases(self._store)
        kept = await keep(self._checkpoints, memory, self._invoker) if memory is not None else None
        with self._store.transaction():
            self.check()
            self._refuse_unknown(current(journal, self.progress.run), self.progress.seq)
            entry = journal.append(self.progress.run, event, **({"step": step} if step else {}), **detail)
            progress = self.progress.after(entry)
            if kept is not None:
                self._checkpoints.save(progress.run, kept)
            self._bury(progress, event, step, detail)
            for companion in self._saga.companions:
                companion.follow(progress.run, event)
            lease = self._leased(leases, progress)
        self._known = Taken(progress, lease)

    async def read_again(self) -> None:
        """Read the stored state after an error, which may have come from a commit that did happen.

        Raises:
            LeaseLost: The stored state is neither what this process knew nor what it was about to store.
        """
        stored = current(Journal(self._store), self.progress.run)
        if stored.last != self._attempting:
            self._refuse_unknown(stored, self.progress.seq)
        self._known = replace(self._known, progress=stored)
        if not stored.status.final:
            restored = await load(self._checkpoints, stored.run, self._invoker)
            self.memory = restored.checkpoint or self.memory

    def _leased(self, leases: Leases, progress: Progress) -> Lease:
        """Release the lease with the end of the run, pass it on with its owner, keep it while there is work."""
        lasts_s = self._saga.lease_s
        if progress.status.over:
            leases.release(self.lease)
        elif not progress.status.ours:
            return leases.pass_on(self.lease, PERSON_S, None)
        elif self.lease.expires_at - time.time() < lasts_s / 2:  # not sooner: that would be a write for nothing
            return leases.renew(self.lease, lasts_s)
        return self.lease

    def _bury(self, progress: Progress, event: Event, step: str, detail: Mapping[str, str]) -> None:
        """Keep a dead letter of an undo that failed too often; take it away where the run gets another chance."""
        letters, passes = DeadLetters(self._store), self._saga.undo_passes
        if event is Event.UNDO_FAILED and progress.failed.count(step) >= passes:
            key = f"{progress.run}:{step}:undo"
            letters.add(DeadLetter(key, progress.run, "undo", dict(self.memory.variables), detail["error"], passes))
        if event is Event.REQUEUED:
            letters.remove_run(progress.run, "undo")

    def _refuse_unknown(self, stored: Progress, known: int) -> None:
        if stored.seq != known:
            raise LeaseLost(f"run {stored.run} is {stored.status} after event {stored.seq}, we knew event {known}")
