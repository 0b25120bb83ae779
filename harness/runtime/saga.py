"""A saga: steps that all happen, or whose effects are all taken back (Garcia-Molina and Salem, 1987).

    saga = Saga(store, "publish", [Step("stage", stage, undo=discard), Step("mail", mail, irreversible=True)])
    saga.run("A report on solar power", {"topic": "solar"})     # everything is done, or it raises
    saga.recover()                                              # what the service calls when it starts

- Before a step acts, the undo log (the run's events in the journal) says that it may happen. After an error, or a crash
  and `recover`, what may have happened is undone, last first.
- Once an irreversible step is entered, the way is forward only: the step is repeated, with the same key, until its
  outcome is known. The one way back from there is an act that `Refused` the first time it was tried.
- `recover` appends real transitions only. With nothing to do it writes nothing; called again and again, or killed again
  and again, it comes to the same end.

The states of a run are drawn in `progress`; the run's lease is held from its first event to its last.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, Literal, TypeVar

from .checkpoints import Checkpoint, Checkpoints, Restored
from .execution import Companion, Execution, Terms
from .journal import Journal, JournalBroken
from .locks import Lease, LeaseHeld, LeaseLost, Leases, wait
from .progress import Decision, Event, Progress, Status, all_runs, unfinished
from .reconcile import Difference, ForeignState, belief, differences
from .steps import NeedsPerson, Step, refuse_bad
from .store import Storage

T = TypeVar("T")


class UnfinishedRun(Exception):
    """An earlier run of this saga is neither done nor undone; `recover` settles it."""


class CheckpointDamaged(Exception):
    """A run must go forward and what it knew last is damaged; older knowledge could do the wrong thing."""


class UnknownRun(LookupError):
    """There is no such run of this saga."""


class WrongState(Exception):
    """The run is in a state in which this cannot be asked of it."""


def settle_all(settle: Callable[[T], Status | None], runs: Sequence[T]) -> Status | None:
    """Settle each, so that one that cannot be keeps up no other; give what became of the last.

    Raises:
        Exception: The first that one of them raised, when all were tried.
    """
    status, problems = None, []
    for each in runs:
        try:
            status = settle(each)
        except Exception as error:
            problems.append(error)
    if problems:
        raise problems[0]
    return status


class Saga:
    """A named list of steps over one store. Make it anew in each process, with the same name and the same steps."""

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
        person: str = "operator",
    ) -> None:
        """Describe the saga; nothing is opened or written.

        Args:
            store: The agent's own database.
            name: Finds the runs of this saga again; never reuse it for other steps.
            steps: In their order.
            lock: What must not be worked on by two runs at once; the saga's name if not given.
            lease_s: How long a run that died keeps others out, in seconds; longer than a step takes.
            patience_s: How long to wait for somebody else's lease, in seconds.
            after_crash: Whether `recover` undoes what a dead process left, or goes on from its last good checkpoint.
            undo_tries: How often an undo is tried by one process.
            undo_passes: After how many failed passes, in as many recoveries, it is a dead letter.
            act_passes: After how many recoveries that could not go forward, and must, a run goes to a person.
            companions: Parts that take part in the transitions, such as the outbox.
            person: Who gets a run whose step says `NeedsPerson`, or that cannot go on.

        Raises:
            ValueError: The steps make no saga.
        """
        refuse_bad(list(steps))
        self._store = store
        self._journal = Journal(store)
        self._leases = Leases(store)
        self._patience_s = patience_s
        self._resumes = after_crash == "resume"
        self._terms = Terms(lease_s, undo_tries, undo_passes, act_passes, tuple(companions))
        self._person = person
        self.name = name
        self.lock = lock or name
        self.steps = tuple(steps)

    def run(self, goal: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Take every step, and give what the agent knows at the end; returning means that everything is done.

        Raises:
            UnfinishedRun: An earlier run is in the way.
            LeaseHeld: Somebody else kept the lock for longer than our patience.
            NeedsPerson: The run is with a person now, nothing is undone, and the agent touches nothing.
            BaseException: What went wrong; all is undone, unless a second error says why it could not be, which is for
                `recover` to mend then.
        """
        execution = self._patiently(lambda: self._start(uuid.uuid4().hex, goal, variables))
        try:
            self._forward(execution)
        except NeedsPerson as need:
            execution.hand_over(self._person, str(need))
            raise
        return execution.variables

    def recover(self) -> Status | None:
        """Settle the runs that earlier processes left unfinished; None when there is none.

        Returns:
            What became of the last one: `COMPLETED` if it was past the point of no return, or is resumed after a crash;
            `ROLLED_BACK` otherwise, `STUCK` where an undo kept failing, `WITH_PERSON` where a step asked for one.

        Raises:
            JournalBroken: Somebody changed the journal; nothing was undone or repeated on its word.
            CheckpointDamaged: The run must go forward and cannot.
        """
        self._refuse_broken()
        return settle_all(self._settle, unfinished(self._journal, self.name))

    def resume(self, run: str) -> Status:
        """Go on with one run that a process left, forward, whatever `after_crash` says."""
        return self._by_hand(run, (Status.RUNNING,), self._go_on)

    def roll_back(self, run: str) -> Status:
        """Undo one run, also one that is complete: as long as none of its steps is irreversible.

        Raises:
            WrongState: It is past the point of no return, or there is nothing to undo.
        """

        def undo(execution: Execution, restored: Restored) -> None:
            if execution.only_forward:
                raise WrongState(f"run {run} took an irreversible step: it can only be resumed")
            execution.back("asked")

        return self._by_hand(run, (Status.RUNNING, Status.UNDOING, Status.COMPLETED), undo)

    def requeue(self, run: str) -> Status:
        """Let a stuck run be undone again: the cause of its dead letters is mended."""

        def again(execution: Execution, restored: Restored) -> None:
            execution.requeue()
            execution.back("requeued")

        return self._by_hand(run, (Status.STUCK,), again)

    def hand_over(self, run: str, person: str, reason: str) -> Status:
        """Give an unfinished run to a person; until it is handed back no process of the agent touches anything."""
        return self._by_hand(run, (Status.RUNNING,), lambda execution, _: execution.hand_over(person, reason))

    def hand_back(self, run: str, decision: Decision, learned: Mapping[str, Any] | None = None) -> Status:
        """Give a run back to the agent, which carries it to the end that the person decided on.

        Args:
            run: One that is with a person.
            decision: `GO_ON` repeats the step that asked for a person; `ROLL_BACK` undoes the run.
            learned: What the agent has to know now; variables, JSON.

        Raises:
            WrongState: It cannot be rolled back, since an irreversible step before the one that asked was taken, or
                the one that asked looked and was.
        """

        def back(execution: Execution, restored: Restored) -> None:
            if decision is Decision.ROLL_BACK and execution.irreversibly_done():
                raise WrongState(f"run {run} took an irreversible step: it can only go on")
            execution.hand_back(decision, learned or {})
            if decision is Decision.GO_ON:
                self._go_on(execution, restored)
            else:
                execution.back("person")

        return self._by_hand(run, (Status.WITH_PERSON,), back)

    def differences(self, run: str) -> list[Difference]:
        """Ask the outside about every step that can look, and give those about which the run's events are wrong."""
        progress = self._find(run)
        execution = self._execution(progress, Lease(self.lock, run, 0, 0.0), Checkpoints(self._store).load(run))
        looks = {step.name: found.reality for step in self.steps if (found := execution.look(step.name))}
        order = [step.name for step in self.steps]
        return list(differences({name: belief(progress, name, order) for name in looks}, looks))

    def _forward(self, execution: Execution) -> None:
        try:
            execution.forward()
        except (LeaseLost, NeedsPerson):
            raise
        except BaseException as error:
            if execution.settle(error) is not Status.COMPLETED:
                raise

    def _start(self, run: str, goal: str, variables: Mapping[str, Any]) -> Execution:
        """Enter the first step inside the open transaction: the run, its memory and its lease begin together."""
        lease = self._leases.take(self.lock, run, self._terms.lease_s)
        for earlier in unfinished(self._journal, self.name):
            raise UnfinishedRun(f"run {earlier.run} of {self.name!r} is still {earlier.status}; call recover() first")
        first = self.steps[0].name
        memory = Checkpoint(goal, first, dict(variables))
        Checkpoints(self._store).save(run, memory)
        entry = self._journal.append(run, Event.STARTED, saga=self.name, step=first)
        for companion in self._terms.companions:
            companion.follow(run, Event.STARTED)
        return self._execution(Progress(run).after(entry), lease, Restored(memory, ()))

    def _settle(self, progress: Progress) -> Status:
        """Bring one unfinished run to its end: forward if it may not go back, back otherwise."""
        execution, restored = self._take_up(progress)
        forward = execution.only_forward or self._resumes or progress.decision == Decision.GO_ON
        if progress.status is Status.RUNNING and forward and progress.decision != Decision.ROLL_BACK:
            self._go_on(execution, restored)
        else:
            execution.back("restart")
        return execution.progress.status

    def _go_on(self, execution: Execution, restored: Restored) -> None:
        """Go forward, from the last good checkpoint; hand over where a person must look, settle any other error."""
        run = execution.progress.run
        if restored.damaged and (execution.only_forward or restored.checkpoint is None):
            raise CheckpointDamaged(
                f"run {run} must go on from {execution.progress.entered[-1]!r}, "
                f"and its checkpoint {restored.damaged[0]} is damaged; restore {self._store.path} from a copy"
            )
        try:
            if restored.damaged:
                execution.rewind()
            execution.resume()
        except (NeedsPerson, ForeignState) as need:
            execution.hand_over(self._person, str(need))
        except LeaseLost:
            raise
        except Exception as error:
            if not execution.only_forward:
                execution.settle(error)
            elif not execution.fail(error, self._person):
                raise

    def _by_hand(self, run: str, states: tuple[Status, ...], work: Callable[[Execution, Restored], None]) -> Status:
        """Do what a person asks of a run, if it is in a state in which that makes sense."""
        self._refuse_broken()
        progress = self._find(run)
        if progress.status not in states:
            raise WrongState(f"run {run} is {progress.status}; this needs one that is {' or '.join(states)}")
        execution, restored = self._take_up(progress)
        work(execution, restored)
        return execution.progress.status

    def _take_up(self, progress: Progress) -> tuple[Execution, Restored]:
        """Take the lease of a run, or take it up, and what the run remembers."""
        restored = Checkpoints(self._store).load(progress.run)
        lease = self._leases.find(self.lock)
        if lease is None or lease.holder != progress.run or lease.expires_at <= time.time():
            lease = self._patiently(lambda: self._leases.take(self.lock, progress.run, self._terms.lease_s))
        return self._execution(progress, lease, restored), restored

    def _execution(self, progress: Progress, lease: Lease, restored: Restored) -> Execution:
        memory = restored.checkpoint or Checkpoint("", (*progress.entered, "")[0], {})
        return Execution(self._store, self.steps, progress, lease, memory, self._terms)

    def _find(self, run: str) -> Progress:
        known = [progress for progress in all_runs(self._journal) if progress.saga == self.name]
        for progress in known:
            if progress.run == run:
                return progress
        raise UnknownRun(f"{self.name!r} has no run {run!r}; the last ones are {[each.run for each in known[-3:]]}")

    def _refuse_broken(self) -> None:
        broken = self._journal.verify()
        if broken is not None:
            raise JournalBroken(f"{self._store.path}: {broken.reason}; the events before it are sound")

    def _patiently(self, take: Callable[[], T]) -> T:
        """Do something that takes the lease in a transaction, waiting as long as somebody else holds it."""
        until = time.time() + self._patience_s
        for looks in count():
            try:
                with self._store.transaction():
                    return take()
            except LeaseHeld as held:
                if time.time() >= until:
                    raise
                wait(held.lease, looks)
        raise AssertionError("count() never ends")
