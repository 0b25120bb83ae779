"""Leases: locks that end by themselves, so that a dead holder blocks nobody for ever.

States of a lease: free (no row) → held → expired → held by another, or free again. Released means that the row is gone.

- A lease belongs to a *run*, not to a process: it ends in the same transaction as its run, on every path, and protects
  what a run left half done until recovery has settled it.
- A lease that another run holds is waited for, until it is released or expires; then it changes hands.
- A process that recovers a run takes up the lease of that run at once and, while it lasts, writes nothing: a service
  that restarts need not wait for itself, and restarting often leaves no trace. Should the process before still live,
  the journal stops it: each of the two may only go on from the last event it knows.
- The token rises with every change of hands (Kleppmann's fencing token): it is the number of the event that the
  journal keeps of it. Every transition of a run checks holder and
  token in the transaction that makes it, so a process that slept through its lease changes nothing when it wakes.
- The transitions of a run renew its lease. `fencing` guards files, which do not take part in a transaction.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from .journal import Journal
from .store import Storage

FIRST_PAUSE_S = 0.1
"""How long to wait before looking at a held lease again; doubled each time."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of a run to work on what `name` stands for, until `expires_at` (seconds since 1970)."""

    name: str
    holder: str
    token: int
    expires_at: float


class LeaseHeld(Exception):
    """Another run holds the lease, and it has not expired yet."""

    def __init__(self, lease: Lease) -> None:
        """Keep the lease that is in the way."""
        super().__init__(f"{lease.name!r} is held by run {lease.holder} until {lease.expires_at:.0f}")
        self.lease = lease


class LeaseLost(Exception):
    """Another process went on in our place: whoever sees this must touch nothing any more, not even to undo."""


class Leases:
    """The leases of one database."""

    def __init__(self, store: Storage) -> None:
        """Use the database of `store`; nothing is opened or written."""
        self._store = store

    def find(self, name: str) -> Lease | None:
        """Give the lease as it stands, expired or not; None when it is free."""
        rows = self._store.read("SELECT name, holder, token, expires_at FROM leases WHERE name = ?", name)
        return Lease(*rows[0]) if rows else None

    def take(self, name: str, holder: str, lasts_s: float) -> Lease:
        """Take a free or expired lease inside the open transaction, or take up one's own.

        Raises:
            LeaseHeld: It belongs to another run and is alive.
        """
        found, now = self.find(name), time.time()
        if found and found.expires_at > now:
            if found.holder == holder:
                return found
            raise LeaseHeld(found)
        return self._put(Lease(name, holder, self._next_token(holder, name), now + lasts_s))

    def check(self, lease: Lease) -> None:
        """Make sure, inside the open transaction, that the lease is still ours; expired, but wanted by nobody, will do.

        Raises:
            LeaseLost: It is gone, or in other hands.
        """
        found = self.find(lease.name)
        if found is None or (found.holder, found.token) != (lease.holder, lease.token):
            raise LeaseLost(f"run {lease.holder} lost {lease.name!r} (token {lease.token}); now there is {found}")

    def renew(self, lease: Lease, lasts_s: float) -> Lease:
        """Let a lease that is ours last `lasts_s` from now, inside the open transaction, once half of that is over.

        Not sooner: renewing with every transition would be a write for nothing.
        """
        if lease.expires_at - time.time() > lasts_s / 2:
            return lease
        return self._put(replace(lease, expires_at=time.time() + lasts_s))

    def pass_on(self, lease: Lease, lasts_s: float) -> Lease:
        """Give the lease of a run to another owner of the run: whoever still has the old token is fenced off."""
        token = self._next_token(lease.holder, lease.name)
        return self._put(replace(lease, token=token, expires_at=time.time() + lasts_s))

    def all(self) -> list[Lease]:
        """Give every lease that is held or expired, by name."""
        return [Lease(*row) for row in self._store.read("SELECT name, holder, token, expires_at FROM leases")]

    def release(self, lease: Lease) -> None:
        """Free the lease inside the open transaction; somebody else's stays."""
        self._store.write("DELETE FROM leases WHERE name = ? AND token = ?", lease.name, lease.token)

    def _put(self, lease: Lease) -> Lease:
        put = "INSERT OR REPLACE INTO leases (name, holder, token, expires_at) VALUES (?, ?, ?, ?)"
        self._store.write(put, lease.name, lease.holder, lease.token, lease.expires_at)
        return lease

    def _next_token(self, holder: str, name: str) -> int:
        """Record the change of hands: its number in the journal is above every token before."""
        return Journal(self._store).append(holder, "leased", lease=name).seq


def wait(lease: Lease, looks: int) -> None:
    """Sleep before looking at somebody's lease again: longer with each look, never past its end."""
    time.sleep(max(0.0, min(FIRST_PAUSE_S * 2**looks, lease.expires_at - time.time())))
