"""The law of the thing: random programs of steps, failures and restarts, against a model of a few lines.

The model knows no journal and no lease: a run is all done or all undone, its effects appear once, and what a person
decides is what happens.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from rollproof.runtime import (
    DeadLetters,
    Decision,
    Journal,
    Leases,
    NeedsPerson,
    Outbox,
    Refused,
    Run,
    Saga,
    Status,
    Step,
    Store,
)
from rollproof.runtime.progress import all_runs

FINE, RAISE_BEFORE, RAISE_AFTER, DIE_BEFORE, DIE_AFTER, REFUSE, PERSON = range(7)


class Died(BaseException):
    """The process ends here: nothing of it runs any more."""


class Outside:
    """What the effects of one run are: a set of names; undo can be told to fail."""

    def __init__(self) -> None:
        self.effects: list[str] = []
        self.sent: list[str] = []
        self.undo_failures = 0


class Program(RuleBasedStateMachine):
    """One agent, one run after the other, each of random steps with a fault in one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.outside = Outside()
        self.faults: dict[str, int] = {}
        self.reversible, self.irreversible = 1, 0
        self.resumes = False
        self.expected: set[tuple[str, ...]] = {()}
        self.dead = self.waiting = False
        self.store: Any = None

    @initialize(reversible=st.integers(1, 4), irreversible=st.integers(0, 2), resumes=st.booleans())
    def program(self, reversible: int, irreversible: int, resumes: bool) -> None:
        """Draw what the agent is made of."""
        self.reversible, self.irreversible, self.resumes = reversible, irreversible, resumes

    def names(self) -> list[str]:
        """Give the names of the steps."""
        return [f"r{n}" for n in range(self.reversible)] + [f"i{n}" for n in range(self.irreversible)]

    def act(self, run: Run) -> dict[str, int] | None:
        """Have an effect, once for each key; fail where it is drawn, once."""
        fault = self.faults.pop(run.step, FINE)
        if fault == PERSON:
            raise NeedsPerson("somebody must look")
        if fault in (RAISE_BEFORE, DIE_BEFORE, REFUSE):
            raise {RAISE_BEFORE: RuntimeError(), DIE_BEFORE: Died(), REFUSE: Refused()}[fault]
        if run.step not in self.outside.effects:
            self.outside.effects.append(run.step)
        with self.store.transaction():
            Outbox(self.store).add(run, run.key, "mail", {"step": run.step})
        if fault in (RAISE_AFTER, DIE_AFTER):
            raise RuntimeError if fault == RAISE_AFTER else Died
        return {run.step: 1}

    def undo(self, run: Run) -> None:
        """Take the effect back; gone is fine. It is always the newest one."""
        if self.outside.undo_failures:
            self.outside.undo_failures -= 1
            raise OSError("not now")
        if run.step in self.outside.effects:
            assert self.outside.effects[-1] == run.step
            self.outside.effects.remove(run.step)

    def saga(self) -> Saga:
        """Give the saga as each new process makes it."""
        self.store = Store(Path(self.folder.name) / "agent.db")
        steps = [
            Step(name, self.act, None if name[0] == "i" else self.undo, irreversible=name[0] == "i")
            for name in self.names()
        ]
        after: Any = "resume" if self.resumes else "roll_back"
        return Saga(
            self.store, "s", steps, after_crash=after, undo_tries=1, undo_passes=99, companions=[Outbox(self.store)]
        )

    def living(self, work: Any) -> None:
        """Be a process: it works until it returns, raises, or dies; dead, its handlers do nothing either."""
        saga = self.saga()
        try:
            work(saga)
            self.dead = self.waiting = False
        except NeedsPerson:
            self.waiting = True
        except Died:
            self.dead = True
        except (RuntimeError, Refused):
            self.dead = False
        except OSError:
            self.dead = True
        finally:
            self.store.close()
            unfinished = [run for run in self.runs() if not run.status.final]
            self.waiting = any(run.status is Status.WITH_PERSON for run in unfinished)
            self.dead = bool(unfinished) and not self.waiting

    def runs(self) -> list[Any]:
        """Give all runs."""
        with Store(Path(self.folder.name) / "agent.db") as store:
            return all_runs(Journal(store))

    @precondition(lambda self: not self.dead and not self.waiting)
    @rule(at=st.integers(0, 5), fault=st.integers(FINE, PERSON), undo_failures=st.integers(0, 2))
    def run_it(self, at: int, fault: int, undo_failures: int) -> None:
        """Start a run with a fault in one of its steps."""
        names = self.names()
        self.outside.effects.clear()
        self.faults = {names[at % len(names)]: fault}
        self.outside.undo_failures = undo_failures
        self.living(lambda saga: saga.run("goal", {}))

    @precondition(lambda self: self.dead)
    @rule(at=st.integers(0, 5), fault=st.sampled_from([FINE, DIE_BEFORE, DIE_AFTER, RAISE_AFTER]))
    def restart(self, at: int, fault: int) -> None:
        """Start again; a step that is taken may fail again."""
        names = self.names()
        self.faults = {names[at % len(names)]: fault}
        self.living(lambda saga: saga.recover())

    @precondition(lambda self: self.waiting)
    @rule(decision=st.sampled_from(list(Decision)))
    def person(self, decision: Decision) -> None:
        """Hand the run back."""
        irreversible = any(name[0] == "i" for name in self.runs()[-1].entered[:-1])
        if irreversible:
            decision = Decision.GO_ON
        run = self.runs()[-1].run
        self.living(lambda saga: saga.hand_back(run, decision))

    @precondition(lambda self: self.waiting)
    @rule()
    def restart_while_a_person_has_it(self) -> None:
        """The agent touches nothing."""
        before = list(self.outside.effects)
        self.living(lambda saga: saga.recover())
        assert self.waiting
        assert self.outside.effects == before

    @invariant()
    def all_or_nothing(self) -> None:
        """What is over is whole or gone, with its messages; nothing holds a lease for it."""
        runs = self.runs()
        if not runs or not runs[-1].status.final:
            return
        done = runs[-1].status is Status.COMPLETED
        assert self.outside.effects == (self.names() if done else [])
        with Store(Path(self.folder.name) / "agent.db") as store:
            messages = [message.body["step"] for message in Outbox(store).messages(runs[-1].run)]
            assert sorted(set(messages)) == (sorted(self.names()) if done else [])
            assert Leases(store).all() == []
            assert DeadLetters(store).all() == []
            assert Journal(store).verify() is None

    @invariant()
    def irreversible_is_never_undone(self) -> None:
        """A run with an irreversible effect ends complete, if it ends."""
        runs = self.runs()
        if runs and runs[-1].status is Status.ROLLED_BACK:
            assert not [name for name in self.outside.effects if name[0] == "i"]

    def teardown(self) -> None:
        """Remove the database."""
        self.folder.cleanup()


TestProgram = Program.TestCase
TestProgram.settings = settings(
    max_examples=50, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
