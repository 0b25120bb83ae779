"""A saga: steps that all happen, or whose effects are all taken back (Garcia-Molina and Salem, 1987).

Any number of processes may call `recover` and `run` of the same saga at the same time. One run at a time has the lock,
the others wait for it; a run is taken up from a process that is dead, or paused for longer than `lease_s`, and from no
other. A process that lost its run finds out before its next act and touches nothing more; its `run` raises `LeaseLost`.

    from pathlib import Path
    from rollproof.runtime import Refused, Saga, Step, Store

    def pay(run):
        raise Refused("no funds")       # for sure nothing happened

    cart = Path("cart.txt")
    fill = Step("fill", lambda run: cart.touch(), undo=lambda run: cart.unlink(missing_ok=True))
    with Store("agent.db") as store:
        saga = Saga(store, "order", [fill, Step("pay", pay, irreversible=True)])
        saga.recover()                              # what a service does when it starts
        try:
            saga.run("4 panels", {"sku": "panel"})  # everything is done when it returns
        except Refused:
            assert not cart.exists()                # and nothing when it raises

- Before a step acts, the undo log (the run's events in the journal) says that it may happen. After an error, or a crash
  and `recover`, what may have happened is undone, last first.
- Once an irreversible step is entered, the way is forward only: the step is repeated, with the same key, until its
  outcome is known. The one way back from there is an act that `Refused` the first time it was tried.
- `recover` appends real transitions only. With nothing to do it writes nothing; called again and again, or killed again
  and again, it comes to the same end.

The states of a run are drawn in `progress`; the run's lease is held from its first event to its last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .by_hand import ByHand
from .calls import BlockingInvoker, run_blocking
from .carrier import Carrier, Outcome
from .definition import Definition
from .progress import Decision, Progress, Status
from .reconcile import Difference


class Saga(Definition):
    """A named list of steps over one store. Make it anew in each process, with the same name and the same steps."""

    def run(self, goal: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Take every step, and return the variables at the end; returning means that everything is done.

        Raises:
            UnfinishedRun: A run that a process left, or that waits for a person, is in the way; said at once.
            LeaseHeld: Somebody who lives kept the lock for longer than our patience.
            TypeError: The variables are not JSON; nothing happened.
            LeaseLost: This process was paused for so long that another took its run up, and settles it.
            NeedsPerson: The run is with a person now, nothing is undone, and the agent touches nothing.
            BaseException: What went wrong; all is undone, unless a second error says why it could not be, which is for
                `recover` to mend then.
        """
        return run_blocking(self._carrier.run(goal, variables))

    def recover(self) -> Status | None:
        """Settle the runs that earlier processes left unfinished; None when there is none.

        One that another process is working on is waited for, up to `patience_s`; most end meanwhile, and are not ours.
        A run that is with a person, or stuck, is not for the agent to settle, and None says nothing of it: the status
        of each in `runs()` does. It goes on by `hand_back`, or by `requeue`.

        Returns:
            What became of the last one (of each: `outcome`): `COMPLETED` if it was past the point of no return, or is
            resumed after a crash; `ROLLED_BACK` otherwise, `STUCK` where an undo kept failing, `WITH_PERSON` where a
            step asked for one.

        Raises:
            JournalBroken: Somebody changed the journal; nothing was undone or repeated on its word.
            CheckpointDamaged: The run must go forward and cannot.
            UnknownStep: A step of it was renamed; nothing was done.
            LeaseHeld: Another process is still working on one.
            Exception: What an undo raised; call again. After `undo_passes` of that it is given up, the run is `STUCK`.
        """
        return run_blocking(self._carrier.recover())

    def resume(self, run: str) -> Status:
        """Go on forward with one run that a process left, whatever `after_crash` says."""
        return run_blocking(self._by_hand.resume(run))

    def roll_back(self, run: str) -> Status:
        """Undo one run, also a complete one, as long as none of its steps is irreversible.

        Raises:
            WrongState: It is past the point of no return, or there is nothing to undo.
        """
        return run_blocking(self._by_hand.roll_back(run))

    def requeue(self, run: str) -> Status:
        """Undo a stuck run again: the cause of its dead letters is mended."""
        return run_blocking(self._by_hand.requeue(run))

    def hand_over(self, run: str, person: str, reason: str) -> Status:
        """Hand an unfinished run over to a person; until it is handed back no process of the agent touches anything.

        It is taken from a process that works on it, too, whose next act or transition is refused.
        """
        return run_blocking(self._by_hand.hand_over(run, person, reason))

    def hand_back(self, run: str, decision: Decision, learned: Mapping[str, Any] | None = None) -> Status:
        """Hand a run back to the agent, which carries it to the end that the person decided on.

        Args:
            run: One that is with a person.
            decision: `GO_ON` repeats the step that asked for a person; `ROLL_BACK` undoes the run.
            learned: What the agent has to know now; variables, JSON.

        Raises:
            WrongState: It cannot be rolled back, since an irreversible step before the one that asked was taken, or
                the one that asked looked and was.
        """
        return run_blocking(self._by_hand.hand_back(run, decision, learned))

    def differences(self, run: str) -> list[Difference]:
        """Ask the outside about every step that can look, and give those about which the run's events are wrong."""
        return run_blocking(self._carrier.differences(run))

    def runs(self) -> list[Progress]:
        """Return the state of each run of this saga, oldest first; those that are not final are for `recover`.

        A step knows the id of its run, `Run.id`, and may note it where somebody will ask for the outcome.
        """
        return self._carrier.runs()

    def outcome(self, run: str) -> Outcome:
        """Return the state of a run and its last variables; after a crash those that `run` would have returned.

        Raises:
            UnknownRun: There is none; the last ones stand in the message.
            JournalBroken: Somebody changed the journal.
            CheckpointDamaged: What it knew last is damaged; older knowledge is no outcome.
        """
        return run_blocking(self._carrier.outcome(run))

    @property
    def _carrier(self) -> Carrier:
        return Carrier(self, BlockingInvoker())

    @property
    def _by_hand(self) -> ByHand:
        return ByHand(self._carrier)
