"""One process carrying one run: forward to its end, or back to its beginning.

With several processes: of two that carry the same run only one can go on. Every transition is one transaction that
first makes sure of two things: the lease is still this process's, and the run's last event is the one it knows. Every
act, undo and look is preceded by a look at the lease, too: a process that was paused, and whose run another has taken
up meanwhile, acts no more when it wakes up. Between that look and the act itself it can still be paused; what must not
happen even then shows the token to what it writes to (`fencing`), and an act of many parts asks `Run.check` before
each.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from .alive import Alive
from .calls import Invoker
from .checkpoints import Checkpoint, Checkpoints, keep, load
from .dead_letters import DeadLetter, DeadLetters
from .definition import Definition
from .journal import Journal
from .locks import PERSON_S, Lease, LeaseLost, Leases
from .progress import Decision, Event, Progress, Status, current
from .reconcile import ForeignState, Found, Reality
from .retry import Verdict, classify, is_refused_key
from .steps import Refused, Run, Step, Undo, found_by, learned_by
from .store import Storage

FIRST_PAUSE_S = 0.1
"""How long to wait before an undo is tried again; doubled each time."""
_log = logging.getLogger("rollproof.runtime")
_ancestors: list[None] = []
"""An entry for each fork between the process that imported this and the running one, to tell child from parent."""
os.register_at_fork(after_in_child=lambda: _ancestors.append(None))


@dataclass(frozen=True, slots=True)
class _Known:
    """The progress and the lease of a run as this process last stored them; the renewing thread reads them.

    It is replaced as a whole: the thread sees no lease beside the progress of another moment.
    """

    progress: Progress
    lease: Lease


class Execution:
    """A run that this process carries; `progress` is its state as this process last stored or read it."""

    def __init__(
        self,
        store: Storage,
        checkpoints: Checkpoints,
        steps: Sequence[Step],
        progress: Progress,
        lease: Lease,
        alive: Alive,
        memory: Checkpoint,
        invoker: Invoker,
        terms: Definition,
    ) -> None:
        """Carry a run from where it stands, under a lease that `alive` holds; nothing is written."""
        self._store, self._checkpoints = store, checkpoints
        self._steps = {step.name: step for step in steps}
        self._order = [step.name for step in steps]
        self._known, self._alive = _Known(progress, lease), alive
        self._memory = memory
        self._invoker = invoker
        self._forks = len(_ancestors)
        self._terms = terms
        self._attempting = ("", "")
        self._refused = False

    @property
    def progress(self) -> Progress:
        """Where the run stands."""
        return self._known.progress

    @property
    def _lease(self) -> Lease:
        return self._known.lease

    @property
    def variables(self) -> dict[str, Any]:
        """The variables by now."""
        return dict(self._memory.variables)

    @property
    def renewable(self) -> Lease | None:
        """The lease as long as there is work to do; that of a run that waits for a person needs no renewal."""
        known = self._known  # read once: this is asked by the thread that renews
        return known.lease if known.progress.status.ours else None

    @property
    def is_in_child(self) -> bool:
        """Whether this process is a fork of the process that took the run up; only that one carries it."""
        return len(_ancestors) != self._forks

    @property
    def only_forward(self) -> bool:
        """Whether the run passed the point of no return: an irreversible step may have happened."""
        possible = self.progress.entered[:-1] if self._refused else self.progress.entered
        running = self.progress.status in (Status.RUNNING, Status.COMPLETED)
        return running and any(self._steps[name].irreversible for name in possible)

    async def forward(self) -> None:
        """Act from the entered step to the last, and complete the run."""
        await self._finish(await self._act())

    async def resume(self) -> None:
        """Go forward in a new process: the step that was entered may have happened, or half.

        Where the step can look, the outside says so. Where it cannot, has an undo and is not repeatable, what may be
        half done is undone first, and the act gets another key. Else the act is repeated, with the same key.

        Raises:
            ForeignState: Something that is not ours is in its place.
        """
        step, found = self._step, await self.look(self._step.name)
        if found is None and step.undo and not step.repeatable:
            self._check()
            await self._invoker.call(step.undo, self._view(step.name))
            await self._record(Event.RETAKEN, step.name)
        if found is None or found.reality is Reality.ABSENT:
            return await self.forward()
        if found.reality is Reality.FOREIGN:
            raise ForeignState(f"step {step.name!r} of run {self.progress.run}: what is there is not ours")
        return await self._finish(found.learned)

    async def rewind(self) -> None:
        """Undo the steps after the last whole checkpoint: newer checkpoints are damaged."""
        while self._memory.position in self.progress.entered[:-1]:
            name = self.progress.entered[-1]
            problem = await self._try_undo(name)
            if problem is not None:
                raise problem
            await self._record(Event.REWOUND, name)

    async def back(self, reason: str) -> None:
        """Undo each step that may have happened, last first, and end the run; called again it goes on where it stopped.

        An undo that keeps failing ends this pass, since what was done before it may be needed to take it back. After
        the last pass it is a dead letter, the rest is undone without it, and the run is stuck. A pass that a revoked
        key ended does not count: no undo is to blame for that, and all of them work again with the key.

        Raises:
            Exception: What the undo raised; the run stays unfinished.
        """
        if self.progress.status in (Status.RUNNING, Status.COMPLETED):
            await self._record(Event.ABANDONED, reason=reason)
        for name in reversed(self.progress.entered):
            problem = None if self._given_up(name) else await self._try_undo(name)
            if problem is not None and is_refused_key(problem):
                raise problem
            if problem is not None:
                await self._record(Event.UNDO_FAILED, name, error=type(problem).__name__)
                if not self._given_up(name):
                    raise problem
            elif not self._given_up(name):
                await self._record(Event.UNDONE, name)
        if self.progress.entered:
            await self._give_up()
        else:
            await self._record(Event.ROLLED_BACK)

    async def settle(self, error: BaseException) -> Status:
        """Bring a run that an error stopped to an end, as a new process would: by the stored state.

        One thing we know better: an act that `Refused` was tried for the first time, so its step has a way back. A
        later refusal is none, since the try before may have got through.

        Raises:
            LeaseLost: Another process has it in hand.
            BaseException: The cause lasts. The run stays unfinished, and keeps its lease, until recovery settles it.
        """
        await self._read_again()
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
        await self._read_again()
        await self._record(Event.HANDED_OVER, person=person, reason=reason)

    async def hand_back(self, decision: Decision, learned: Mapping[str, Any]) -> None:
        """Take the run back from a person, with their decision and further variables."""
        memory = self._remembering(self.progress.entered[-1], learned)
        await self._record(Event.HANDED_BACK, memory=memory if learned else None, decision=decision)
        self._memory = memory

    async def irreversibly_done(self) -> bool:
        """Return whether an irreversible step is known to be taken; the entered one is known only if it can look."""
        *done, entered = self.progress.entered
        if any(self._steps[name].irreversible for name in done):
            return True
        found = await self.look(entered) if self._steps[entered].irreversible else None
        return found is not None and found.reality is Reality.PRESENT

    async def fail(self, error: Exception) -> bool:
        """Count a recovery that had to go forward and could not; after the last one the run goes to a person.

        One that a revoked key stopped does not count.

        Returns:
            Whether it did.
        """
        if is_refused_key(error):
            return False
        await self._read_again()
        step = self.progress.entered[-1]
        await self._record(Event.ACT_FAILED, step, error=type(error).__name__)
        if not self._given_up(step, self._terms.act_passes):
            return False
        await self.hand_over(
            self._terms.person, f"{step} must be done and failed {self._terms.act_passes} times: {type(error).__name__}"
        )
        return True

    async def requeue(self) -> None:
        """Let a stuck run be undone again, its dead letters with it."""
        await self._record(Event.REQUEUED)

    @property
    def _step(self) -> Step:
        return self._steps[self.progress.entered[-1]]

    def _view(self, step: str) -> Run:
        take, memory = self.progress.takes.count(step), self._memory
        known = MappingProxyType(dict(memory.variables))  # what a step learns it returns, or a crash would lose it
        companions = tuple(self._terms.companions)
        return Run(self.progress.run, step, memory.goal, known, self._lease.token, take, self._check, companions)

    def _check(self) -> None:
        """Make sure that no other process has taken the run up since, and that this process is no fork of its holder.

        Raises:
            LeaseLost: Nothing may be touched any more.
        """
        if self.is_in_child:
            raise LeaseLost(f"run {self.progress.run} is carried by the process from which this one was forked")
        Leases(self._store).check(self._lease)

    async def _act(self) -> Mapping[str, Any]:
        """Take the entered step, and return its variables."""
        self._check()
        step = self._step
        return learned_by(step.name, await self._invoker.act(step.act, self._view(step.name)))

    async def look(self, name: str, *, held: bool = True) -> Found | None:
        """Ask the outside whether a step happened; None where the step cannot.

        `held` says that this process carries the run, and makes sure of it; anybody may look else.
        """
        look = self._steps[name].look
        if look and held:
            self._check()
        elif look:
            return found_by(name, await self._invoker.call(look, replace(self._view(name), check=lambda: None)))
        return found_by(name, await self._invoker.call(look, self._view(name))) if look else None

    async def _give_up(self) -> None:
        """Leave the run stuck, its lock with it, and let a person know which undo failed with which error."""
        letters = [each for each in DeadLetters(self._store).all() if each.run == self.progress.run]
        errors = {letter.step: letter.reason for letter in letters if letter.kind == "undo"}
        left = ", ".join(f"{name} ({errors[name]})" for name in self.progress.entered)
        reason = f"{left} could not be undone, and the lock {self._lease.name!r} is kept"
        await self._record(Event.GAVE_UP, person=self._terms.person, reason=reason)
        _log.error("run %s is stuck: %s; requeue or dismiss its dead letters", self.progress.run, reason)

    async def _finish(self, learned: Mapping[str, Any]) -> None:
        """Save the variables of the entered step, and take the steps after it."""
        while following := self._order[self._order.index(self.progress.entered[-1]) + 1 :][:1]:
            memory = self._remembering(following[0], learned)
            await self._record(Event.ENTERED, following[0], memory if learned else None)
            self._memory = memory
            learned = await self._act()
        self._memory = self._remembering(self.progress.entered[-1], learned)
        await self._record(Event.COMPLETED, memory=self._memory if learned else None)

    async def _try_undo(self, name: str) -> Exception | None:
        """Undo one step, in several tries unless no call will work; return the last error, None if it is undone."""
        undo, problem = self._steps[name].undo, None
        for number in range(self._terms.undo_tries if undo else 0):
            if number:
                await self._invoker.pause(FIRST_PAUSE_S * 2 ** (number - 1))
            try:
                await self._undo_what_is_there(name, undo)
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
        _log.warning(
            "run %s: the undo of %s failed: %s", self.progress.run, name, type(error).__name__, exc_info=details
        )

    async def _undo_what_is_there(self, name: str, undo: Undo | None) -> None:
        found = await self.look(name)
        if found is not None and found.reality is Reality.FOREIGN:
            raise ForeignState(
                f"step {name!r} of run {self.progress.run}: what is there is not ours; nothing is undone"
            )
        if undo is not None and (found is None or found.reality is Reality.PRESENT):
            self._check()
            await self._invoker.call(undo, self._view(name))

    def _given_up(self, name: str, passes: int = 0) -> bool:
        return self.progress.failed.count(name) >= (passes or self._terms.undo_passes)

    def _remembering(self, position: str, learned: Mapping[str, Any]) -> Checkpoint:
        return Checkpoint(self._memory.goal, position, {**self._memory.variables, **learned})

    async def _record(self, event: Event, step: str = "", memory: Checkpoint | None = None, **detail: str) -> None:
        """Make one transition: the event, a changed memory, and at the end of the run its lease, all or nothing."""
        self._attempting = (event, step)
        journal, leases = Journal(self._store), Leases(self._store)
        kept = await keep(self._checkpoints, memory, self._invoker) if memory is not None else None
        with self._store.transaction():
            self._check()
            self._refuse_unknown(current(journal, self.progress.run), self.progress.seq)
            entry = journal.append(self.progress.run, event, **({"step": step} if step else {}), **detail)
            progress = self.progress.after(entry)
            if kept is not None:
                self._checkpoints.save(progress.run, kept)
            self._bury(progress, event, step, detail)
            for companion in self._terms.companions:
                companion.follow(progress.run, event)
            lease = self._leased(leases, progress, event)
        self._known = _Known(progress, lease)

    def _leased(self, leases: Leases, progress: Progress, event: Event) -> Lease:
        """Release the lease with the end of the run, pass it on with its owner, keep it while there is work."""
        lasts_s = self._terms.lease_s
        if progress.status.over:
            leases.release(self._lease)
        elif not progress.status.ours:
            return leases.pass_on(self._lease, PERSON_S, None)
        elif self._lease.expires_at - time.time() < lasts_s / 2:  # not sooner: that would be a write for nothing
            return leases.renew(self._lease, lasts_s)
        return self._lease

    def _bury(self, progress: Progress, event: Event, step: str, detail: Mapping[str, str]) -> None:
        """Keep a dead letter of an undo that failed too often; take it away where the run gets another chance."""
        letters, passes = DeadLetters(self._store), self._terms.undo_passes
        if event is Event.UNDO_FAILED and progress.failed.count(step) >= passes:
            key = f"{progress.run}:{step}:undo"
            letters.add(DeadLetter(key, progress.run, "undo", dict(self._memory.variables), detail["error"], passes))
        if event is Event.REQUEUED:
            letters.remove_run(progress.run, "undo")

    async def _read_again(self) -> None:
        """Read the stored state after an error, which may have come from a commit that did happen."""
        stored = current(Journal(self._store), self.progress.run)
        if stored.last != self._attempting:
            self._refuse_unknown(stored, self.progress.seq)
        self._known = replace(self._known, progress=stored)
        if not stored.status.final:
            restored = await load(self._checkpoints, stored.run, self._invoker)
            self._memory = restored.checkpoint or self._memory

    def _refuse_unknown(self, stored: Progress, known: int) -> None:
        if stored.seq != known:
            raise LeaseLost(f"run {stored.run} is {stored.status} after event {stored.seq}, we knew event {known}")
