"""What `Saga` and `AsyncSaga` do, written once: take a run up, carry it forward or back, and settle what was left.

With several processes: see `saga`. The methods are coroutines that suspend only where `Calls` does.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from .alive import Alive
from .calls import Calls
from .canonical import variables as as_variables
from .checkpoints import Checkpoint, Checkpoints, Kept, Restored
from .contents import Contents
from .execution import Companion, Execution, Terms
from .journal import Journal
from .locks import Lease, LeaseLost, Leases, is_abandoned, patiently, renewing
from .progress import Decision, Event, Progress, Status, all_runs, current, unfinished
from .reconcile import Difference, ForeignState, belief, differences
from .steps import NeedsPerson, Step, checked_steps, refuse_coroutines, refuse_renamed
from .store import Storage

T = TypeVar("T")
States = tuple[Status, ...]
Work = Callable[[Execution, Restored], Awaitable[None]]
"""What is done with a run that was taken up, and with what it remembers."""


class UnfinishedRun(Exception):
    """An earlier run has the lock and is neither done nor undone; its text says what settles it."""


class CheckpointDamaged(Exception):
    """A run must go forward and what it knew last is damaged; older knowledge could do the wrong thing."""


class UnknownRun(LookupError):
    """There is no such run of this saga."""


class WrongState(Exception):
    """The run is in a state in which this cannot be asked of it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run, and what it knew last; that is all that it learned once it is `COMPLETED`."""

    run: str
    status: Status
    goal: str
    variables: Mapping[str, Any]


async def settle_all(settle: Callable[[T], Awaitable[Status | None]], runs: Sequence[T]) -> Status | None:
    """Settle each, so that one that cannot be keeps up no other; give what became of the last.

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


class Definition:
    """What makes a saga: its steps and its terms."""

    _awaits = False

    def __init__(
        self,
        store: Storage,
        name: str,
        steps: Sequence[Step],
        *,
        lock: str | None = None,
        lease_s: float = 300.0,
        patience_s: float = 900.0,
        after_crash: Literal["roll_back", "resume"] = "roll_back",
        undo_tries: int = 3,
        undo_passes: int = 3,
        act_passes: int = 10,
        companions: Sequence[Companion] = (),
        contents: Contents | None = None,
        person: str = "operator",
    ) -> None:
        """Describe the saga; nothing is opened or written.

        Args:
            store: The agent's own database.
            name: Finds the runs of this saga again; never reuse it for other steps.
            steps: In their order.
            lock: What must not be worked on by two runs at once; the saga's name if not given.
            lease_s: How long a process may be paused before another takes its run up, in seconds. Steps may take
                longer: meanwhile the lease is renewed. One that died is not waited for where `alive` can tell.
            patience_s: How long to wait for a lease of a process that lives, in seconds.
            after_crash: Whether `recover` undoes what a dead process left, or goes on from its last good checkpoint.
            undo_tries: How often an undo is tried by one process.
            undo_passes: After how many failed passes, in as many recoveries, it is a dead letter.
            act_passes: After how many recoveries that could not go forward, and must, a run goes to a person.
            companions: Parts that take part in the transitions, such as the outbox.
            contents: Where checkpoints are kept, for big variables; in the database if not given.
            person: Who gets a run whose step says `NeedsPerson`, or that cannot go on, and hears of one that is stuck.

        Raises:
            TypeError: Something among the steps is no `Step`, or the store is no `Store`.
            ValueError: The steps make no saga; the one that is wrong is named.
        """
        self.steps = checked_steps(steps)
        if not self._awaits:
            refuse_coroutines(self.steps)
        _refuse_wrong(store, name, after_crash, companions, contents)
        self.store, self.name, self.lock = store, name, lock or name
        self.patience_s = patience_s
        self.resumes = after_crash == "resume"
        self.contents = contents
        self.terms = Terms(lease_s, undo_tries, undo_passes, act_passes, tuple(companions), person)
        _refuse_numbers(self)


def _refuse_wrong(store: Any, name: Any, after_crash: str, companions: Any, contents: Any) -> None:
    """Refuse what would be met only when something has happened already."""
    if not hasattr(store, "transaction"):
        raise TypeError(f"the store is {store!r}; give an open one: with Store('agent.db') as store: Saga(store, ...)")
    if after_crash not in ("roll_back", "resume"):
        raise ValueError(f"after_crash is {after_crash!r}; it is 'roll_back' or 'resume'")
    if not isinstance(name, str) or not name:
        raise ValueError(f"the name of a saga is a text that finds its runs again, not {name!r}")
    listed = isinstance(companions, Sequence) and not isinstance(companions, str)
    if not listed or not all(hasattr(each, "follow") and not isinstance(each, type) for each in companions):
        raise TypeError(f"companions are parts such as an outbox, in a list: companions=[outbox], not {companions!r}")
    if contents is not None and not hasattr(contents, "put"):
        raise TypeError(f"contents are such as FolderContents('folder'), not {contents!r}")


def _refuse_numbers(saga: Definition) -> None:
    """Refuse terms under which nothing would be undone, or waited for."""
    terms = saga.terms
    numbers = {"lease_s": terms.lease_s, "patience_s": saga.patience_s, "undo_tries": terms.undo_tries}
    numbers |= {"undo_passes": terms.undo_passes, "act_passes": terms.act_passes}
    for name, number in numbers.items():
        least = 0 if name == "patience_s" else 1e-3 if name == "lease_s" else 1
        right = isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
        if not right or number < least:
            raise ValueError(f"{name} is {number!r}; it is a number of at least {least}")


class Carrier:
    """A saga in the hands of this process, for one call of it."""

    def __init__(self, saga: Definition, calls: Calls) -> None:
        """Use the saga's database; nothing is opened or written."""
        self._saga, self._calls, self._store, self._terms = saga, calls, saga.store, saga.terms
        self._journal, self._leases = Journal(saga.store), Leases(saga.store)
        self._checkpoints = Checkpoints(saga.store, saga.contents)

    async def run(self, goal: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Take every step, and give what the agent knows at the end; returning means that everything is done."""
        variables = as_variables(variables, f"the variables of {self._saga.name!r}")
        with Alive(self._store.path) as alive:
            memory = Checkpoint(goal, self._saga.steps[0].name, variables)
            start = partial(self._start, uuid.uuid4().hex, memory, self._checkpoints.keep(memory), alive)
            execution = await patiently(self._store, start, self._saga.patience_s, self._calls.wait)
            with self._renewing(execution):
                try:
                    await self._forward(execution)
                except NeedsPerson as need:
                    execution.hand_over(self._terms.person, str(need))
                    raise
            return execution.variables

    async def recover(self) -> Status | None:
        """Settle the runs that earlier processes left unfinished; None when there is none."""
        self._journal.refuse_broken(lease.holder for lease in self._leases.all())
        with Alive(self._store.path) as alive:
            free = {lease.holder for lease in self._leases.all() if is_abandoned(lease, alive)}
        runs = [run for run in unfinished(self._store) if run.saga == self._saga.name]
        return await settle_all(self._settle, sorted(runs, key=lambda run: run.run not in free))

    async def resume(self, run: str) -> Status:
        """Go on with one run that a process left, forward, whatever `after_crash` says."""
        return await self._by_hand(run, (Status.RUNNING,), self._go_on)

    async def roll_back(self, run: str) -> Status:
        """Undo one run, also one that is complete: as long as none of its steps is irreversible."""

        async def undo(execution: Execution, restored: Restored) -> None:
            if execution.only_forward:
                raise WrongState(f"run {run} took an irreversible step: it can only be resumed")
            await execution.back("asked")

        return await self._by_hand(run, (Status.RUNNING, Status.UNDOING, Status.COMPLETED), undo)

    async def requeue(self, run: str) -> Status:
        """Let a stuck run be undone again: the cause of its dead letters is mended."""

        async def again(execution: Execution, restored: Restored) -> None:
            execution.requeue()
            await execution.back("requeued")

        return await self._by_hand(run, (Status.STUCK,), again)

    async def hand_over(self, run: str, person: str, reason: str) -> Status:
        """Give an unfinished run to a person; until it is handed back no process of the agent touches anything."""

        async def give(execution: Execution, restored: Restored) -> None:
            execution.hand_over(person, reason)

        return await self._by_hand(run, (Status.RUNNING,), give, by_force=True)

    async def hand_back(self, run: str, decision: Decision, learned: Mapping[str, Any] | None = None) -> Status:
        """Give a run back to the agent, which carries it to the end that the person decided on."""

        decision, learned = Decision(decision), as_variables(learned or {}, f"what run {run} is to know now")

        async def back(execution: Execution, restored: Restored) -> None:
            if decision is Decision.ROLL_BACK and await execution.irreversibly_done():
                raise WrongState(f"run {run} took an irreversible step: it can only go on")
            execution.hand_back(decision, learned)
            if decision is Decision.GO_ON:
                await self._go_on(execution, restored)
            else:
                await execution.back("person")

        return await self._by_hand(run, (Status.WITH_PERSON,), back)

    async def differences(self, run: str) -> list[Difference]:
        """Ask the outside about every step that can look, and give those about which the run's events are wrong."""
        progress, lease = self._find(run), Lease(self._saga.lock, run, 0, 0.0)
        refuse_renamed(self._saga.steps, progress, self._store.path)
        execution = self._execution(progress, lease, Alive(self._store.path), self._checkpoints.load(run))
        found = {step.name: await execution.look(step.name, held=False) for step in self._saga.steps}
        looks = {name: each.reality for name, each in found.items() if each}
        order = [step.name for step in self._saga.steps]
        return list(differences({name: belief(progress, name, order) for name in looks}, looks))

    def runs(self) -> list[Progress]:
        """Give where each run of this saga is, oldest first."""
        return [progress for progress in all_runs(self._journal) if progress.saga == self._saga.name]

    def outcome(self, run: str) -> Outcome:
        """Give what became of a run, and what it knew last."""
        self._journal.refuse_broken([run])
        restored, progress = self._checkpoints.load(run), self._find(run)  # in this order: it can be forgotten between
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

    def _renewing(self, execution: Execution) -> AbstractContextManager[None]:
        return renewing(self._store, lambda: execution.renewable, self._terms.lease_s)

    def _start(self, run: str, memory: Checkpoint, kept: Kept, alive: Alive) -> Execution:
        """Enter the first step inside the open transaction: the run, its memory and its lease begin together."""
        self._refuse_unfinished(run, self._saga.lock, alive)
        lease = self._leases.take(self._saga.lock, run, self._terms.lease_s, alive)
        self._checkpoints.save(run, kept)
        started = {"saga": self._saga.name, "lock": self._saga.lock, "step": memory.position}
        entry = self._journal.append(run, Event.STARTED, **started)
        for companion in self._terms.companions:
            companion.follow(run, Event.STARTED)
        return self._execution(Progress(run).after(entry), lease, alive, Restored(memory, ()))

    def _refuse_unfinished(self, run: str, lock: str, alive: Alive) -> None:
        """Let no run work on what another left half done: that one's lease, expired or not, is for who settles it."""
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

        Where somebody else did that meanwhile, give what became of it; None where it is forgotten already.
        """

        async def settle(execution: Execution, restored: Restored) -> None:
            now = execution.progress
            forward = execution.only_forward or self._saga.resumes or now.decision == Decision.GO_ON
            if now.status is Status.RUNNING and forward and now.decision != Decision.ROLL_BACK:
                await self._go_on(execution, restored)
            else:
                await execution.back("restart")

        try:
            return await self._carry(progress.run, (Status.RUNNING, Status.UNDOING), settle)
        except (WrongState, UnknownRun):
            now = current(self._journal, progress.run)
            return now.status if now.seq else None

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
            execution.hand_over(self._terms.person, str(need))
        except LeaseLost:
            raise
        except Exception as error:
            if not execution.only_forward:
                await execution.settle(error)
            elif not execution.fail(error):
                raise

    async def _by_hand(self, run: str, states: States, work: Work, *, by_force: bool = False) -> Status:
        """Do what a person asks of a run, if it is in a state in which that makes sense."""
        self._journal.refuse_broken([run])
        self._refuse_state(self._find(run), states)
        return await self._carry(run, states, work, by_force=by_force)

    async def _carry(self, run: str, states: States, work: Work, *, by_force: bool = False) -> Status:
        """Take a run up, once nobody else carries it, and do some work on it; give what became of it.

        Raises:
            UnknownRun: There is none; it may have been forgotten while somebody else carried it.
            WrongState: Somebody else has brought it to another state.
        """
        with Alive(self._store.path) as alive:
            take_up = partial(self._take_up, run, states, alive, by_force)
            progress, lease = await patiently(self._store, take_up, self._saga.patience_s, self._calls.wait)
            restored = self._checkpoints.load(run)  # not in the transaction: contents can be far away
            execution = self._execution(progress, lease, alive, restored)
            with self._renewing(execution):
                await work(execution, restored)
            return execution.progress.status

    def _take_up(self, run: str, states: States, alive: Alive, by_force: bool) -> tuple[Progress, Lease]:
        """Take the lease of a run inside the open transaction, with a new token."""
        progress = self._find(run)
        self._refuse_state(progress, states)
        refuse_renamed(self._saga.steps, progress, self._store.path)
        lock = progress.lock or self._saga.lock
        self._refuse_unfinished(run, lock, alive)
        forced = by_force or not (progress.status.ours or self._is_in_work(run, alive))
        return progress, self._leases.take(lock, run, self._terms.lease_s, alive, by_force=forced)

    def _refuse_state(self, progress: Progress, states: States) -> None:
        if progress.status not in states:
            wanted = " or ".join(states)
            raise WrongState(f"run {progress.run} is {progress.status}; this needs one that is {wanted}")

    def _is_in_work(self, run: str, alive: Alive) -> bool:
        """Say whether a process that lives is doing what a person asked of a run: a second one waits for it."""
        lease = self._leases.of(run)
        return lease is not None and bool(alive.is_held(lease.token))

    def _execution(self, progress: Progress, lease: Lease, alive: Alive, restored: Restored) -> Execution:
        memory = restored.checkpoint or Checkpoint("", (*progress.entered, "")[0], {})
        return Execution(
            self._store, self._checkpoints, self._saga.steps, progress, lease, alive, memory, self._calls, self._terms
        )

    def _find(self, run: str) -> Progress:
        progress = current(self._journal, run)
        if progress.seq and progress.saga == self._saga.name:
            return progress
        known = [each.run for each in self.runs()]
        raise UnknownRun(f"{self._saga.name!r} has no run {run!r}; the last ones are {known[-3:]}")
