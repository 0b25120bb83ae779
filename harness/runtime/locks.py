"""Leases: locks that end by themselves, so that a dead holder blocks nobody for ever.

States of a lease: free (no row) → held → expired → held by another, or free again. Released means that the row is gone.

- A lease belongs to a *run*, not to a process: it ends in the same transaction as its run, on every path, and protects
  what a run left half done until recovery has settled it.
- A lease that another run holds is waited for, until it is released or expires; then it changes hands.
- A process that recovers a run takes up the lease of that run at once and, while it lasts, writes nothing: a service
  that restarts need not wait for itself, and restarting often leaves no trace. Should the process before still live,
  the journal stops it: each of the two may only go on from the last event it knows.
- The token rises with every change of hands (Kleppmann's fencing token). Every transition of a run checks holder and
  token in the transaction that makes it, so a process that slept through its lease changes nothing when it wakes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from .store import Store

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

    def __init__(self, store: Store) -> None:
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
        lease = Lease(name, holder, self._next_token(found), now + lasts_s)
        put = "INSERT OR REPLACE INTO leases (name, holder, token, expires_at) VALUES (?, ?, ?, ?)"
        self._store.write(put, lease.name, lease.holder, lease.token, lease.expires_at)
        return lease

    def check(self, lease: Lease) -> None:
        """Make sure, inside the open transaction, that the lease is still ours; expired, but wanted by nobody, will do.

        Raises:
            LeaseLost: It is gone, or in other hands.
        """
        found = self.find(lease.name)
        if found is None or (found.holder, found.token) != (lease.holder, lease.token):
            raise LeaseLost(f"run {lease.holder} lost {lease.name!r} (token {lease.token}); now there is {found}")

    def release(self, lease: Lease) -> None:
        """Free the lease inside the open transaction; somebody else's stays."""
        self._store.write("DELETE FROM leases WHERE name = ? AND token = ?", lease.name, lease.token)

    def _next_token(self, found: Lease | None) -> int:
        """Go above every token before: a lease ends together with an event, whose number is no lower than its token."""
        (last,) = self._store.read("SELECT coalesce(max(seq), 0) FROM journal")[0]
        return int(max(last, found.token if found else 0)) + 1


def wait(lease: Lease, looks: int) -> None:
    """Sleep before looking at somebody's lease again: longer with each look, never past its end."""
    time.sleep(max(0.0, min(FIRST_PAUSE_S * 2**looks, lease.expires_at - time.time())))
