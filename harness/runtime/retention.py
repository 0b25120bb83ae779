"""Retention: runs that are over are forgotten by rule, so that neither a database nor the cost of a run grows.

With several processes: forgetting is part of the transaction that ends a run, so it happens once, or not at all.

    from rollproof.runtime import Journal, Retention, Saga, Step, Store

    with Store("agent.db") as store:
        keep = Retention(store, runs=1)         # a companion: each run that ends forgets those beyond the rule
        saga = Saga(store, "look", [Step("look", lambda run: None, reads_only=True)], companions=[keep])
        for goal in ("first", "second"):
            saga.run(goal, {})
        assert [saga.outcome(run.run).goal for run in saga.runs()] == ["second"]
        assert Journal(store).verify() is None  # the chain of what is left still holds

States of a run: not over → over, and known here → forgotten: its events, also those of the audit trail, which cannot
undo its changes any more; its checkpoints; and its messages, each as soon as it is sent, also the alerts and what
webhooks were told. Dead letters, events of a `Ledger`, versions of files and their contents stay. How the chain of the
journal holds: see `Journal.forget`.
"""

from __future__ import annotations

import time

from .journal import Journal
from .progress import Event, Status, all_runs, current
from .store import Storage

_AT_ONCE = 10
"""The number of runs at most that the end of one run forgets: a stricter rule costs no single run much."""
_OF_RUN = "run IN (?, 'audit:' || ?, 'alert:' || ?)"
"""The messages of a run in SQL: those of its steps, of the audit trail, and its alerts."""


class Retention:
    """A rule by which runs that are over are forgotten, oldest first; a companion of sagas."""

    def __init__(self, store: Storage, *, runs: int | None = None, days: float | None = None) -> None:
        """Use the database of `store`; nothing is opened or written.

        Args:
            store: The agent's own database.
            runs: How many of the runs that are over are kept; all if not given.
            days: For how long one is kept after its end; for ever if not given.

        Raises:
            ValueError: There is no rule, or a negative one.
        """
        if (runs is None and days is None) or min(runs or 0, days or 0) < 0:
            raise ValueError(f"keep how many? runs={runs}, days={days}; such as Retention(store, runs=1000, days=30)")
        self._store, self._runs, self._days = store, runs, days

    def follow(self, run: str, event: Event) -> None:
        """Note that a run is over, and forget runs beyond the rule; a run that is rolled back later is not over."""
        if event is Event.ABANDONED:
            self._store.write("DELETE FROM ended WHERE run = ?", run)
        elif event in (Event.COMPLETED, Event.ROLLED_BACK):
            self._end(run)
            self._forget(_AT_ONCE)

    def apply(self) -> int:
        """Forget every run beyond the rule, also runs that ended without this companion; return how many."""
        with self._store.transaction():
            for progress in all_runs(Journal(self._store)):
                if progress.status.over:
                    self._end(progress.run, progress.seq)
            return self._forget(None)

    def _end(self, run: str, seq: int = 0) -> None:
        insert = "INSERT OR IGNORE INTO ended (run, seq, at) VALUES (?, ?, ?)"
        self._store.write(insert, run, seq or current(Journal(self._store), run).seq, time.time())

    def _forget(self, most: int | None) -> int:
        """Forget the oldest runs beyond the rule, `most` at most."""
        rows = self._store.read("SELECT count(*) FROM ended WHERE seq > 0")
        known = rows[0][0] if rows else 0
        beyond = known - self._runs if self._runs is not None else 0
        old = time.time() - self._days * 86400 if self._days is not None else 0.0
        query = "SELECT run, at FROM ended WHERE seq > 0 ORDER BY seq LIMIT ?"
        due = [
            run
            for number, (run, at) in enumerate(self._store.read(query, known if most is None else most))
            if number < beyond or at < old
        ]
        forgotten = [run for run in due if self._is_over(run)]
        for run in forgotten:
            forget(self._store, run)
        self._forget_sent(most)
        return len(forgotten)

    def _is_over(self, run: str) -> bool:
        """Return whether a run that ended is over still; a saga without this companion may be rolling it back."""
        over = current(Journal(self._store), run).status.over
        if not over:
            self._store.write("DELETE FROM ended WHERE run = ?", run)
        return over

    def _forget_sent(self, most: int | None) -> None:
        """Delete the sent messages of forgotten runs, first of those that were not looked at for longest."""
        query = "SELECT run FROM ended WHERE seq < 0 ORDER BY seq DESC LIMIT ?"
        for (run,) in self._store.read(query, -1 if most is None else most):
            _forget_messages(self._store, run)


def forget(store: Storage, run: str) -> None:
    """Delete events, checkpoints and sent messages of a run that is over, inside the open transaction.

    Raises:
        ValueError: It is not over.
    """
    status = current(Journal(store), run).status
    if not status.over:
        raise ValueError(f"run {run} is {status}; only what is {Status.COMPLETED} or {Status.ROLLED_BACK} is forgotten")
    Journal(store).forget(run)
    store.write("DELETE FROM checkpoints WHERE run = ?", run)
    _forget_messages(store, run)


def _forget_messages(store: Storage, run: str) -> None:
    """Delete the sent messages of a run; if others are left, the run stays in `ended`, below 0, for a later look."""
    store.write(f"DELETE FROM outbox WHERE {_OF_RUN} AND state = 'sent'", run, run, run)
    (lowest,) = (store.read("SELECT min(seq) FROM ended") or [(0,)])[0]
    store.write("DELETE FROM ended WHERE run = ?", run)
    if store.read(f"SELECT 1 FROM outbox WHERE {_OF_RUN} LIMIT 1", run, run, run):
        insert = "INSERT INTO ended (run, seq, at) VALUES (?, ?, ?)"
        store.write(insert, run, min(lowest or 0, 0) - 1, time.time())
