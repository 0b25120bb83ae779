"""Agents in processes of their own, beside each other: stopped, killed and waked at each of their transitions."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from processes import DONE, ended, signal_itself, started
from rollproof.runtime import Journal, Run, Saga, Status, Step, Store, UnfinishedRun
from rollproof.runtime.progress import all_runs

SHORT_S = 0.25
"""A lease that is waited for in real time."""
STEPS = ("a", "b", "c")
REPLICAS_THAT_DIE = 1


class SignallingStore(Store):
    """A store whose process sends itself a signal before, or just after, its transaction number `at` (from 1).

    Those that succeed are counted, over all stores of the process, but for the renewals of a lease. None of those is
    under way when the signal comes: a process that is stopped in the middle of a transaction keeps everybody from the
    database.
    """

    at, after, sign, count = 0, True, signal.SIGKILL, 0
    renewing = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do everything in the block, or nothing of it."""
        here = SignallingStore.count + 1 == self.at
        if here and not self.after:
            self._signal()
        with super().transaction():
            yield
        SignallingStore.count += 1
        if here and self.after:
            self._signal()

    def new_connection(self) -> Store:
        """Give what the thread that renews the lease uses."""
        return Renewing(self.path, busy_s=self._busy_s)

    def _signal(self) -> None:
        with self.renewing:
            signal_itself(self.sign)


class Renewing(Store):
    """What the thread that renews the lease of a `SignallingStore` process uses."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do everything in the block, or nothing of it."""
        with SignallingStore.renewing, super().transaction():
            yield


class Agent:
    """Puts a file for each step outside, named after run and step; each act asks once more whether the run is its."""

    def __init__(self, root: Path, *, lease_s: float = 3000.0, between: Callable[[Run], None] | None = None) -> None:
        self.outside, self.own = root / "outside", root / "own"
        self.lease_s, self.between = lease_s, between
        for folder in (self.outside, self.own):
            folder.mkdir(exist_ok=True)

    def saga(self, store: Store, patience_s: float = 60.0) -> Saga:
        """Three steps, each of which can be taken back."""
        steps = [Step(name, self.act, undo=self.undo) for name in STEPS]
        return Saga(store, "s", steps, lease_s=self.lease_s, patience_s=patience_s)

    def act(self, run: Run) -> None:
        """Leave the file of a step, which must not be there."""
        run.check()
        with open(self.outside / f"{run.id}-{run.step}", "x"):
            pass
        if self.between:
            self.between(run)

    def undo(self, run: Run) -> None:
        """Take the file away, if it is there."""
        (self.outside / f"{run.id}-{run.step}").unlink(missing_ok=True)

    def serve(self, at: int = 0, after: bool = True, sign: int = signal.SIGKILL) -> None:
        """Be a service that starts: settle what was left, then do some work; again where somebody died meanwhile."""
        with SignallingStore(self.own / "agent.db") as store:
            store.at, store.after, store.sign = at, after, signal.Signals(sign)
            for _ in range(REPLICAS_THAT_DIE + 1):
                self.saga(store).recover()
                with suppress(UnfinishedRun):
                    self.saga(store).run("goal", {})
                    return
            raise AssertionError("there is always a run in the way")

    @property
    def left(self) -> list[str]:
        """The files outside, by run and step."""
        return sorted(path.name for path in self.outside.iterdir())

    def done(self) -> int:
        """Settle what is left, and give how many runs are complete: those that are whole outside; nothing else is."""
        with Store(self.own / "agent.db") as store:
            self.saga(store).recover()
            assert store.read("SELECT * FROM leases") == []
            complete = [each.run for each in all_runs(Journal(store)) if each.status is Status.COMPLETED]
        assert self.left == sorted(f"{run}-{step}" for run in complete for step in STEPS)
        return len(complete)


def together(number: int, work: Callable[[], Any]) -> list[int]:
    """Do the same in so many children that begin at one moment; give their exit codes."""
    reading, writing = os.pipe()

    def wait_and_work() -> None:
        os.close(writing)
        os.read(reading, 1)
        work()

    children = [started(wait_and_work) for _ in range(number)]
    os.close(reading)
    os.close(writing)
    return [ended(child) for child in children]


def transitions(agent: Agent) -> int:
    """Count the transactions of a service that starts on nothing and does its work, in a child."""
    reading, writing = os.pipe()

    def count() -> None:
        with SignallingStore(agent.own / "agent.db") as store:
            agent.saga(store).recover()
            agent.saga(store).run("goal", {})
            os.write(writing, bytes([SignallingStore.count]))

    assert ended(started(count)) == DONE
    os.close(writing)
    with open(reading, "rb") as pipe:
        return pipe.read()[0]
