"""Dead letters: undos and messages that failed after all their tries, with the reason, and the input to try them again.

Each change is part of a transaction: processes take turns, and a letter is requeued or dismissed once.

    from rollproof.runtime import DeadLetter, DeadLetters, Store

    with Store("agent.db") as store:
        letters = DeadLetters(store)
        with store.transaction():       # the outbox and the sagas do this; requeue with Outbox.requeue, Saga.requeue
            letters.add(DeadLetter("run-1:pay:undo", "run-1", "undo", {"order": 7}, "TimeoutError", attempts=3))
        assert [letter.reason for letter in letters.all()] == ["TimeoutError"]
        letters.dismiss("run-1:pay:undo", "ada")        # settled by hand, and the journal says by whom
        assert "run-1:pay:undo" not in letters

States of one: (nothing) → dead → requeued (its row is gone, its work is pending again) or dismissed by a person who
settled it by hand (gone, and the journal says so; with its last one a stuck run is rolled back, and its lease free).
Nothing is tried for ever, and nothing is lost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .canonical import canonical
from .journal import Journal
from .locks import Leases
from .progress import Event, Status, current
from .store import Storage


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One thing that failed for good.

    Attributes:
        key: what it is: `RUN:STEP:undo`, or the key of a message, which is often `RUN:STEP`.
        kind: `undo`, `message`, `irreversible` (it was sent, and cannot be taken back), or `damaged` (a message that
            is not as it was written, and was not sent).
        input: what is needed to try it again, JSON.
        reason: the class of the last error; never its text, which carries secrets. Of what is irreversible `Sent`, or
            `MaybeSent`.
        attempts: how many times it was tried.
    """

    key: str
    run: str
    kind: str
    input: Mapping[str, Any]
    reason: str
    attempts: int

    @property
    def step(self) -> str:
        """The step of an undo; the key of a message need not name one."""
        return self.key.removeprefix(f"{self.run}:").removesuffix(":undo")


class UnknownLetter(LookupError):
    """There is no such dead letter."""


class DeadLetters:
    """The dead letters of one database."""

    def __init__(self, store: Storage) -> None:
        """Use the database of `store`; nothing is opened or written."""
        self._store = store

    def add(self, letter: DeadLetter) -> None:
        """Keep a letter inside the open transaction; it replaces an earlier one with the same key."""
        put = "INSERT OR REPLACE INTO dead_letters (key, run, kind, input, reason, attempts) VALUES (?, ?, ?, ?, ?, ?)"
        body = canonical(dict(letter.input))
        self._store.write(put, letter.key, letter.run, letter.kind, body, letter.reason, letter.attempts)

    def all(self) -> list[DeadLetter]:
        """Return all of them, by key."""
        rows = self._store.read("SELECT key, run, kind, input, reason, attempts FROM dead_letters ORDER BY key")
        return [DeadLetter(key, run, kind, json.loads(body), *rest) for key, run, kind, body, *rest in rows]

    def __contains__(self, key: str) -> bool:
        """Return whether there is one with this key."""
        return bool(self._store.read("SELECT 1 FROM dead_letters WHERE key = ?", key))

    def find(self, key: str) -> DeadLetter:
        """Return the dead letter with this key.

        Raises:
            UnknownLetter: There is none; the keys that there are stand in the message.
        """
        letters = {letter.key: letter for letter in self.all()}
        if key not in letters:
            raise UnknownLetter(f"no dead letter {key!r}; there are: {', '.join(letters) or 'none'}")
        return letters[key]

    def dismiss(self, key: str, by_whom: str) -> None:
        """Delete a letter that a person settled by hand; the journal keeps by whom."""
        letter, journal, leases = self.find(key), Journal(self._store), Leases(self._store)
        said = {"letter": key, "by": by_whom, "reason": letter.reason}
        if letter.kind == "undo":
            said["step"] = letter.step
        with self._store.transaction():
            if self.remove(key):
                journal.append(letter.run, Event.DISMISSED, **said)
                lease = leases.of(letter.run)
                if lease is not None and current(journal, letter.run).status is Status.ROLLED_BACK:
                    leases.release(lease)

    def remove(self, key: str) -> bool:
        """Take one away inside the open transaction, since its work is pending again; say whether it was there."""
        return bool(self._store.write("DELETE FROM dead_letters WHERE key = ?", key))

    def remove_run(self, run: str, kind: str) -> None:
        """Take away all of one kind of a run."""
        self._store.write("DELETE FROM dead_letters WHERE run = ? AND kind = ?", run, kind)
