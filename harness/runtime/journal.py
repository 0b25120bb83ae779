"""The journal: events in their order, never changed afterwards.

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
from typing import Any, NamedTuple

from .canonical import canonical, sha256
from .store import Storage

GENESIS = "0" * 64
"""The hash ahead of the first entry."""
FORGOTTEN = "forgotten"
"""The event of a row that stands for entries that were forgotten: its own, and all back to the one it names."""


_ROWS = "SELECT seq, run, event, detail, at, hash FROM journal WHERE seq >= {} ORDER BY seq"


class Link(NamedTuple):
    """One event of the chain, by its number and its hash, which covers every event before it."""

    seq: int
    hash: str


START = Link(0, GENESIS)
"""The link ahead of the first event."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of one run; `seq` counts from 1 over all runs of the database, `at` is ISO 8601 in UTC."""

    seq: int
    run: str
    event: str
    detail: Mapping[str, Any]
    at: str

    def linked(self, before: str) -> str:
        """Return the hash of this entry; `before` is the hash of the entry ahead of it."""
        body = {"seq": self.seq, "run": self.run, "event": self.event, "detail": self.detail, "at": self.at}
        return sha256(before + canonical(body))


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where the chain does not hold: `seq` is the event to look at, `reason` a sentence about it."""

    seq: int
    reason: str


class JournalBroken(Exception):
    """The journal is not as it was written; nothing may be undone or repeated on its word."""


class Journal:
    """The append-only event log of one database."""

    def __init__(self, store: Storage) -> None:
        """Use the database of `store`; nothing is opened or written."""
        self._store = store

    def append(self, run: str, event: str, **detail: Any) -> Entry:
        """Add an event inside the open transaction; `detail` is JSON.

        Raises:
            ValueError: It is called `forgotten`, as what stands for events that are gone.
            JournalBroken: The last event is not as it was written: a chain that went on from it would stay broken.
        """
        if event == FORGOTTEN:
            raise ValueError(f"{FORGOTTEN!r} is what the journal calls events that are gone; call yours another name")
        seq, before = self._last()
        entry = Entry(seq + 1, run, event, detail, _now())
        insert = "INSERT INTO journal (seq, run, event, detail, at, hash) VALUES (?, ?, ?, ?, ?, ?)"
        self._store.write(insert, entry.seq, run, event, canonical(detail), entry.at, entry.linked(before))
        return entry

    def _last(self) -> tuple[int, str]:
        """Return number and hash of the last event, compared with the one before it."""
        query = "SELECT seq, run, event, detail, at, hash FROM journal ORDER BY seq DESC LIMIT 2"
        rows = self._store.read(query)
        if not rows:
            return 0, GENESIS
        (seq, run, event, detail, at, stored), *others = rows
        before = others[0][-1] if others else GENESIS
        try:
            right = event == FORGOTTEN or Entry(seq, run, event, json.loads(detail), at).linked(before) == stored
        except ValueError:
            right = False
        if not right:
            raise JournalBroken(f"event {seq} ({event}) of run {run} does not match its hash")
        return seq, stored

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
            since: Runs; the chain is followed from the first event of any of them. From the start if not given. One
                that is forgotten, by any process at any moment, has none.
        """
        return _first_break(*self._since(since))

    def refuse_broken_after(self, known: Link) -> Link:
        """Make sure that every event behind a link that was verified is as it was written; give the last link.

        Where `known` is no longer in the journal, every event is verified: its transaction was taken back, or it and
        the one after it are forgotten.

        Raises:
            JournalBroken: An event is not as it was written; it is named.
        """
        rows = self._store.read(_ROWS.format("?"), known.seq)
        if known != START:
            if not rows or Link(rows[0][0], rows[0][-1]) != known:
                return self.refuse_broken_after(START)
            rows = rows[1:]
        self._refuse(_first_break(known.hash, known.seq + 1, rows))
        return Link(rows[-1][0], rows[-1][-1]) if rows else known

    def has(self, link: Link) -> bool:
        """Return whether a link is in the journal still."""
        return link == START or bool(self._store.read("SELECT 1 FROM journal WHERE seq = ? AND hash = ?", *link))

    def refuse_broken(self, since: Iterable[str] | None = None) -> None:
        """Make sure that every event is as it was written, as `verify`.

        Raises:
            JournalBroken: An event is not as it was written; it is named.
        """
        self._refuse(self.verify(since))

    def _refuse(self, broken: Break | None) -> None:
        if broken is not None:
            raise JournalBroken(f"{self._store.path}: {broken.reason}; the events before it are sound")

    def forget(self, run: str) -> None:
        """Delete the events of a run inside the open transaction; the hash of the last of each series of them stays."""
        for entry in list(self.entries(run)):
            ahead = self._forgotten("seq = ?", entry.seq - 1)
            behind = self._forgotten("seq = (SELECT min(seq) FROM journal WHERE seq > ?)", entry.seq)
            start, first = ahead or (entry.seq, entry.seq)
            last = behind[0] if behind and behind[1] == entry.seq + 1 else entry.seq
            # not from `first` on: a row that was changed to name an earlier event must not take that one with it
            self._store.write("DELETE FROM journal WHERE seq >= ? AND seq < ?", start, last)
            update = "UPDATE journal SET run = '', event = ?, detail = ? WHERE seq = ?"
            self._store.write(update, FORGOTTEN, canonical({"first": first}), last)

    def _forgotten(self, where: str, value: int) -> tuple[int, int] | None:
        """Return the last and the first event that a row stands for; None if it stands for no forgotten ones."""
        query = f"SELECT seq, detail FROM journal WHERE {where} AND event = ?"
        for seq, detail in self._store.read(query, value, FORGOTTEN):
            start = _start(seq, detail)
            return (seq, start) if start is not None else None
        return None

    def _since(self, since: Iterable[str] | None) -> tuple[str, int, list[tuple[Any, ...]]]:
        """Return the rows of the chain to follow, the number of the first event, and the hash ahead of it.

        They are read by one statement, which sees one state of the journal: a run may be forgotten at any moment.
        """
        if since is None:
            return GENESIS, 1, self._store.read(_ROWS.format(1))
        runs = list(since)
        first = f"SELECT min(+seq) FROM journal WHERE run IN ({', '.join('?' * len(runs))}) AND event != ?"
        rows = self._store.read(_ROWS.format(f"({first}) - 1"), *runs, FORGOTTEN)
        before = GENESIS
        if rows and (rows[0][1] not in runs or rows[0][2] == FORGOTTEN):
            before = rows.pop(0)[-1]
        return before, rows[0][0] if rows else 1, rows


def _first_break(before: str, expected: int, rows: Iterable[tuple[Any, ...]]) -> Break | None:
    """Follow the chain through rows; `before` is the hash ahead of them, `expected` the number of the first event."""
    for seq, run, event, detail, at, stored in rows:
        try:
            entry = Entry(seq, run, event, json.loads(detail), at)
        except ValueError:
            return Break(seq, f"event {seq} ({event}) of run {run} is not JSON")
        start = _start(seq, detail) if event == FORGOTTEN else seq
        if start is None:
            return Break(seq, f"event {seq} stands for forgotten ones, and does not say from which on")
        if start != expected:
            return Break(expected, f"event {expected} is missing")
        if event != FORGOTTEN and entry.linked(before) != stored:
            return Break(seq, f"event {seq} ({event}) of run {run} does not match its hash")
        before, expected = stored, seq + 1
    return None


def _start(seq: int, detail: str) -> int | None:
    """Return the first event that a row of forgotten ones stands for; None where it does not say so."""
    try:
        said = json.loads(detail)
    except ValueError:
        return None
    start = said.get("first") if isinstance(said, dict) else None
    return start if type(start) is int and 1 <= start <= seq else None


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
