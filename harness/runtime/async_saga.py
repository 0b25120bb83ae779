"""A saga whose steps may be coroutine functions, for agents that live on an event loop.

Several processes, and several tasks of one, are as `saga` says: each call is a holder of its own. Between its
transactions, which are short and block, the loop goes on with other things. Checkpoints in `contents` are kept and read
in another thread.

    import asyncio
    from rollproof.runtime import AsyncSaga, Step, Store

    async def book(run):
        return {"seat": "12A"}          # await client.post(..., headers={"Idempotency-Key": run.key})

    async def cancel(run):
        pass

    async def main():
        with Store("agent.db") as store:
            saga = AsyncSaga(store, "trip", [Step("book", book, undo=cancel)])
            await saga.recover()
            return await saga.run("to Oslo", {})

    assert asyncio.run(main()) == {"seat": "12A"}

Cancelling the task stops the act that is under way, with `asyncio.CancelledError` at its `await`; then what may have
happened is undone, which no second cancellation stops (the end of the loop does), and the error leaves `run`. Before a
run has begun, while its lock is waited for, cancelling ends it at once. Past the point of no return nothing can be
undone: the run stays unfinished and `recover` brings it forward. An act that catches the error and returns is done, and
no other is begun; if it was the last one, the run is complete and `run` returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .by_hand import ByHand
from .calls import AsyncioInvoker
from .carrier import Carrier, Outcome
from .definition import Definition
from .progress import Decision, Progress, Status
from .reconcile import Difference


class AsyncSaga(Definition):
    """As `Saga`, on the event loop that runs; acts, undos and looks may be coroutine functions or plain ones."""

    _awaits = True

    async def run(self, goal: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Take every step, and return the variables at the end; returning means that everything is done."""
        invoker = AsyncioInvoker()
        return await invoker.to_its_end(Carrier(self, invoker).run(goal, variables))

    async def recover(self) -> Status | None:
        """Settle the runs that earlier processes left unfinished, as `Saga.recover`; None when there is none."""
        invoker = AsyncioInvoker()
        return await invoker.to_its_end(Carrier(self, invoker).recover())

    async def resume(self, run: str) -> Status:
        """Go on forward with one run that a process left, whatever `after_crash` says."""
        invoker = AsyncioInvoker()
        return await invoker.to_its_end(ByHand(Carrier(self, invoker)).resume(run))

    async def roll_back(self, run: str) -> Status:
        """Undo one run, also a complete one, as long as none of its steps is irreversible."""
        invoker = AsyncioInvoker()
        return await invoker.to_its_end(ByHand(Carrier(self, invoker)).roll_back(run))

    async def requeue(self, run: str) -> Status:
        """Undo a stuck run again: the cause of its dead letters is mended."""
        invoker = AsyncioInvoker()
        return await invoker.to_its_end(ByHand(Carrier(self, invoker)).requeue(run))

    async def hand_over(self, run: str, person: str, reason: str) -> Status:
        """Hand an unfinished run over to a person; until it is handed back no process of the agent touches anything."""
        invoker = AsyncioInvoker()
        return await invoker.to_its_end(ByHand(Carrier(self, invoker)).hand_over(run, person, reason))

    async def hand_back(self, run: str, decision: Decision, learned: Mapping[str, Any] | None = None) -> Status:
        """Hand a run back to the agent, which carries it to the end that the person decided on."""
        invoker = AsyncioInvoker()
        return await invoker.to_its_end(ByHand(Carrier(self, invoker)).hand_back(run, decision, learned))

    async def differences(self, run: str) -> list[Difference]:
        """Ask the outside about every step that can look, and give those about which the run's events are wrong."""
        invoker = AsyncioInvoker()
        return await invoker.to_its_end(Carrier(self, invoker).differences(run))

    def runs(self) -> list[Progress]:
        """Return the state of each run of this saga, oldest first."""
        return Carrier(self, AsyncioInvoker()).runs()

    async def outcome(self, run: str) -> Outcome:
        """Return the state of a run and its last variables; after a crash those that `run` would have returned."""
        invoker = AsyncioInvoker()
        return await invoker.to_its_end(Carrier(self, invoker).outcome(run))
