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

With several processes: any number may call `recover` and `run` of the same saga at the same time. One run at a time
has the lock, the others wait for it; a run is taken up from a process that is dead, or paused for longer than
`lease_s`, and from no other. A process that lost its run touches nothing more, and its `run` raises `LeaseLost`.

The states of a run are drawn in `progress`; the run's lease is held from its first event to its last.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Literal, TypeVar

from .alive import Alive
from .checkpoints import Checkpoint, Checkpoints, Restored
from .execution import Companion, Execution, Terms
from .journal import Journal, JournalBroken
from .locks import Lease, LeaseLost, Leases, is_abandoned, patiently, renewing
from .progress import Decision, Event, Progress, Status, all_runs, current, unfinished
from .reconcile import Difference, ForeignState, belief, differences
from .steps import NeedsPerson, Step, refuse_bad
from .store import Storage

T = TypeVar("T")
Work = Callable[[Execution, Restored], None]
"""What is done with a run that was taken up, and with what it remembers."""


class UnfinishedRun(Exception):
    """An earlier run has the lock and is neither done nor undone; its text says what settles it."""


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
            lease_s: How long a process may be paused before another takes its run up, in seconds. Steps may take
                longer: meanwhile the lease is renewed. One that died is not waited for where `alive` can tell.
            patience_s: How long to wait for a lease of a process that lives, in seconds.
            after_crash: Whether `recover` undoes what a dead process left, or goes on from its last good checkpoint.
            undo_tries: How often an undo is tried by one process.
            undo_passes: After how many failed passes, in as many recoveries, it is a dead letter.
            act_passes: After how many recoveries that could not go forward, and must, a run goes to a person.
            companions: Parts that take part in the transitions, such as the outbox.
            person: Who gets a run whose step says `NeedsPerson`, or that cannot go on, and hears of one that is stuck.

        Raises:
            ValueError: The steps make no saga.
        """
        refuse_bad(list(steps))
        self._store = store
        self._journal = Journal(store)
        self._leases = Leases(store)
        self._patience_s = patience_s
        self._resumes = after_crash == "resume"
        self._terms = Terms(lease_s, undo_tries, undo_passes, act_passes, tuple(companions), person)
        self.name = name
        self.lock = lock or name
        self.steps = tuple(steps)

    def run(self, goal: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Take every step, and give what the agent knows at the end; returning means that everything is done.

        Raises:
            UnfinishedRun: A run that a process left, or that waits for a person, is in the way; said at once.
            LeaseHeld: Somebody who lives kept the lock for longer than our patience.
            LeaseLost: This process was paused for so long that another took its run up, and settles it.
            NeedsPerson: The run is with a person now, nothing is undone, and the agent touches nothing.
            BaseException: What went wrong; all is undone, unless a second error says why it could not be, which is for
                `recover` to mend then.
        """
        with Alive(self._store.path) as alive:
            start = partial(self._start, uuid.uuid4().hex, goal, variables, alive)
            execution = patiently(self._store, start, self._patience_s)
            with self._renewing(execution):
                try:
                    self._forward(execution)
                except NeedsPerson as need:
                    execution.hand_over(self._terms.person, str(need))
                    raise
            return execution.variables

    def recover(self) -> Status | None:
        """Settle the runs that earlier processes left unfinished; None when there is none.

        One that another process is working on is waited for, up to `patience_s`; most end meanwhile, and are not ours.

        Returns:
            What became of the last one: `COMPLETED` if it was past the point of no return, or is resumed after a crash;
            `ROLLED_BACK` otherwise, `STUCK` where an undo kept failing, `WITH_PERSON` where a step asked for one.

        Raises:
            JournalBroken: Somebody changed the journal; nothing was undone or repeated on its word.
            CheckpointDamaged: The run must go forward and cannot.
            LeaseHeld: Another process is still working on one.
        """
        self._refuse_broken(lease.holder for lease in self._leases.all())
        return settle_all(self._settle, [run for run in unfinished(self._store) if run.saga == self.name])

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
        """Give an unfinished run to a person; until it is handed back no process of the agent touches anything.

        It is taken from a process that works on it, too, whose next act or transition is refused.
        """

        def give(execution: Execution, restored: Restored) -> None:
            execution.hand_over(person, reason)

        return self._by_hand(run, (Status.RUNNING,), give, by_force=True)

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
        progress, lease = self._find(run), Lease(self.lock, run, 0, 0.0)
        execution = self._execution(progress, lease, Alive(self._store.path), Checkpoints(self._store).load(run))
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

    def _renewing(self, execution: Execution) -> AbstractContextManager[None]:
        return renewing(self._store, lambda: execution.renewable, self._terms.lease_s)

    def _start(self, run: str, goal: str, variables: Mapping[str, Any], alive: Alive) -> Execution:
        """Enter the first step inside the open transaction: the run, its memory and its lease begin together."""
        self._refuse_unfinished(run, self.lock, alive)
        lease = self._leases.take(self.lock, run, self._terms.lease_s, alive)
        first = self.steps[0].name
        memory = Checkpoint(goal, first, dict(variables))
        Checkpoints(self._store).save(run, memory)
        entry = self._journal.append(run, Event.STARTED, saga=self.name, lock=self.lock, step=first)
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
        }.get(earlier.status, f"its process is gone: call recover() of {earlier.saga!r}, which settles it")
        raise UnfinishedRun(f"run {earlier.run} of {earlier.saga!r} is {earlier.status}; {todo}")

    def _settle(self, progress: Progress) -> Status:
        """Bring one unfinished run to its end: forward if it may not go back, back otherwise."""

        def settle(execution: Execution, restored: Restored) -> None:
            now = execution.progress
            forward = execution.only_forward or self._resumes or now.decision == Decision.GO_ON
            if now.status is Status.RUNNING and forward and now.decision != Decision.ROLL_BACK:
                self._go_on(execution, restored)
            else:
                execution.back("restart")

        return self._carry(progress, (Status.RUNNING, Status.UNDOING), settle)

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
            execution.hand_over(self._terms.person, str(need))
        except LeaseLost:
            raise
        except Exception as error:
            if not execution.only_forward:
                execution.settle(error)
            elif not execution.fail(error):
                raise

    def _by_hand(self, run: str, states: tuple[Status, ...], work: Work, *, by_force: bool = False) -> Status:
        """Do what a person asks of a run, if it is in a state in which that makes sense."""
        self._refuse_broken([run])
        progress = self._find(run)
        if progress.status not in states:
            raise WrongState(f"run {run} is {progress.status}; this needs one that is {' or '.join(states)}")
        return self._carry(progress, states, work, by_force=by_force)

    def _carry(self, progress: Progress, states: tuple[Status, ...], work: Work, *, by_force: bool = False) -> Status:
        """Take a run up, once nobody else carries it, and do some work on it; give what became of it.

        While somebody else carried it, it may have come to another state; then there is nothing to do.
        """
        with Alive(self._store.path) as alive:
            take_up = partial(self._take_up, progress, states, alive, by_force)
            execution, restored = patiently(self._store, take_up, self._patience_s)
            if execution.progress.status in states:
                with self._renewing(execution):
                    work(execution, restored)
            return execution.progress.status

    def _take_up(
        self, known: Progress, states: tuple[Status, ...], alive: Alive, by_force: bool
    ) -> tuple[Execution, Restored]:
        """Take the lease of a run inside the open transaction, with a new token, and what the run remembers."""
        progress, lock = current(self._journal, known.run), known.lock or self.lock
        restored = Checkpoints(self._store).load(progress.run)
        lease = Lease(lock, progress.run, 0, 0.0)
        if progress.status in states:
            self._refuse_unfinished(progress.run, lock, alive)
            forced = by_force or not progress.status.ours
            lease = self._leases.take(lock, progress.run, self._terms.lease_s, alive, by_force=forced)
        return self._execution(progress, lease, alive, restored), restored

    def _execution(self, progress: Progress, lease: Lease, alive: Alive, restored: Restored) -> Execution:
        memory = restored.checkpoint or Checkpoint("", (*progress.entered, "")[0], {})
        return Execution(self._store, self.steps, progress, lease, alive, memory, self._terms)

    def _find(self, run: str) -> Progress:
        progress = current(self._journal, run)
        if progress.seq and progress.saga == self.name:
            return progress
        known = [progress for progress in all_runs(self._journal) if progress.saga == self.name]
        raise UnknownRun(f"{self.name!r} has no run {run!r}; the last ones are {[each.run for each in known[-3:]]}")

    def _refuse_broken(self, runs: Iterable[str]) -> None:
        """Make sure that the journal is as it was written from the first event of these runs on."""
        broken = self._journal.verify(runs)
        if broken is not None:
            raise JournalBroken(f"{self._store.path}: {broken.reason}; the events before it are sound")
