"""What happened, in order, and never changed afterwards.

An event is appended inside a transaction, so processes take turns, and the numbers have no gap.

    from rollproof.runtime import Journal, Store

    with Store("agent.db") as store:
        journal = Journal(store)
        with store.transaction():
            journal.append("run-1", "noted", what="a fact")
        (entry,) = journal.entries("run-1")
        assert (entry.seq, entry.event, entry.detail) == (1, "noted", {"what": "a fact"})
        assert journal.verify() is None

Each entry's hash covers the hash before it and the entry itself, so a changed, removed or inserted entry breaks the
chain from there on. (Haber and Stornetta's linked time stamps; what a chain alone cannot show is a missing end.)
What is forgotten by rule (`retention`) leaves the hash of its last entry in a row of its own, so the chain holds.

An entry says at which time of day it was written, for people: nothing is decided by it, since clocks jump. It holds no
error text, which carries secrets.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .canonical import canonical, sha256
from .store import Storage

GENESIS = "0" * 64
"""What stands in the place of the hash before the first entry."""
FORGOTTEN = "forgotten"
"""The event of a row that stands for entries that were forgotten: its own, and all back to the one it names."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of one run; `seq` counts from 1 over all runs of the database, `at` is ISO 8601 in UTC."""

    seq: int
    run: str
    event: str
    detail: Mapping[str, Any]
    at: str

    def linked(self, before: str) -> str:
        """Give the hash of this entry behind the entry whose hash is `before`."""
        body = {"seq": self.seq, "run": self.run, "event": self.event, "detail": self.detail, "at": self.at}
        return sha256(before + canonical(body))


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where the chain does not hold: `seq` is the event to look at, `reason` a sentence about it."""

    seq: int
    reason: str


class JournalBroken(Exception):
    """The journal was changed by somebody; nothing may be undone or repeated on its word."""


class Journal:
    """The append-only event log of one database."""

    def __init__(self, store: Storage) -> None:
        """Use the database of `store`; nothing is opened or written."""
        self._store = store

    def append(self, run: str, event: str, **detail: Any) -> Entry:
        """Add an event inside the open transaction; `detail` is JSON."""
        last = self._store.read("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1")
        seq, before = last[0] if last else (0, GENESIS)
        entry = Entry(seq + 1, run, event, detail, _now())
        insert = "INSERT INTO journal (seq, run, event, detail, at, hash) VALUES (?, ?, ?, ?, ?, ?)"
        self._store.write(insert, entry.seq, run, event, canonical(detail), entry.at, entry.linked(before))
        return entry

    def entries(self, run: str | None = None, before: int | None = None) -> Iterator[Entry]:
        """Yield the events of one run, or of all, oldest first, up to the event `before` if given."""
        wanted, values = ["event != ?"], [FORGOTTEN, *([run] if run is not None else []), *([before] if before else [])]
        wanted += ["run = ?"] * (run is not None) + ["seq < ?"] * bool(before)
        query = f"SELECT seq, run, event, detail, at FROM journal WHERE {' AND '.join(wanted)} ORDER BY seq"
        for seq, name, event, detail, at in self._store.read(query, *values):
            yield Entry(seq, name, event, json.loads(detail), at)

    def verify(self, since: Iterable[str] | None = None) -> Break | None:
        """Follow the chain; give the first break, or None when every event is as it was written.

        Args:
            since: Runs; the chain is followed from the first event of any of them. From the start if not given.
        """
        first = 1 if since is None else min((seq for run in since for seq in self._first(run)), default=0)
        if not first:
            return None
        ahead = self._store.read("SELECT hash FROM journal WHERE seq = ?", first - 1)
        before, expected = ahead[0][0] if ahead else GENESIS, first
        query = "SELECT seq, run, event, detail, at, hash FROM journal WHERE seq >= ? ORDER BY seq"
        for seq, run, event, detail, at, stored in self._store.read(query, first):
            try:
                entry = Entry(seq, run, event, json.loads(detail), at)
            except ValueError:
                return Break(seq, f"event {seq} ({event}) of run {run} is not JSON")
            if (entry.detail["first"] if event == FORGOTTEN else seq) != expected:
                return Break(expected, f"event {expected} is missing")
            if event != FORGOTTEN and entry.linked(before) != stored:
                return Break(seq, f"event {seq} ({event}) of run {run} does not match its hash")
            before, expected = stored, seq + 1
        return None

    def refuse_broken(self, since: Iterable[str] | None = None) -> None:
        """Make sure that every event is as it was written, as `verify`.

        Raises:
            JournalBroken: One is not; it is named.
        """
        broken = self.verify(since)
        if broken is not None:
            raise JournalBroken(f"{self._store.path}: {broken.reason}; the events before it are sound")

    def forget(self, run: str) -> None:
        """Delete the events of a run inside the open transaction; the hash of the last of each series of them stays."""
        for entry in list(self.entries(run)):
            ahead = self._store.read("SELECT detail FROM journal WHERE seq = ? AND event = ?", entry.seq - 1, FORGOTTEN)
            self._forget(entry.seq, json.loads(ahead[0][0])["first"] if ahead else entry.seq)
            behind = self._store.read(
                "SELECT detail FROM journal WHERE seq = ? AND event = ?", entry.seq + 1, FORGOTTEN
            )
            if behind:
                first = json.loads(self._store.read("SELECT detail FROM journal WHERE seq = ?", entry.seq)[0][0])
                self._forget(entry.seq + 1, first["first"])

    def _forget(self, seq: int, first: int) -> None:
        """Let the row of one event stand for all from the event `first` on, of which there is one row at most."""
        self._store.write("DELETE FROM journal WHERE seq >= ? AND seq < ?", first, seq)
        update = "UPDATE journal SET run = '', event = ?, detail = ? WHERE seq = ?"
        self._store.write(update, FORGOTTEN, canonical({"first": first}), seq)

    def _first(self, run: str) -> list[int]:
        return [seq for (seq,) in self._store.read("SELECT min(seq) FROM journal WHERE run = ?", run) if seq]


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
