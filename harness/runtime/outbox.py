"""Intentions in a table, and a worker that carries them out: at least once, with a key that makes it once.

An agent does not mail; it writes that it wants to, in the transaction of its own work. States of a message:

    (nothing) ─add→ HELD ─the run completes→ READY ─claim→ SENDING ─the other side has it→ SENT
                     │            (add, at_once)→┘             └─it failed too often→ a dead letter
                     └─the run is abandoned→ (nothing)

- A message of a run waits for the end of the run, so that rolling back is deleting. One that is added `at_once` does
  not; if its run is abandoned and it may have been sent, its `cancel` message is sent after it, when nothing is on its
  way any more that could arrive behind it. Where it has none it is not sent again, and a dead letter of the kind
  `irreversible` says what cannot be taken back. One that was a dead letter already may have been sent, too.
- A message is SENDING before it is sent: after a crash nobody knows, so it is sent again, with the same key. The other
  side must know idempotency keys (or the message must be harmless twice).
- A failed delivery is counted; after `max_attempts` the message is a dead letter, and the ones after it go on.
- A worker may deliver some topics only; the others wait for theirs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .canonical import canonical
from .dead_letters import DeadLetter, DeadLetters
from .progress import Event
from .retry import Verdict, classify
from .store import Storage


class State(StrEnum):
    """The states of a message that have a row."""

    HELD = "held"
    READY = "ready"
    SENDING = "sending"
    SENT = "sent"


@dataclass(frozen=True, slots=True)
class Message:
    """One intention: `key` makes it once, `topic` says who delivers it, `body` is JSON and holds no secret."""

    key: str
    run: str
    topic: str
    body: Mapping[str, Any]
    state: State = State.HELD
    attempts: int = 0
    cancels: str = ""


class Undelivered(Exception):
    """Some messages did not get through; `problems` are the errors, in the order of the messages."""

    def __init__(self, problems: Sequence[Exception]) -> None:
        """Keep the errors, of which there is at least one."""
        super().__init__("; ".join(f"{type(problem).__name__}: {problem}" for problem in problems))
        self.problems = tuple(problems)


Send = Callable[[Message], None]
CANCEL = ":cancel"
"""What the key of a message that takes another one back has behind the key of that one."""
_COLUMNS = "key, run, topic, body, state, attempts, cancels"


class Outbox:
    """The messages of one database; a companion of a saga, whose transitions release and withdraw them."""

    def __init__(self, store: Storage, *, max_attempts: int = 5) -> None:
        """Use the database of `store`; nothing is opened or written."""
        self._store = store
        self._max_attempts = max_attempts

    def add(
        self,
        run: str,
        key: str,
        topic: str,
        body: Mapping[str, Any],
        *,
        at_once: bool = False,
        cancel: Mapping[str, Any] | None = None,
    ) -> None:
        """Write an intention inside the open transaction; one with this key that is there already stays as it is.

        That holds for a dead letter, too: it is tried again when somebody requeues it.

        Args:
            run: Whose end it waits for.
            key: The idempotency key, the same on every attempt, such as `Run.key`.
            topic: Who delivers it.
            body: JSON.
            at_once: Whether it goes out before its run is complete.
            cancel: The body of the message that takes it back, sent under the same topic, if that is possible.
        """
        if key in DeadLetters(self._store):
            return
        cancels = canonical(dict(cancel)) if cancel is not None else ""
        self._put(key, run, topic, canonical(dict(body)), State.READY if at_once else State.HELD, cancels)

    def follow(self, run: str, event: Event) -> None:
        """Release the messages of a run with its completion; take them back when it is abandoned."""
        if event is Event.COMPLETED:
            self._store.write("UPDATE outbox SET state = ? WHERE run = ? AND state = ?", State.READY, run, State.HELD)
        elif event is Event.ABANDONED:
            self._withdraw(run)

    def messages(self, run: str | None = None) -> list[Message]:
        """Give the messages of one run, or all, in the order in which they were added."""
        query = f"SELECT {_COLUMNS} FROM outbox WHERE ? IS NULL OR run = ? ORDER BY rowid"
        return [_message(row) for row in self._store.read(query, run, run)]

    def deliver(self, send: Mapping[str, Send]) -> int:
        """Send what is ready, in order, and say how many got through: the work of the worker process.

        Args:
            send: For each topic who delivers it; messages of other topics are left alone. It raises where it failed; a
                dead letter keeps the class of the error.

        Raises:
            Undelivered: Some failed, once all others were tried; each failure is counted.
            Exception: One failed in a way that no other call will survive, such as a revoked key. It is not the
                message's fault: it is not counted, and no other is tried.
        """
        sent, problems = 0, []
        for message in self.messages():
            if message.state not in (State.READY, State.SENDING) or message.topic not in send:
                continue
            if message.key.endswith(CANCEL) and self._is_on_its_way(message.key.removesuffix(CANCEL)):
                continue
            if message.state is State.READY and not self._change(message, State.SENDING):
                continue
            try:
                send[message.topic](message)
            except Exception as error:
                if classify(error) is Verdict.STOP:
                    raise
                problems.append(error)
                self._failed(message, type(error).__name__)
            else:
                self._change(message, State.SENT)
                sent += 1
        if problems:
            raise Undelivered(problems)
        return sent

    def requeue(self, key: str) -> None:
        """Make a dead letter of ours a message again, with the same key and all its attempts before it.

        Raises:
            UnknownLetter: There is none with this key.
        """
        letters = DeadLetters(self._store)
        letter = letters.find(key)
        with self._store.transaction():
            letters.remove(key)
            body, cancels = canonical(letter.input["body"]), letter.input["cancels"]
            self._put(key, letter.run, letter.input["topic"], body, State.READY, cancels)

    def _put(self, key: str, run: str, topic: str, body: str, state: State, cancels: str) -> None:
        put = f"INSERT OR IGNORE INTO outbox ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, 0, ?)"
        self._store.write(put, key, run, topic, body, state, cancels)

    def _is_on_its_way(self, key: str) -> bool:
        """Say whether the message with this key may still be sent."""
        return bool(self._store.read("SELECT 1 FROM outbox WHERE key = ? AND state IN ('ready', 'sending')", key))

    def _change(self, message: Message, state: State) -> bool:
        """Move a message on from READY or SENDING; false where somebody took it away in the meantime."""
        with self._store.transaction():
            update = "UPDATE outbox SET state = ? WHERE key = ? AND state IN ('ready', 'sending')"
            return bool(self._store.write(update, state, message.key))

    def _failed(self, message: Message, reason: str) -> None:
        """Count a failure; the last one makes a dead letter of a message, unless another one takes it back."""
        attempts = message.attempts + 1
        with self._store.transaction():
            if attempts < self._max_attempts:
                update = "UPDATE outbox SET attempts = ? WHERE key = ? AND state = 'sending'"
                self._store.write(update, attempts, message.key)
                return
            deleted = self._store.write("DELETE FROM outbox WHERE key = ? AND state = 'sending'", message.key)
            if deleted and not self._is_on_its_way(message.key + CANCEL):
                self._bury(message, "message", reason, attempts)

    def _withdraw(self, run: str) -> None:
        """Delete what was not sent; take back what may have been, dead letters too."""
        self._store.write("DELETE FROM outbox WHERE run = ? AND state IN (?, ?)", run, State.HELD, State.READY)
        for message in self.messages(run):
            self._take_back(message, message.attempts + 1)
        letters = DeadLetters(self._store)
        for letter in letters.all():
            if letter.run == run and letter.kind == "message":
                letters.remove(letter.key)
                self._take_back(_buried(letter), letter.attempts)

    def _take_back(self, message: Message, attempts: int) -> None:
        """Let the message that cancels one follow it; where there is none, send it no more and report it."""
        if message.cancels:
            self._put(message.key + CANCEL, message.run, message.topic, message.cancels, State.READY, "")
            self._store.write("UPDATE outbox SET cancels = '' WHERE key = ?", message.key)
        elif not message.key.endswith(CANCEL):
            self._bury(message, "irreversible", "Sent" if message.state is State.SENT else "MaybeSent", attempts)
            self._store.write("UPDATE outbox SET state = ? WHERE key = ?", State.SENT, message.key)

    def _bury(self, message: Message, kind: str, reason: str, attempts: int) -> None:
        content = {"topic": message.topic, "body": dict(message.body), "cancels": message.cancels}
        DeadLetters(self._store).add(DeadLetter(message.key, message.run, kind, content, reason, attempts))


def _buried(letter: DeadLetter) -> Message:
    """Give the message that a dead letter was."""
    topic, body, cancels = (letter.input[name] for name in ("topic", "body", "cancels"))
    return Message(letter.key, letter.run, topic, body, State.SENDING, letter.attempts, cancels)


def _message(row: tuple[Any, ...]) -> Message:
    key, run, topic, body, state, attempts, cancels = row
    return Message(key, run, topic, json.loads(body), State(state), attempts, cancels)
