"""One process carrying one run: forward to its end, or back to its beginning.

With several processes: of two that carry the same run only one can go on; `carried_run` says how a transition is
refused, `step_calls` how an act is. The way back is `rollback`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .calls import Invoker
from .carried_run import CarriedRun
from .definition import Definition
from .progress import Decision, Event, Progress, Status
from .reconcile import ForeignState, Reality
from .retry import is_refused_key
from .rollback import Rollback
from .step_calls import StepCalls
from .steps import Refused


class Execution:
    """The way of a run that this process carries: forward, back, or into the hands of a person."""

    def __init__(self, saga: Definition, run: CarriedRun, invoker: Invoker) -> None:
        """Carry a run from where it stands; nothing is written."""
        self.run, self.calls = run, StepCalls(saga, run, invoker)
        self._saga, self._rollback = saga, Rollback(saga, run, self.calls, invoker)
        self._refused = False

    @property
    def progress(self) -> Progress:
        """Return the state of the run as this process last stored or read it."""
        return self.run.progress

    @property
    def variables(self) -> dict[str, Any]:
        """The variables by now."""
        return dict(self.run.memory.variables)

    @property
    def only_forward(self) -> bool:
        """Return whether the run passed the point of no return: an irreversible step may have happened."""
        possible = self.progress.entered[:-1] if self._refused else self.progress.entered
        running = self.progress.status in (Status.RUNNING, Status.COMPLETED)
        return running and any(self.calls.steps[name].irreversible for name in possible)

    async def forward(self) -> None:
        """Act from the entered step to the last, and complete the run."""
        await self._finish(await self.calls.act())

    async def resume(self) -> None:
        """Go forward in a new process: the step that was entered may have happened, or half.

        Where the step can look, the outside says so. Where it cannot, has an undo and is not repeatable, what may be
        half done is undone first, and the act gets another key. Else the act is repeated, with the same key.

        Raises:
            ForeignState: Something that is not ours is in its place.
        """
        step = self.calls.entered
        found = await self.calls.look(step.name)
        if found is None and step.undo and not step.repeatable:
            await self.calls.undo(step.name)
            await self.run.record(Event.RETAKEN, step.name)
        if found is None or found.reality is Reality.ABSENT:
            return await self.forward()
        if found.reality is Reality.FOREIGN:
            raise ForeignState(f"step {step.name!r} of run {self.progress.run}: what is there is not ours")
        return await self._finish(found.learned)

    async def rewind(self) -> None:
        """Undo the steps after the last whole checkpoint: newer checkpoints are damaged."""
        await self._rollback.rewind()

    async def back(self, reason: str) -> None:
        """Undo each step that may have happened, last first, and end the run, as `Rollback.back`."""
        await self._rollback.back(reason)

    async def settle(self, error: BaseException) -> Status:
        """Bring a run that an error stopped to an end, as a new process would: by the stored state.

        One thing we know better: an act that `Refused` was tried for the first time, so its step has a way back. A
        later refusal is none, since the try before may have got through.

        Raises:
            LeaseLost: Another process has it in hand.
            BaseException: The cause lasts. The run stays unfinished, and keeps its lease, until recovery settles it.
        """
        await self.run.read_again()
        self._refused = isinstance(error, Refused)
        if self.only_forward and not self.progress.status.final:
            if not isinstance(error, Exception):
                raise error
            await self.forward()
        elif not self.progress.status.final:
            await self.back(type(error).__name__)
            if self.progress.status is Status.STUCK:
                error.add_note(f"run {self.progress.run} is stuck: not all of it could be undone; see its dead letters")
        return self.progress.status

    async def hand_over(self, person: str, reason: str) -> None:
        """Hand the run over to a person; from this transition on the agent touches nothing."""
        await self.run.read_again()
        await self.run.record(Event.HANDED_OVER, person=person, reason=reason)

    async def hand_back(self, decision: Decision, learned: Mapping[str, Any]) -> None:
        """Take the run back from a person, with their decision and further variables."""
        memory = self.run.remembering(self.progress.entered[-1], learned)
        await self.run.record(Event.HANDED_BACK, memory=memory if learned else None, decision=decision)
        self.run.remember(memory)

    async def irreversibly_done(self) -> bool:
        """Return whether an irreversible step is known to be taken; the entered one is known only if it can look."""
        *done, entered = self.progress.entered
        if any(self.calls.steps[name].irreversible for name in done):
            return True
        found = await self.calls.look(entered) if self.calls.steps[entered].irreversible else None
        return found is not None and found.reality is Reality.PRESENT

    async def fail(self, error: Exception) -> bool:
        """Count a recovery that had to go forward and could not; after the last one the run goes to a person.

        One that a revoked key stopped does not count.

        Returns:
            Whether it did.
        """
        if is_refused_key(error):
            return False
        await self.run.read_again()
        step, passes = self.progress.entered[-1], self._saga.act_passes
        await self.run.record(Event.ACT_FAILED, step, error=type(error).__name__)
        if not self.run.given_up(step, passes):
            return False
        reason = f"{step} must be done and failed {passes} times: {type(error).__name__}"
        await self.hand_over(self._saga.person, reason)
        return True

    async def requeue(self) -> None:
        """Undo a stuck run again, its dead letters with it."""
        await self.run.record(Event.REQUEUED)

    async def _finish(self, learned: Mapping[str, Any]) -> None:
        """Save the variables of the entered step, and take the steps after it."""
        while (following := self.calls.following()) is not None:
            memory = self.run.remembering(following, learned)
            await self.run.record(Event.ENTERED, following, memory if learned else None)
            self.run.remember(memory)
            learned = await self.calls.act()
        self.run.remember(self.run.remembering(self.progress.entered[-1], learned))
        await self.run.record(Event.COMPLETED, memory=self.run.memory if learned else None)
