"""The methods of `Saga` and `AsyncSaga`, written once: take a run up, carry it forward or back, settle unfinished runs.

With several processes: see `saga`. The methods are coroutines that suspend only where their `Invoker` does.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from .alive import Alive
from .calls import Invoker
from .canonical import variables as as_variables
from .checkpoints import Checkpoint, Checkpoints, Kept, Restored, keep, load
from .definition import Definition
from .execution import Execution
from .journal import Journal
from .locks import Lease, LeaseLost, Leases, is_abandoned, renewing, take_when_free
from .progress import Decision, Event, Progress, Status, all_runs, current, unfinished
from .reconcile import Difference, ForeignState, belief, differences
from .steps import NeedsPerson, refuse_renamed

T = TypeVar("T")
States = tuple[Status, ...]
Work = Callable[[Execution, Restored], Awaitable[None]]
"""Work on a run that was taken up, with its checkpoint."""


class UnfinishedRun(Exception):
    """An earlier run has the lock and is neither done nor undone; the text says how to settle it."""


class CheckpointDamaged(Exception):
    """A run must go forward and its newest checkpoint is damaged; an older one could do the wrong thing."""


class UnknownRun(LookupError):
    """There is no such run of this saga."""


class WrongState(Exception):
    """The run is in a state in which this cannot be asked of it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state of a run and its last variables, which are its result once it is `COMPLETED`."""

    run: str
    status: Status
    goal: str
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Taken:
    """A run that this process took up: where it stands, under which lease, and the proof of life that holds it."""

    progress: Progress
    lease: Lease
    alive: Alive


async def settle_all(settle: Callable[[T], Awaitable[Status | None]], runs: Sequence[T]) -> Status | None:
    """Settle each run, also behind one that fails; return the state of the last.

    Raises:
        Exception: The first that one of them raised, when all were tried.
    """
    status, problems = None, []
    for each in runs:
        try:
            status = await settle(each)
        except Exception as error:
            problems.append(error)
    if problems:
        raise problems[0]
    return status


class Carrier:
    """A saga in the hands of this process, for one call of it."""

    def __init__(self, saga: Definition, invoker: Invoker) -> None:
        """Use the saga's database; nothing is opened or written."""
        self._saga, self._invoker, self._store = saga, invoker, saga.store
        self._lock = saga.lock or saga.name
        self._journal, self._leases = Journal(saga.store), Leases(saga.store)
        self._checkpoints = Checkpoints(saga.store, saga.contents)

    async def run(self, goal: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Take every step, and return the variables at the end; returning means that everything is done."""
        variables = as_variables(variables, f"the variables of {self._saga.name!r}")
        with Alive(self._store.path) as alive:
            memory = Checkpoint(goal, self._saga.steps[0].name, variables)
            kept = await keep(self._checkpoints, memory, self._invoker)
            start = partial(self._start, uuid.uuid4().hex, memory, kept, alive)
            execution = await take_when_free(self._store, start, self._saga.patience_s, self._invoker.wait)
            async with self._renewing(execution):
                try:
                    await self._forward(execution)
                except NeedsPerson as need:
                    await execution.hand_over(self._saga.person, str(need))
                    raise
            return execution.variables

    async def recover(self) -> Status | None:
        """Settle the runs that earlier processes left unfinished; None when there is none."""
        leases = self._leases.all()
        self._journal.refuse_broken(lease.holder for lease in leases)
        with Alive(self._store.path) as alive:
            free = {lease.holder for lease in leases if is_abandoned(lease, alive)}
        runs = [run for run in unfinished(self._journal, leases) if run.saga == self._saga.name]
        return await settle_all(self._settle, sorted(runs, key=lambda run: run.run not in free))

    async def resume(self, run: str) -> Status:
        """Go on forward with one run that a process left, whatever `after_crash` says."""
        return await self._by_hand(run, (Status.RUNNING,), self._go_on)

    async def roll_back(self, run: str) -> Status:
        """Undo one run, also a complete one, as long as none of its steps is irreversible."""

        async def undo(execution: Execution, restored: Restored) -> None:
            if execution.only_forward:
                raise WrongState(f"run {run} took an irreversible step: it can only be resumed")
            await execution.back("asked")

        return await self._by_hand(run, (Status.RUNNING, Status.UNDOING, Status.COMPLETED), undo)

    async def requeue(self, run: str) -> Status:
        """Let a stuck run be undone again: the cause of its dead letters is mended."""

        async def again(execution: Execution, restored: Restored) -> None:
            await execution.requeue()
            await execution.back("requeued")

        return await self._by_hand(run, (Status.STUCK,), again)

    async def hand_over(self, run: str, person: str, reason: str) -> Status:
        """Hand an unfinished run over to a person; until it is handed back no process of the agent touches anything."""

        async def give(execution: Execution, restored: Restored) -> None:
            await execution.hand_over(person, reason)

        return await self._by_hand(run, (Status.RUNNING,), give, by_force=True)

    async def hand_back(self, run: str, decision: Decision, learned: Mapping[str, Any] | None = None) -> Status:
        """Hand a run back to the agent, which carries it to the end that the person decided on."""

        decision, learned = Decision(decision), as_variables(learned or {}, f"what run {run} is to know now")

        async def back(execution: Execution, restored: Restored) -> None:
            if decision is Decision.ROLL_BACK and await execution.irreversibly_done():
                raise WrongState(f"run {run} took an irreversible step: it can only go on")
            await execution.hand_back(decision, learned)
            if decision is Decision.GO_ON:
                await self._go_on(execution, restored)
            else:
                await execution.back("person")

        return await self._by_hand(run, (Status.WITH_PERSON,), back)

    async def differences(self, run: str) -> list[Difference]:
        """Ask the outside about every step that can look, and give those about which the run's events are wrong."""
        progress, lease = self._find(run), Lease(self._lock, run, 0, 0.0)
        refuse_renamed(self._saga.steps, progress, self._store.path)
        restored = await load(self._checkpoints, run, self._invoker)
        execution = self._execution(progress, lease, Alive(self._store.path), restored)
        found = {step.name: await execution.look(step.name, held=False) for step in self._saga.steps}
        looks = {name: each.reality for name, each in found.items() if each}
        order = [step.name for step in self._saga.steps]
        return list(differences({name: belief(progress, name, order) for name in looks}, looks))

    def runs(self) -> list[Progress]:
        """Return the state of each run of this saga, oldest first."""
        return [progress for progress in all_runs(self._journal) if progress.saga == self._saga.name]

    async def outcome(self, run: str) -> Outcome:
        """Return the state of a run and its last variables."""
        self._journal.refuse_broken([run])
        restored = await load(self._checkpoints, run, self._invoker)
        progress = self._find(run)  # in this order: it can be forgotten between
        if restored.damaged or restored.checkpoint is None:
            raise CheckpointDamaged(
                f"run {run} is {progress.status}, and what it knew last is damaged (checkpoint {restored.damaged}); "
                f"restore {self._store.path} from a copy"
            )
        return Outcome(run, progress.status, restored.checkpoint.goal, restored.checkpoint.variables)

    async def _forward(self, execution: Execution) -> None:
        try:
            await execution.forward()
        except (LeaseLost, NeedsPerson):
            raise
        except BaseException as error:
            if execution.is_in_child:  # of a fork in an act: the run is its parent's
                raise
            if await execution.settle(error) is not Status.COMPLETED:
                raise

    def _renewing(self, execution: Execution) -> AbstractAsyncContextManager[None]:
        return renewing(self._store, lambda: execution.renewable, self._saga.lease_s, self._invoker.block)

    def _start(self, run: str, memory: Checkpoint, kept: Kept, alive: Alive) -> Execution:
        """Enter the first step inside the open transaction: the run, its memory and its lease begin together."""
        self._refuse_unfinished(run, self._lock, alive)
        lease = self._leases.take(self._lock, run, self._saga.lease_s, alive)
        self._checkpoints.save(run, kept)
        started = {"saga": self._saga.name, "lock": self._lock, "step": memory.position}
        entry = self._journal.append(run, Event.STARTED, **started)
        for companion in self._saga.companions:
            companion.follow(run, Event.STARTED)
        return self._execution(Progress(run).after(entry), lease, alive, Restored(memory, ()))

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

    async def _settle(self, progress: Progress) -> Status | None:
        """Bring one unfinished run to its end: forward if it may not go back, back otherwise.

        Where another process did that meanwhile, return the state that it left; None if the run is forgotten already.
        """

        async def settle(execution: Execution, restored: Restored) -> None:
            now = execution.progress
            forward = execution.only_forward or self._saga.resumes or now.decision == Decision.GO_ON
            if now.status is Status.RUNNING and forward and now.decision != Decision.ROLL_BACK:
                await self._go_on(execution, restored)
            else:
                await execution.back("restart")

        with Alive(self._store.path) as alive:
            try:
                taken = await self._take(progress.run, (Status.RUNNING, Status.UNDOING), alive)
            except (WrongState, UnknownRun):
                now = current(self._journal, progress.run)
                return now.status if now.seq else None
            return await self._work_on(taken, settle)

    async def _go_on(self, execution: Execution, restored: Restored) -> None:
        """Go forward, from the last good checkpoint; hand over where a person must look, settle any other error."""
        run = execution.progress.run
        if restored.damaged and (execution.only_forward or restored.checkpoint is None):
            raise CheckpointDamaged(
                f"run {run} must go on from {execution.progress.entered[-1]!r}, "
                f"and its checkpoint {restored.damaged[0]} is damaged; restore {self._store.path} from a copy"
            )
        try:
            if restored.damaged:
                await execution.rewind()
            await execution.resume()
        except (NeedsPerson, ForeignState) as need:
            await execution.hand_over(self._saga.person, str(need))
        except LeaseLost:
            raise
        except Exception as error:
            if not execution.only_forward:
                await execution.settle(error)
            elif not await execution.fail(error):
                raise

    async def _by_hand(self, run: str, states: States, work: Work, *, by_force: bool = False) -> Status:
        """Do what a person asked for, if the run is in one of some states."""
        self._journal.refuse_broken([run])
        self._refuse_state(self._find(run), states)
        with Alive(self._store.path) as alive:
            return await self._work_on(await self._take(run, states, alive, by_force=by_force), work)

    async def _take(self, run: str, states: States, alive: Alive, *, by_force: bool = False) -> _Taken:
        """Take a run up under `alive`, once no other process carries it.

        Raises:
            UnknownRun: There is none; it may have been forgotten while another process carried it.
            WrongState: Another process has brought it to another state.
        """
        take_up = partial(self._take_up, run, states, alive, by_force)
        progress, lease = await take_when_free(self._store, take_up, self._saga.patience_s, self._invoker.wait)
        return _Taken(progress, lease, alive)

    async def _work_on(self, taken: _Taken, work: Work) -> Status:
        """Do some work on a run that was taken up; return its state afterwards."""
        run = taken.progress.run
        restored = await load(self._checkpoints, run, self._invoker)  # in no transaction: contents can be far away
        execution = self._execution(taken.progress, taken.lease, taken.alive, restored)
        async with self._renewing(execution):
            await work(execution, restored)
        return execution.progress.status

    def _take_up(self, run: str, states: States, alive: Alive, by_force: bool) -> tuple[Progress, Lease]:
        """Take the lease of a run inside the open transaction, with a new token."""
        progress = self._find(run)
        self._refuse_state(progress, states)
        refuse_renamed(self._saga.steps, progress, self._store.path)
        lock = progress.lock or self._lock
        self._refuse_unfinished(run, lock, alive)
        forced = by_force or not (progress.status.ours or self._is_in_work(run, alive))
        return progress, self._leases.take(lock, run, self._saga.lease_s, alive, by_force=forced)

    def _refuse_state(self, progress: Progress, states: States) -> None:
        if progress.status not in states:
            wanted = " or ".join(states)
            raise WrongState(f"run {progress.run} is {progress.status}; this needs one that is {wanted}")

    def _is_in_work(self, run: str, alive: Alive) -> bool:
        """Return whether a living process works on a run at a person's request; a second one waits for it."""
        lease = self._leases.of(run)
        return lease is not None and bool(alive.is_held(lease.token))

    def _execution(self, progress: Progress, lease: Lease, alive: Alive, restored: Restored) -> Execution:
        memory = restored.checkpoint or Checkpoint("", (*progress.entered, "")[0], {})
        return Execution(
            self._store, self._checkpoints, self._saga.steps, progress, lease, alive, memory, self._invoker, self._saga
        )

    def _find(self, run: str) -> Progress:
        progress = current(self._journal, run)
        if progress.seq and progress.saga == self._saga.name:
            return progress
        known = [each.run for each in self.runs()]
        raise UnknownRun(f"{self._saga.name!r} has no run {run!r}; the last ones are {known[-3:]}")
