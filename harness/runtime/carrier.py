"""The methods of `Saga` and `AsyncSaga`, written once: take a run up, carry it forward or back, settle unfinished runs.

With several processes: see `saga`. The methods are coroutines that suspend only where their `Invoker` does. What a
person asks for is in `by_hand`.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from .alive import Alive
from .calls import Invoker
from .canonical import variables as as_variables
from .carried_run import CarriedRun, Taken
from .checkpoints import Checkpoint, Checkpoints, Restored, keep, load
from .definition import Definition
from .execution import Execution
from .locks import Lease, LeaseLost, renewing
from .progress import Decision, Progress, Status
from .reconcile import Difference, ForeignState, belief, differences
from .steps import NeedsPerson, refuse_renamed
from .takeover import SagaRuns, States, UnknownRun, WrongState, refuse_state

T = TypeVar("T")
Work = Callable[[Execution, Restored], Awaitable[None]]
"""Work on a run that was taken up, with its checkpoint."""


class CheckpointDamaged(Exception):
    """A run must go forward and its newest checkpoint is damaged; an older one could do the wrong thing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state of a run and its last variables, which are its result once it is `COMPLETED`."""

    run: str
    status: Status
    goal: str
    variables: Mapping[str, Any]


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
        self._runs, self._checkpoints = SagaRuns(saga, invoker.wait), Checkpoints(saga.store, saga.contents)

    async def run(self, goal: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Take every step, and return the variables at the end; returning means that everything is done."""
        variables = as_variables(variables, f"the variables of {self._saga.name!r}")
        with Alive(self._store.path) as alive:
            memory = Checkpoint(goal, self._saga.steps[0].name, variables)
            kept = await keep(self._checkpoints, memory, self._invoker)
            taken = await self._runs.start(uuid.uuid4().hex, memory, kept, alive)
            execution = self._execution(taken, memory)
            async with self._renewing(execution):
                try:
                    await self._forward(execution)
                except NeedsPerson as need:
                    await execution.hand_over(self._saga.person, str(need))
                    raise
            return execution.variables

    async def recover(self) -> Status | None:
        """Settle the runs that earlier processes left unfinished; None when there is none."""
        return await settle_all(self._settle, self._runs.unfinished())

    async def on_request(self, run: str, states: States, work: Work, *, by_force: bool = False) -> Status:
        """Do what a person asked for, if the run is in one of some states."""
        self._runs.refuse_broken(run)
        refuse_state(self._runs.find(run), states)
        with Alive(self._store.path) as alive:
            return await self._work_on(await self._runs.take(run, states, alive, by_force=by_force), work)

    async def go_on(self, execution: Execution, restored: Restored) -> None:
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

    async def differences(self, run: str) -> list[Difference]:
        """Ask the outside about every step that can look, and give those about which the run's events are wrong."""
        progress, lease = self._runs.find(run), Lease(self._runs.lock, run, 0, 0.0)
        refuse_renamed(self._saga.steps, progress, self._store.path)
        restored = await load(self._checkpoints, run, self._invoker)
        calls = self._restored(Taken(progress, lease), restored).calls
        found = {step.name: await calls.look(step.name, held=False) for step in self._saga.steps}
        looks = {name: each.reality for name, each in found.items() if each}
        order = [step.name for step in self._saga.steps]
        return list(differences({name: belief(progress, name, order) for name in looks}, looks))

    def runs(self) -> list[Progress]:
        """Return the state of each run of this saga, oldest first."""
        return self._runs.all()

    async def outcome(self, run: str) -> Outcome:
        """Return the state of a run and its last variables."""
        self._runs.refuse_broken(run)
        restored = await load(self._checkpoints, run, self._invoker)
        progress = self._runs.find(run)  # in this order: it can be forgotten between
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
            if execution.run.is_in_child:  # of a fork in an act: the run is its parent's
                raise
            if await execution.settle(error) is not Status.COMPLETED:
                raise

    def _renewing(self, execution: Execution) -> AbstractAsyncContextManager[None]:
        return renewing(self._store, lambda: execution.run.renewable, self._saga.lease_s, self._invoker.block)

    async def _settle(self, progress: Progress) -> Status | None:
        """Bring one unfinished run to its end: forward if it may not go back, back otherwise.

        Where another process did that meanwhile, return the state that it left; None if the run is forgotten already.
        """

        async def settle(execution: Execution, restored: Restored) -> None:
            now = execution.progress
            forward = execution.only_forward or self._saga.resumes or now.decision == Decision.GO_ON
            if now.status is Status.RUNNING and forward and now.decision != Decision.ROLL_BACK:
                await self.go_on(execution, restored)
            else:
                await execution.back("restart")

        with Alive(self._store.path) as alive:
            try:
                taken = await self._runs.take(progress.run, (Status.RUNNING, Status.UNDOING), alive)
            except (WrongState, UnknownRun):
                now = self._runs.now(progress.run)
                return now.status if now.seq else None
            return await self._work_on(taken, settle)

    async def _work_on(self, taken: Taken, work: Work) -> Status:
        """Do some work on a run that was taken up; return its state afterwards."""
        restored = await load(self._checkpoints, taken.progress.run, self._invoker)  # in no transaction: it may be slow
        execution = self._restored(taken, restored)
        async with self._renewing(execution):
            await work(execution, restored)
        return execution.progress.status

    def _restored(self, taken: Taken, restored: Restored) -> Execution:
        return self._execution(taken, restored.checkpoint or Checkpoint("", (*taken.progress.entered, "")[0], {}))

    def _execution(self, taken: Taken, memory: Checkpoint) -> Execution:
        run = CarriedRun(self._saga, self._checkpoints, self._invoker, taken, memory)
        return Execution(self._saga, run, self._invoker)
