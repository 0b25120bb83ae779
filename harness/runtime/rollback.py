"""The way back of a run that this process carries: undo what may have happened, last first.

With several processes: called again, by this one or another, it goes on where the run's events say that it stopped.
"""

from __future__ import annotations

import logging

from .calls import Invoker
from .carried_run import CarriedRun
from .dead_letters import DeadLetters
from .definition import Definition
from .locks import LeaseLost
from .progress import Event, Status
from .retry import Verdict, classify, is_refused_key
from .step_calls import StepCalls

FIRST_PAUSE_S = 0.1
"""How long to wait before an undo is tried again; doubled each time."""
_log = logging.getLogger("rollproof.runtime")


class Rollback:
    """The undos of one run."""

    def __init__(self, saga: Definition, run: CarriedRun, calls: StepCalls, invoker: Invoker) -> None:
        """Undo by `calls`; nothing is undone yet."""
        self._saga, self._run, self._calls, self._invoker = saga, run, calls, invoker

    async def rewind(self) -> None:
        """Undo the steps after the last whole checkpoint: newer checkpoints are damaged."""
        while self._run.memory.position in self._run.progress.entered[:-1]:
            name = self._run.progress.entered[-1]
            problem = await self._try_undo(name)
            if problem is not None:
                raise problem
            await self._run.record(Event.REWOUND, name)

    async def back(self, reason: str) -> None:
        """Undo each step that may have happened, last first, and end the run; called again it goes on where it stopped.

        An undo that keeps failing ends this pass, since what was done before it may be needed to take it back. After
        the last pass it is a dead letter, the rest is undone without it, and the run is stuck. A pass that a revoked
        key ended does not count: no undo is to blame for that, and all of them work again with the key.

        Raises:
            Exception: What the undo raised; the run stays unfinished.
        """
        run = self._run
        if run.progress.status in (Status.RUNNING, Status.COMPLETED):
            await run.record(Event.ABANDONED, reason=reason)
        for name in reversed(run.progress.entered):
            if await self._is_given_up(name):
                continue
            problem = await self._try_undo(name)
            if problem is None:
                await run.record(Event.UNDONE, name)
                continue
            if is_refused_key(problem):
                raise problem
            await run.record(Event.UNDO_FAILED, name, error=type(problem).__name__)
            if not run.given_up(name):
                raise problem
        if run.progress.entered:
            await self._give_up()
        else:
            await run.record(Event.ROLLED_BACK)

    async def _is_given_up(self, name: str) -> bool:
        """Return whether an undo is a dead letter, as after its last pass.

        One that failed under a higher limit may have no letter yet: it is tried once more, and becomes one.

        Raises:
            LeaseLost: A person has dismissed the letter meanwhile.
        """
        if not self._run.given_up(name):
            return False
        if f"{self._run.progress.run}:{name}:undo" in DeadLetters(self._saga.store):
            return True
        await self._run.read_again()
        return False

    async def _give_up(self) -> None:
        """Leave the run stuck, its lock with it, and let a person know which undo failed with which error."""
        await self._run.read_again()  # a letter may just have been dismissed
        run = self._run.progress.run
        letters = [each for each in DeadLetters(self._saga.store).all() if each.run == run]
        errors = {letter.step: letter.reason for letter in letters if letter.kind == "undo"}
        left = ", ".join(f"{name} ({errors[name]})" for name in self._run.progress.entered)
        reason = f"{left} could not be undone, and the lock {self._run.lease.name!r} is kept"
        await self._run.record(Event.GAVE_UP, person=self._saga.person, reason=reason)
        _log.error("run %s is stuck: %s; requeue or dismiss its dead letters", run, reason)

    async def _try_undo(self, name: str) -> Exception | None:
        """Undo one step, in several tries unless no call will work; return the last error, None if it is undone."""
        problem = None
        for number in range(self._saga.undo_tries if self._calls.steps[name].undo else 0):
            if number:
                await self._invoker.pause(FIRST_PAUSE_S * 2 ** (number - 1))
            try:
                await self._calls.undo_what_is_there(name)
                return None
            except LeaseLost:
                raise
            except Exception as error:
                problem = error
                self._tell_of_undo(name, error)
                if classify(error) is Verdict.STOP:
                    break
        return problem

    def _tell_of_undo(self, name: str, error: Exception) -> None:
        """Log that an undo failed; the text of its error, which may hold secrets, only where DEBUG is asked for."""
        details = error if _log.isEnabledFor(logging.DEBUG) else None
        run, kind = self._run.progress.run, type(error).__name__
        _log.warning("run %s: the undo of %s failed: %s", run, name, kind, exc_info=details)
