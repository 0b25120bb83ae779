"""The requests of a person about one run: to go on, to be undone, to be theirs, to be the agent's again.

With several processes: each request takes the run up first, from a process that works on it only where it is handed
over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .canonical import variables as as_variables
from .carrier import Carrier
from .checkpoints import Restored
from .execution import Execution
from .progress import Decision, Status
from .takeover import WrongState


class ByHand:
    """The requests of a person to a saga; see the methods of `Saga`."""

    def __init__(self, carrier: Carrier) -> None:
        """Have `carrier` carry the runs; nothing is opened or written."""
        self._carrier = carrier

    async def resume(self, run: str) -> Status:
        """Go on forward with one run that a process left, whatever `after_crash` says."""
        return await self._carrier.on_request(run, (Status.RUNNING,), self._carrier.go_on)

    async def roll_back(self, run: str) -> Status:
        """Undo one run, also a complete one, as long as none of its steps is irreversible."""

        async def undo(execution: Execution, restored: Restored) -> None:
            if execution.only_forward:
                raise WrongState(f"run {run} took an irreversible step: it can only be resumed")
            await execution.back("asked")

        return await self._carrier.on_request(run, (Status.RUNNING, Status.UNDOING, Status.COMPLETED), undo)

    async def requeue(self, run: str) -> Status:
        """Undo a stuck run again: the cause of its dead letters is mended."""

        async def again(execution: Execution, restored: Restored) -> None:
            await execution.requeue()
            await execution.back("requeued")

        return await self._carrier.on_request(run, (Status.STUCK,), again)

    async def hand_over(self, run: str, person: str, reason: str) -> Status:
        """Hand an unfinished run over to a person; until it is handed back no process of the agent touches anything."""

        async def give(execution: Execution, restored: Restored) -> None:
            await execution.hand_over(person, reason)

        return await self._carrier.on_request(run, (Status.RUNNING,), give, by_force=True)

    async def hand_back(self, run: str, decision: Decision, learned: Mapping[str, Any] | None = None) -> Status:
        """Hand a run back to the agent, which carries it to the end that the person decided on."""
        decision, learned = Decision(decision), as_variables(learned or {}, f"what run {run} is to know now")

        async def back(execution: Execution, restored: Restored) -> None:
            if decision is Decision.ROLL_BACK and await execution.irreversibly_done():
                raise WrongState(f"run {run} took an irreversible step: it can only go on")
            await execution.hand_back(decision, learned)
            if decision is Decision.GO_ON:
                await self._carrier.go_on(execution, restored)
            else:
                await execution.back("person")

        return await self._carrier.on_request(run, (Status.WITH_PERSON,), back)
