"""Claims: which worker sends a message, until when, and how that ended.

A claim is one transaction, and so is its end: a worker whose claim has passed on to another records nothing.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from .alive import Alive
from .message_table import CANCEL, COLUMNS, FREE, MessageTable, among, message_of
from .messages import Message, State
from .retry import Verdict, classify, pause_s
from .store import Storage


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a message's tries; see `Outbox`."""

    max_attempts: int
    give_up_after_s: float
    claim_s: float
    first_s: float
    most_s: float


class Claims:
    """The claims on the messages of one database."""

    def __init__(self, store: Storage, table: MessageTable, limits: Limits) -> None:
        """Use the database of `store`; nothing is opened or written."""
        self._store, self._table, self._limits = store, table, limits
        self._alive = Alive(store.path)

    def due(self, topics: Iterable[str]) -> dict[int, str]:
        """Return the rows that may be due now, in order, each with its owner; the claim of each checks again."""
        chosen, now = tuple(topics), time.time()
        query = f"SELECT rowid, owner, due_at FROM outbox WHERE {among(chosen)} AND (due_at <= ? OR owner > '')"
        rows = self._store.read(f"{query} ORDER BY rowid", *chosen, now)
        return {row: owner for row, owner, due_at in rows if due_at <= now or self._is_abandoned(owner)}

    def next_due(self, topics: Iterable[str]) -> float | None:
        """Return when a message of some topics may be claimed next, as `Outbox.next_due`."""
        chosen = tuple(topics)
        query = f"SELECT owner, MIN(due_at) FROM outbox AS message WHERE {among(chosen)} AND {FREE} GROUP BY owner"
        claims = self._store.read(query, *chosen)
        return min((0.0 if self._is_abandoned(owner) else due_at for owner, due_at in claims), default=None)

    def claim(self, rows: Iterator[int], token: str, topics: Iterable[str]) -> Message | None:
        """Make the next message that can be had this worker's for `claim_s`; None where there is no more."""
        chosen = tuple(topics)
        query = f"SELECT {COLUMNS} FROM outbox AS message WHERE rowid = ? AND {among(chosen)} AND {FREE}"
        for row in rows:
            for message in map(message_of, self._store.read(query, row, *chosen)):
                if message.due_at <= time.time() or self._is_abandoned(message.owner):
                    late = " ".join(filter(self._alive.is_held, f"{message.late} {message.owner}".split()))
                    deadline = time.time() + self._limits.claim_s
                    update = "UPDATE outbox SET state = ?, owner = ?, due_at = ?, late = ? WHERE rowid = ?"
                    self._store.write(update, State.SENDING, token, deadline, late, row)
                    return replace(message, state=State.SENDING, owner=token, due_at=deadline, late=late)
        return None

    def sent(self, message: Message) -> bool:
        """Record that a message of ours got through; false where the claim has passed on."""
        update = "UPDATE outbox SET state = ?, owner = '', due_at = 0, failing_since = 0 WHERE key = ? AND owner = ?"
        return bool(self._store.write(update, State.SENT, message.key, message.owner))

    def failed(self, message: Message, error: Exception) -> bool:
        """Record a failure of a message of ours; the last one makes a dead letter, unless it is to be cancelled."""
        limits = self._limits
        verdict, now = classify(error), time.time()
        attempts = message.attempts + (verdict is not Verdict.STOP)
        refused = message.refused + (verdict is Verdict.ROLL_BACK)
        since, due_at, given_up = message.failing_since, 0.0, refused >= limits.max_attempts
        pause = min(pause_s(error, attempts, limits.first_s, limits.most_s), max(limits.give_up_after_s, limits.most_s))
        if verdict is Verdict.RETRY:
            since, due_at = since or now, now + pause
            given_up = attempts >= limits.max_attempts and now - since >= limits.give_up_after_s
        if given_up and any(map(self._alive.is_held, message.late.split())):  # one of these may still get through
            given_up, due_at = False, now + pause
        if given_up and verdict is not Verdict.STOP:
            deleted = self._store.write("DELETE FROM outbox WHERE key = ? AND owner = ?", message.key, message.owner)
            if deleted and (message.damaged or not self._table.is_open(message.key + CANCEL)):
                self._table.bury(message, "damaged" if message.damaged else "message", type(error).__name__, attempts)
        else:
            update = """UPDATE outbox SET attempts = ?, refused = ?, failing_since = ?, owner = '', due_at = ?
                WHERE key = ? AND owner = ?"""
            self._store.write(update, attempts, refused, since, due_at, message.key, message.owner)
        return False

    def _is_abandoned(self, owner: str) -> bool:
        """Return whether the worker that made a claim is proven dead."""
        return owner != "" and self._alive.is_held(owner) is False


def draw_token(owners: Collection[str]) -> str:
    """Draw a token that no owner has: a machine that goes on from a snapshot draws the same numbers again."""
    while (token := uuid.uuid4().hex) in owners:
        pass
    return token
