"""Leases: locks that end by themselves, so that a dead holder blocks nobody for ever.

Of all processes that ask for a lease one has it, and while it works nobody takes it away but a person; one that is
paused for longer than its lease lasts loses it, and notices before it acts again.

    from rollproof.runtime import Alive, LeaseHeld, Leases, Store

    with Store("agent.db") as store, Alive(store.path) as alive, Alive(store.path) as another:
        leases = Leases(store)
        with store.transaction():
            lease = leases.take("report.md", "run-1", 300.0, alive)
        try:
            with store.transaction():
                leases.take("report.md", "run-2", 300.0, another)       # as another process would
        except LeaseHeld as held:
            assert held.lease == lease
        alive.close()                                                   # the first process dies
        with store.transaction():
            assert leases.take("report.md", "run-2", 300.0, another).token > lease.token

States of a lease: free (no row) → held → held by another process of the same run … → free. Released means that the row
is gone.

- A lease belongs to a *run*: it ends in the same transaction as its run, on every path, and protects what a run left
  half done until recovery has settled it. So the rows are the runs that are not over. Which run may take an expired
  lease is the saga's to say: none but the one that has it, while that one is not over.
- The process that carries the run renews the lease (`renewing`), also in the middle of a long step.
- Another process takes a run up when the lease is expired, or when the one before is proved dead (`alive`): a service
  that restarts need not wait for itself. A lease that lasts and whose holder may live is waited for.
- Each change of hands gives a new token, above all before it (Kleppmann's fencing token): the time in microseconds, or
  one more than the last. Every act and every transition of a run checks holder and token. `fencing` guards files,
  which do not take part in a transaction.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import TypeVar

from .alive import Alive
from .store import Storage

T = TypeVar("T")
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0
"""How long to wait before looking at a held lease again; doubled each time, up to the second."""
SILENT_LOOKS = 4
"""After how many looks it is said that a lease is waited for: 1.5 s."""
PERSON_S = 365 * 86400.0
"""How long the lease of a run lasts that waits for a person, in seconds."""
BEATS = 3
"""How often a lease is renewed within its length: it outlives a renewal that fails."""
_COLUMNS = "name, holder, token, expires_at"
_log = logging.getLogger("rollproof.runtime")


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of a run to work under the lock `name`, until `expires_at` (seconds since 1970)."""

    name: str
    holder: str
    token: int
    expires_at: float


class LeaseHeld(Exception):
    """Another run or process holds the lease, and it has not expired yet."""

    def __init__(self, lease: Lease) -> None:
        """Keep the other one's lease."""
        until = datetime.fromtimestamp(lease.expires_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        super().__init__(
            f"{lease.name!r} is held by run {lease.holder} until {until}, or longer while its process works"
        )
        self.lease = lease


class LeaseLost(Exception):
    """Another process has taken the run up; this one must touch nothing any more, not even to undo."""


class Leases:
    """The leases of one database."""

    def __init__(self, store: Storage) -> None:
        """Use the database of `store`; nothing is opened or written."""
        self._store = store

    def find(self, name: str) -> Lease | None:
        """Return the lease as it stands, expired or not; None when it is free."""
        rows = self._store.read(f"SELECT {_COLUMNS} FROM leases WHERE name = ?", name)
        return Lease(*rows[0]) if rows else None

    def of(self, holder: str) -> Lease | None:
        """Return the lease that a run holds, expired or not."""
        rows = self._store.read(f"SELECT {_COLUMNS} FROM leases WHERE holder = ?", holder)
        return Lease(*rows[0]) if rows else None

    def all(self) -> list[Lease]:
        """Return every lease, also expired ones, in the order of their tokens."""
        return [Lease(*row) for row in self._store.read(f"SELECT {_COLUMNS} FROM leases ORDER BY token")]

    def take(self, name: str, holder: str, lasts_s: float, alive: Alive, *, by_force: bool = False) -> Lease:
        """Take a lease inside the open transaction, with a new token, if it is free or its holder is dead or late.

        Args:
            name: What it protects.
            holder: The run.
            lasts_s: How long it lasts without being renewed, in seconds.
            alive: Shows from now on that this process works under the token.
            by_force: Whether a run is taken from a process that works on it, which notices before it acts again.

        Raises:
            LeaseHeld: It lasts, and its holder lives, or may live.
        """
        found = self.find(name)
        if found is not None and not (by_force and found.holder == holder) and not is_abandoned(found, alive):
            raise LeaseHeld(found)
        return self._put(Lease(name, holder, self._new_token(alive), time.time() + lasts_s))

    def check(self, lease: Lease) -> Lease:
        """Make sure that the lease is still ours, and return it as stored; an expired one that no other took will do.

        Raises:
            LeaseLost: It is gone, or in other hands.
        """
        found = self.find(lease.name)
        if found is None or (found.holder, found.token) != (lease.holder, lease.token):
            now = "it is settled" if found is None else f"run {found.holder} has it under token {found.token}"
            raise LeaseLost(
                f"run {lease.holder} lost {lease.name!r} (token {lease.token}) to another process, and {now}: touch "
                f"nothing more; python -m rollproof.runtime show {self._store.path} {lease.holder}"
            )
        return found

    def renew(self, lease: Lease, lasts_s: float) -> Lease:
        """Extend our lease to `lasts_s` from now, inside the open transaction.

        Raises:
            LeaseLost: It is gone, or in other hands.
        """
        return self._put(replace(self.check(lease), expires_at=time.time() + lasts_s))

    def pass_on(self, lease: Lease, lasts_s: float, alive: Alive | None) -> Lease:
        """Pass the lease of a run on to another owner of the run; the old token is refused from then on.

        Args:
            lease: As it was.
            lasts_s: As for `take`.
            alive: As for `take`; None where the owner is a person, and no process works under the token.
        """
        return self._put(replace(lease, token=self._new_token(alive), expires_at=time.time() + lasts_s))

    def release(self, lease: Lease) -> None:
        """Free the lease inside the open transaction; one with another token stays."""
        self._store.write("DELETE FROM leases WHERE name = ? AND token = ?", lease.name, lease.token)

    def _put(self, lease: Lease) -> Lease:
        put = f"INSERT OR REPLACE INTO leases ({_COLUMNS}) VALUES (?, ?, ?, ?)"
        self._store.write(put, lease.name, lease.holder, lease.token, lease.expires_at)
        return lease

    def _new_token(self, alive: Alive | None) -> int:
        """Return a token above every one before; a process that works under it is known to before others can see it.

        A clock that is set back gives no lower one; and it is a time, not a count, so that taking a run up again and
        again leaves the database as it was but for times.
        """
        rows = self._store.read("SELECT token FROM tokens")
        token = max(int(time.time() * 1e6), rows[0][0] + 1 if rows else 0)
        if alive is not None:
            alive.hold(token)
        self._store.write("INSERT OR REPLACE INTO tokens (id, token) VALUES (0, ?)", token)
        return token


def is_abandoned(lease: Lease, alive: Alive) -> bool:
    """Return whether a lease is expired, or its holder proved dead."""
    return lease.expires_at <= time.time() or alive.is_held(lease.token) is False


async def take_when_free(
    store: Storage, take: Callable[[], T], patience_s: float, pause: Callable[[float], Awaitable[None]]
) -> T:
    """Call `take`, which takes a lease, in a transaction; wait and try again as long as another process holds it.

    Raises:
        LeaseHeld: Another process held it for longer than `patience_s` seconds.
    """
    until, pause_s = time.time() + patience_s, FIRST_PAUSE_S
    for looks in count():
        await pause(0.0)
        try:
            with store.transaction():
                return take()
        except LeaseHeld as held:
            if time.time() >= until:
                raise
            if looks == SILENT_LOOKS:
                _log.warning("%s; waiting for it, %.0f s at most", held, patience_s)
            await pause(max(0.0, min(pause_s, held.lease.expires_at - time.time())))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
    raise AssertionError("count() never ends")


@asynccontextmanager
async def renewing(
    store: Storage,
    lease: Callable[[], Lease | None],
    lasts_s: float,
    block: Callable[[Callable[[], None]], Awaitable[None]],
) -> AsyncIterator[None]:
    """Renew a lease in a thread of its own while the block works, however long one step of it takes.

    Args:
        store: Its database, of which the thread opens a connection of its own when it first renews.
        lease: Gives the lease as it is by then, None where there is nothing to renew. When it is lost the thread ends;
            the thread that acts finds out by `check`.
        lasts_s: How long it lasts without being renewed, in seconds.
        block: Does what blocks: it waits for a renewal that is under way when the block ends.
    """
    thread = _Renewing(store, lease, lasts_s)
    thread.start()
    try:
        yield
    finally:
        thread.ended.set()
        if thread.busy:  # it may wait for another process that writes, for as long as the store does
            await block(thread.join)
        else:
            thread.join()


class _Renewing(threading.Thread):
    """Renews a lease until `ended` is set, or the lease is lost.

    `busy` says that a renewal is under way. It is set before `ended` is looked at: a thread that set `ended` and then
    finds it false knows that none begins any more.
    """

    def __init__(self, store: Storage, lease: Callable[[], Lease | None], lasts_s: float) -> None:
        """Take the arguments of `renewing`; nothing is opened."""
        super().__init__(name="rollproof-renews-lease", daemon=True)
        self._store, self._lease, self._lasts_s = store, lease, lasts_s
        self.ended, self.busy = threading.Event(), False

    def run(self) -> None:
        """Renew the lease `BEATS` times within its length."""
        with self._store.new_connection() as own:
            while not self.ended.wait(self._lasts_s / BEATS):
                self.busy = True
                is_over = self.ended.is_set() or self._is_lost(own)
                self.busy = False
                if is_over:
                    return

    def _is_lost(self, own: Storage) -> bool:
        """Renew the lease once; true where it is lost."""
        held = self._lease()
        if held is None:
            return False
        try:
            with own.transaction():
                Leases(own).renew(held, self._lasts_s)
        except LeaseLost:
            return held == self._lease()  # else it was passed on meanwhile, by the thread that acts
        except Exception as error:  # the next beat tries again, and the end of the lease is what counts
            _log.warning("the lease of run %s could not be renewed: %s", held.holder, type(error).__name__)
        return False
