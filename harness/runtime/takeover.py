"""The runs of a saga in its database: which there are, and which of them this process may start or take up.

With several processes: whoever takes a run up has its lease from then on, in the same transaction; a run in the hands
of a process that lives is waited for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from .alive import Alive
from .carried_run import Taken
from .checkpoints import Checkpoint, Checkpoints, Kept
from .definition import Definition
from .journal import Journal
from .locks import Leases, is_abandoned, take_when_free
from .progress import Event, Progress, Status, all_runs, current, unfinished
from .steps import refuse_renamed

States = tuple[Status, ...]


class UnfinishedRun(Exception):
    """An earlier run has the lock and is neither done nor undone; the text says how to settle it."""


class UnknownRun(LookupError):
    """There is no such run of this saga."""


class WrongState(Exception):
    """The run is in a state in which this cannot be asked of it."""


class SagaRuns:
    """The runs of one saga."""

    def __init__(self, saga: Definition, wait: Callable[[float], Awaitable[None]]) -> None:
        """Use the saga's database, and `wait` for other processes; nothing is opened or written."""
        self._saga, self._store, self._wait = saga, saga.store, wait
        self.lock = saga.lock or saga.name
        self._journal, self._leases = Journal(saga.store), Leases(saga.store)
        self._checkpoints = Checkpoints(saga.store, saga.contents)

    def all(self) -> list[Progress]:
        """Return the state of each run, oldest first."""
        return [progress for progress in all_runs(self._journal) if progress.saga == self._saga.name]

    def now(self, run: str) -> Progress:
        """Return the state of a run of any saga; one without events where it is forgotten."""
        return current(self._journal, run)

    def find(self, run: str) -> Progress:
        """Return the state of a run.

        Raises:
            UnknownRun: There is none of this saga.
        """
        progress = current(self._journal, run)
        if progress.seq and progress.saga == self._saga.name:
            return progress
        known = [each.run for each in self.all()]
        raise UnknownRun(f"{self._saga.name!r} has no run {run!r}; the last ones are {known[-3:]}")

    def refuse_broken(self, run: str) -> None:
        """Make sure that nobody changed the journal of a run."""
        self._journal.refuse_broken([run])

    def unfinished(self) -> list[Progress]:
        """Return the runs that wait for recovery, first those whose process is dead or late.

        Raises:
            JournalBroken: Somebody changed the journal.
        """
        leases = self._leases.all()
        self._journal.refuse_broken(lease.holder for lease in leases)
        with Alive(self._store.path) as alive:
            free = {lease.holder for lease in leases if is_abandoned(lease, alive)}
        runs = [run for run in unfinished(self._journal, leases) if run.saga == self._saga.name]
        return sorted(runs, key=lambda run: run.run not in free)

    async def start(self, run: str, memory: Checkpoint, kept: Kept, alive: Alive) -> Taken:
        """Start a run once the lock is free.

        Raises:
            UnfinishedRun: A run that a process left, or that waits for a person, is in the way.
            LeaseHeld: Somebody who lives kept the lock for longer than our patience.
        """
        return await self._when_free(partial(self._start, run, memory, kept, alive))

    async def take(self, run: str, states: States, alive: Alive, *, by_force: bool = False) -> Taken:
        """Take a run up under `alive`, once no other process carries it.

        Raises:
            UnknownRun: There is none; it may have been forgotten while another process carried it.
            WrongState: Another process has brought it to another state.
        """
        return await self._when_free(partial(self._take_up, run, states, alive, by_force))

    async def _when_free(self, take: Callable[[], Taken]) -> Taken:
        return await take_when_free(self._store, take, self._saga.patience_s, self._wait)

    def _start(self, run: str, memory: Checkpoint, kept: Kept, alive: Alive) -> Taken:
        """Enter the first step inside the open transaction: the run, its memory and its lease begin together."""
        self._refuse_unfinished(run, self.lock, alive)
        lease = self._leases.take(self.lock, run, self._saga.lease_s, alive)
        self._checkpoints.save(run, kept)
        started = {"saga": self._saga.name, "lock": self.lock, "step": memory.position}
        entry = self._journal.append(run, Event.STARTED, **started)
        for companion in self._saga.companions:
            companion.follow(run, Event.STARTED)
        return Taken(Progress(run).after(entry), lease)

    def _take_up(self, run: str, states: States, alive: Alive, by_force: bool) -> Taken:
        """Take the lease of a run inside the open transaction, with a new token."""
        progress = self.find(run)
        refuse_state(progress, states)
        refuse_renamed(self._saga.steps, progress, self._store.path)
        lock = progress.lock or self.lock
        self._refuse_unfinished(run, lock, alive)
        forced = by_force or not (progress.status.ours or self._is_in_work(run, alive))
        return Taken(progress, self._leases.take(lock, run, self._saga.lease_s, alive, by_force=forced))

    def _refuse_unfinished(self, run: str, lock: str, alive: Alive) -> None:
        """Refuse to start while an earlier run has the lock: its lease, even an expired one, stays until recovery."""
        lease = self._leases.find(lock)
        if lease is None or lease.holder == run:
            return
        earlier = current(self._journal, lease.holder)
        if not earlier.seq or (earlier.status.ours and not is_abandoned(lease, alive)):
            return
        todo = {
            Status.STUCK: "requeue its dead letters once their cause is mended, or dismiss them once done by hand",
            Status.WITH_PERSON: "it goes on when it is handed back",
        }.get(earlier.status, f"no process carries it: call recover() of {earlier.saga!r}, which settles it")
        look = f"python -m rollproof.runtime show {self._store.path} {earlier.run}"
        raise UnfinishedRun(f"run {earlier.run} of {earlier.saga!r} is {earlier.status}; {todo}; {look}")

    def _is_in_work(self, run: str, alive: Alive) -> bool:
        """Return whether a living process works on a run at a person's request; a second one waits for it."""
        lease = self._leases.of(run)
        return lease is not None and bool(alive.is_held(lease.token))


def refuse_state(progress: Progress, states: States) -> None:
    """Make sure that a run is in one of some states.

    Raises:
        WrongState: The run is in another state.
    """
    if progress.status not in states:
        wanted = " or ".join(states)
        raise WrongState(f"run {progress.run} is {progress.status}; this needs one that is {wanted}")
