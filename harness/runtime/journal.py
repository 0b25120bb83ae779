"""What happened, in order, and never changed afterwards.

Each entry's hash covers the hash before it and the entry itself, so a changed, removed or inserted entry breaks the
chain from there on. (Haber and Stornetta's linked time stamps; what a chain alone cannot show is a missing end.)

An entry holds no time of day and no error text: recovering again must write the same bytes, and error texts carry
secrets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .canonical import canonical, sha256
from .store import Storage

GENESIS = "0" * 64
"""What stands in the place of the hash before the first entry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of one run; `seq` counts from 1 over all runs of the database."""

    seq: int
    run: str
    event: str
    detail: Mapping[str, Any]

    def linked(self, before: str) -> str:
        """Give the hash of this entry behind the entry whose hash is `before`."""
        body = canonical({"seq": self.seq, "run": self.run, "event": self.event, "detail": self.detail})
        return sha256(before + body)


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
        entry = Entry(seq + 1, run, event, detail)
        insert = "INSERT INTO journal (seq, run, event, detail, hash) VALUES (?, ?, ?, ?, ?)"
        self._store.write(insert, entry.seq, run, event, canonical(detail), entry.linked(before))
        return entry

    def entries(self, run: str | None = None, before: int | None = None) -> Iterator[Entry]:
        """Yield the events of one run, or of all, oldest first, up to the event `before` if given."""
        query = "SELECT seq, run, event, detail FROM journal WHERE (? IS NULL OR run = ?) AND (? IS NULL OR seq < ?)"
        for seq, name, event, detail in self._store.read(f"{query} ORDER BY seq", run, run, before, before):
            yield Entry(seq, name, event, json.loads(detail))

    def verify(self) -> Break | None:
        """Follow the chain from the start; give the first break, or None when every event is as it was written."""
        before = GENESIS
        rows = self._store.read("SELECT seq, run, event, detail, hash FROM journal ORDER BY seq")
        for expected, (seq, run, event, detail, stored) in enumerate(rows, start=1):
            if seq != expected:
                return Break(expected, f"event {expected} is missing")
            try:
                entry = Entry(seq, run, event, json.loads(detail))
            except ValueError:
                return Break(seq, f"event {seq} ({event}) of run {run} is not JSON")
            if entry.linked(before) != stored:
                return Break(seq, f"event {seq} ({event}) of run {run} does not match its hash")
            before = stored
        return None
