"""The rows of an outbox: how a message is written, read, and buried.

One table for all processes; which worker sends a message is for `claims`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .canonical import canonical, sha256
from .dead_letters import DeadLetter, DeadLetters
from .messages import Message, State
from .store import Storage

_log = logging.getLogger("rollproof.runtime")
CANCEL = ":cancel"
"""The suffix of a cancellation's key, behind the key of its message."""
COLUMNS = """key, run, topic, body, state, attempts, cancels, behind, owner, due_at, refused, failing_since, late,
    sha256"""
OPEN = "state IN ('ready', 'sending')"
FREE = f"""NOT EXISTS (SELECT 1 FROM outbox AS first WHERE first.key = message.behind AND first.{OPEN})
    AND NOT EXISTS (SELECT 1 FROM outbox AS first WHERE first.{OPEN} AND first.topic = message.topic
        AND first.owner > '' AND first.run = message.run AND +first.rowid < message.rowid)"""
"""True of an open row `message` if the one it follows is settled and no earlier one of its run and topic is claimed."""


class MessageTable:
    """The messages of one database that are not buried."""

    def __init__(self, store: Storage) -> None:
        """Use the database of `store`; nothing is opened or written."""
        self._store = store

    def all(self, run: str | None) -> list[Message]:
        """Return the messages of one run, or all, in the order in which they were added."""
        query = f"SELECT {COLUMNS} FROM outbox WHERE ? IS NULL OR run = ? ORDER BY rowid"
        return [message_of(row) for row in self._store.read(query, run, run)]

    def open_topics(self) -> set[str]:
        """Return the topics of the messages that are still to be sent."""
        return {topic for (topic,) in self._store.read(f"SELECT DISTINCT topic FROM outbox WHERE {OPEN}")}

    def is_open(self, key: str) -> bool:
        """Return whether the message with this key is still to be sent."""
        return bool(self._store.read(f"SELECT 1 FROM outbox WHERE key = ? AND {OPEN}", key))

    def put(self, message: Message) -> None:
        """Add a message inside the open transaction; an earlier one with the same key stays."""
        put = f"INSERT OR IGNORE INTO outbox ({COLUMNS}) VALUES (?, ?, ?, ?, ?, 0, ?, ?, '', 0, 0, 0, '', ?)"
        body = canonical(dict(message.body))
        given = (message.key, message.run, message.topic, body, message.state, message.cancels, message.behind)
        self._store.write(put, *given, _hash(message.key, message.run, message.topic, body, message.cancels,
                                             message.behind))  # fmt: skip

    def bury(self, message: Message, kind: str, reason: str, attempts: int) -> None:
        """Keep a message as a dead letter inside the open transaction."""
        names = ("topic", "body", "cancels", "behind")
        content = {name: getattr(message, name) for name in names}
        if kind == "damaged":
            _log.error("message %s of run %s is damaged, and is a dead letter now", message.key, message.run)
        DeadLetters(self._store).add(DeadLetter(message.key, message.run, kind, content, reason, attempts))


def among(topics: Sequence[str]) -> str:
    """Say in SQL that a row is open and of one of these topics."""
    return f"{OPEN} AND topic IN ({', '.join('?' * len(topics))})"


def _hash(*text: str) -> str:
    """Return the SHA-256 of key, run, topic, body, cancellation and `behind` of a message."""
    return sha256(canonical(text).encode(errors="surrogatepass"))


def buried(letter: DeadLetter) -> Message:
    """Return the message that a dead letter was."""
    topic, body, cancels, behind = (letter.input[name] for name in ("topic", "body", "cancels", "behind"))
    return Message(letter.key, letter.run, topic, body, State.SENDING, letter.attempts, cancels, behind)


def message_of(row: tuple[Any, ...]) -> Message:
    """Return the message of a row with `COLUMNS`."""
    key, run, topic, body, state, attempts, cancels, behind, *rest, stored = row
    damaged = _hash(key, run, topic, body, cancels, behind) != stored
    content = {"text": body} if damaged else json.loads(body)
    return replace(Message(key, run, topic, content, State(state), attempts, cancels, behind, *rest), damaged=damaged)
