"""State as a fold over events that only grow: going back points to an earlier version, and nothing is ever lost.

Events are appended inside a transaction, so processes take turns. Who decides by the state reads it in the transaction
in which it then appends.

    from rollproof.runtime import Ledger, Store

    def fold(state, event, detail):
        return state - detail["cents"]

    with Store("agent.db") as store:
        ledger = Ledger(store, "budget", fold, 10000)
        with store.transaction():
            ledger.append("spent", cents=500)       # version 1
            ledger.roll_back_to(0)                  # version 2: as version 0; version 1 stays readable
        assert [ledger.state(at=version) for version in (0, 1, 2)] == [10000, 9500, 10000]

`fold(state, event, detail)` is a pure function of its arguments, and the state is JSON. The events stand in the
database's journal, chained by their hashes with all others. (Event sourcing; Fowler, 2005.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .journal import START, Entry, Journal, JournalBroken
from .store import Storage

ROLLED_BACK_TO = "rolled_back_to"
Fold = Callable[[Any, str, Mapping[str, Any]], Any]


class UnknownPoint(LookupError):
    """There is no such version of the ledger."""


class Ledger:
    """One stream of events, and the state that they make."""

    def __init__(self, store: Storage, name: str, fold: Fold, initial: Any = None) -> None:
        """Name the stream; nothing is opened or written.

        Args:
            store: Where the journal is.
            name: Of the stream, of no other run or stream.
            fold: The state after an event.
            initial: The state of version 0, JSON.
        """
        self._store, self._fold, self._initial = store, fold, initial
        self.name = name
        self._link, self._verified = START, list[Entry]()  # the last event that was verified, and ours up to it

    @property
    def version(self) -> int:
        """The number of events so far."""
        return len(self._events())

    def append(self, event: str, **detail: Any) -> int:
        """Add an event inside the open transaction, and give the version that it makes.

        Raises:
            ValueError: The event is ours.
        """
        if event == ROLLED_BACK_TO:
            raise ValueError(f"{ROLLED_BACK_TO!r} is written by roll_back_to() alone")
        return self._append(event, detail)

    def roll_back_to(self, version: int) -> int:
        """Put the state of an earlier version back, inside the open transaction; returns the number of the new version.

        Raises:
            JournalBroken: Somebody changed the journal.
            UnknownPoint: There is no such version.
        """
        self.state(at=version)
        return self._append(ROLLED_BACK_TO, {"version": version})

    def state(self, at: int | None = None) -> Any:
        """Replay the events up to a version, the newest if None.

        The journal is verified behind the last event that this object verified before; `Journal.verify` follows all.

        Raises:
            JournalBroken: Somebody changed the journal; no state is told on its word.
            UnknownPoint: There is no such version.
        """
        events = self._verified_events()
        at = len(events) if at is None else at
        if not 0 <= at <= len(events):
            raise UnknownPoint(f"{self.name!r} has versions 0 to {len(events)}, not {at}")
        states = [self._initial]
        for entry in events[:at]:
            back = entry.event == ROLLED_BACK_TO
            states.append(
                states[entry.detail["version"]] if back else self._fold(states[-1], entry.event, entry.detail)
            )
        return states[at]

    def _append(self, event: str, detail: Mapping[str, Any]) -> int:
        Journal(self._store).append(self.name, event, **detail)
        return self.version

    def _verified_events(self) -> list[Entry]:
        """Verify the journal, and return the events; events that were verified before must be as they were then."""
        journal = Journal(self._store)
        if not journal.has(self._link):
            self._link, self._verified = START, []
        link = journal.refuse_broken_after(self._link)
        events = list(journal.entries(self.name, before=link.seq + 1))
        if events[: len(self._verified)] != self._verified:
            raise JournalBroken(f"{self._store.path}: an event of {self.name!r} is not as it was when it was verified")
        self._link, self._verified = link, events
        return events

    def _events(self) -> list[Entry]:
        return list(Journal(self._store).entries(self.name))
