"""Intentions in a table, and workers that carry them out: at least once, with a key that makes it once.

Any number of workers, in as many processes, may deliver from one outbox: each message is claimed by one, and a claim
passes on when its owner is proven dead (`alive`), at once, or its deadline has passed.

    from rollproof.runtime import Outbox, Saga, Step, Store

    sent = []
    with Store("agent.db") as store:
        outbox = Outbox(store)

        def tell(run):              # an agent does not mail; it writes that it wants to
            with store.transaction():
                outbox.add(run, run.key, "mail", {"to": "ada"})

        tells = Step("tell", tell, reads_only=True)
        Saga(store, "order", [tells], companions=[outbox]).run("an order", {})
        assert outbox.deliver({"mail": sent.append}) == 1       # a worker, in any process
    assert [message.body for message in sent] == [{"to": "ada"}]

A worker may deliver some topics only; the others wait for theirs. States of a message:

    (nothing) ─add→ HELD ─the run completes→ READY ─claim→ SENDING ─the other side has it→ SENT
                     │            (add, at_once)→┘           │ └─it failed: due again after a pause─┐
                     │                                       │←──────────────claim──────────────────┘
                     └─the run is abandoned→ (nothing)       └─it failed too often→ a dead letter

- A message of a run waits for the end of the run, so that rolling back is deleting. One that is added `at_once` does
  not; if its run is abandoned and it may have been sent, its cancellation is sent after it. Where it has none it is not
  sent again, and a dead letter of the kind `irreversible` says what cannot be taken back. One that was a dead letter
  already may have been sent, too.
- A message is SENDING before it is sent: after a crash nobody knows, so it is sent again, with the same key. The other
  side must know idempotency keys (or the message must be harmless twice).

A claim is one transaction: `owner` becomes a token that only this call of `deliver` has, `due_at` the deadline.

- A worker whose claim has passed on records nothing: each of its updates asks for its own token. What it still sends,
  paused before and awake now, has the key of the message.
- The messages of one run and topic are sent one after the other, in their order; several workers share the runs. One
  that failed does not hold up those behind it.
- A cancellation is sent when its message is settled: SENT, or given up. Until then some worker may be sending it. A
  dead or late owner settles nothing: the message is sent again with its key, by somebody else, and then cancelled.
  So what a late owner sends behind the cancellation has a key that the service has answered: it is no second message
  for a service that knows keys. A message that has no answer is not given up while a late owner of it lives. (Only
  where a life cannot be proven can the try of a late owner be the first one to get through, behind the cancellation.)

What a failure means `classify` says:

- It may pass (a timeout, 429, 503): the message is due again after a pause that doubles, with full jitter, or when
  Retry-After says. It is given up when it has failed for `give_up_after_s`, and `max_attempts` times.
- It will not pass (422, a bug in the worker): the message is due at once, and given up after `max_attempts` of these.
- Nothing will work (401): `deliver` stops, and nothing is counted.

A message whose row is not as it was written (its hash says so) is never sent. That counts as an error that will not
pass; the dead letter that it becomes is of the kind `damaged`, and cannot be requeued.
"""

from __future__ import annotations

import difflib
import json
import logging
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from .alive import Alive
from .canonical import canonical, sha256
from .dead_letters import DeadLetter, DeadLetters, UnknownLetter
from .messages import Message, MessageDamaged, Send, State, Undelivered
from .progress import Event
from .retry import Verdict, classify, pause_s
from .steps import Run
from .store import Storage

_log = logging.getLogger("rollproof.runtime")
CANCEL = ":cancel"
"""The suffix of a cancellation's key, behind the key of its message."""
_COLUMNS = """key, run, topic, body, state, attempts, cancels, behind, owner, due_at, refused, failing_since, late,
    sha256"""
_OPEN = "state IN ('ready', 'sending')"
_FREE = f"""NOT EXISTS (SELECT 1 FROM outbox AS first WHERE first.key = message.behind AND first.{_OPEN})
    AND NOT EXISTS (SELECT 1 FROM outbox AS first WHERE first.{_OPEN} AND first.topic = message.topic
        AND first.owner > '' AND first.run = message.run AND +first.rowid < message.rowid)"""
"""True of an open row `message` if the one it follows is settled and no earlier one of its run and topic is claimed."""


class Outbox:
    """The messages of one database; a companion of a saga, whose transitions release and withdraw them."""

    def __init__(
        self,
        store: Storage,
        *,
        max_attempts: int = 5,
        give_up_after_s: float = 24 * 3600.0,
        claim_s: float = 60.0,
        first_s: float = 0.5,
        most_s: float = 300.0,
    ) -> None:
        """Use the database of `store`; nothing is opened or written.

        Args:
            store: The database.
            max_attempts: After how many tries with an error that will not pass a message is given up.
            give_up_after_s: For how long a message fails at least, with errors that may pass, before it is given up.
            claim_s: How long a worker has for one message: more than the time limits of its sender. One that takes
                longer is joined by another worker, which sends the message beside it, under the same key.
            first_s: The longest pause after the first failure that may pass; doubled each time.
            most_s: The longest of these pauses, where Retry-After asks for no longer one.
        """
        self._store, self._alive = store, Alive(store.path)
        self._max_attempts, self._give_up_after_s, self._claim_s = max_attempts, give_up_after_s, claim_s
        self._first_s, self._most_s = first_s, most_s
        self._told = set[str]()  # topics of which the log says that nothing has them

    def add(
        self,
        run: Run | str,
        key: str,
        topic: str,
        body: Mapping[str, Any],
        *,
        at_once: bool = False,
        cancel: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a message inside the open transaction; an earlier one with the same key stays as it is.

        That holds for a dead letter, too: it is tried again when somebody requeues it.

        Args:
            run: Whose end it waits for; an id, or the `Run` of an act, which is checked in this transaction: an act
                that was paused writes nothing for a run that is undone meanwhile.
            key: The idempotency key, the same on every attempt, such as `Run.key`.
            topic: Who delivers it.
            body: JSON.
            at_once: Whether it goes out before its run is complete.
            cancel: The body of the message that takes it back, sent under the same topic, if that is possible.

        Raises:
            LeaseLost: The `Run` is another process's by now.
            ValueError: Its saga has no outbox among its companions.
        """
        if isinstance(run, Run):
            run.check()
            if not (at_once or run.companions is None or any(isinstance(each, Outbox) for each in run.companions)):
                raise ValueError(
                    f"nobody would release {key!r}: give its saga the outbox, Saga(…, companions=[outbox])"
                )
            run = run.id
        cancels = canonical(dict(cancel)) if cancel is not None else ""
        state = State.READY if at_once else State.HELD
        if key not in DeadLetters(self._store):
            self._put(Message(key, run, topic, body, state, cancels=cancels))

    def follow(self, run: str, event: Event) -> None:
        """Release the messages of a run with its completion; take them back when it is abandoned."""
        if event is Event.COMPLETED:
            self._store.write("UPDATE outbox SET state = ? WHERE run = ? AND state = ?", State.READY, run, State.HELD)
        elif event is Event.ABANDONED:
            self._withdraw(run)

    def messages(self, run: str | None = None) -> list[Message]:
        """Return the messages of one run, or all, in the order in which they were added."""
        query = f"SELECT {_COLUMNS} FROM outbox WHERE ? IS NULL OR run = ? ORDER BY rowid"
        return [_message(row) for row in self._store.read(query, run, run)]

    def deliver(self, send: Mapping[str, Send]) -> int:
        """Send each due message once, in order, and return how many got through; a worker calls this.

            while outbox.wait(send):
                try:
                    outbox.deliver(send)
                except Undelivered as failed:
                    log(failed.problems)

        Args:
            send: For each topic who delivers it; messages of other topics are left alone. It raises where it failed; a
                dead letter keeps the class of the error.

        Raises:
            Undelivered: Some failed, once all others were tried; each failure is counted.
            Exception: One failed in a way that no other call will survive, such as a revoked key. It is not the
                message's fault: it is not counted, and no other is tried.
        """
        due = self._due(send)
        if not due:
            self._tell_of_unknown(send)
            return 0
        token, rows, sent, problems = _token(due.values()), iter(due), 0, list[Exception]()
        record: Callable[[], bool] = bool
        with Alive(self._store.path) as alive:
            alive.hold(token)  # before a claim can be seen, and until the last one is recorded
            while True:
                with self._store.transaction():  # the end of one and the claim of the next: half as many
                    sent += record()
                    message = self._claim(rows, token, send)
                if message is None:
                    break
                try:
                    _refuse_damaged(message)
                    send[message.topic](message)
                    record = partial(self._sent, message)
                except Exception as error:
                    record = partial(self._failed, message, error)
                    if classify(error) is Verdict.STOP:
                        with self._store.transaction():
                            record()
                        raise
                    problems.append(error)
        if problems:
            raise Undelivered(problems, self.next_due(send))
        return sent

    def next_due(self, topics: Iterable[str]) -> float | None:
        """Say when a message of some topics may be tried next, in seconds since 1970; None where none is left to send.

        What another worker has claimed is due at its deadline, or now if that worker is dead.
        """
        chosen = tuple(topics)
        query = f"SELECT owner, MIN(due_at) FROM outbox AS message WHERE {_among(chosen)} AND {_FREE} GROUP BY owner"
        claims = self._store.read(query, *chosen)
        return min((0.0 if self._is_abandoned(owner) else due_at for owner, due_at in claims), default=None)

    def wait(self, topics: Iterable[str], look_s: float = 1.0) -> bool:
        """Sleep until a message of some topics is due, no longer than `look_s`; false, at once, where none is left.

        A message that is added meanwhile wakes nobody: a worker that goes on for ever waits again.
        """
        topics = list(topics)
        due_at = self.next_due(topics)
        if due_at is None:
            self._tell_of_unknown(topics)
            return False
        time.sleep(max(0.0, min(look_s, due_at - time.time())))
        return True

    def requeue(self, key: str) -> None:
        """Make a dead letter of ours a message again, with the same key and all its attempts before it.

        Raises:
            UnknownLetter: There is none with this key, or it is no message.
        """
        letters = DeadLetters(self._store)
        letter = letters.find(key)
        if letter.kind != "message":
            raise UnknownLetter(f"{key!r} is {letter.kind}: no message that could be sent again")
        with self._store.transaction():
            if letters.remove(key):
                self._put(_buried(letter))

    def _put(self, message: Message) -> None:
        put = f"INSERT OR IGNORE INTO outbox ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, 0, ?, ?, '', 0, 0, 0, '', ?)"
        body = canonical(dict(message.body))
        given = (message.key, message.run, message.topic, body, message.state, message.cancels, message.behind)
        self._store.write(put, *given, _hash(message.key, message.run, message.topic, body, message.cancels,
                                             message.behind))  # fmt: skip

    def _due(self, topics: Iterable[str]) -> dict[int, str]:
        """Return the rows that may be due now, in order, each with its owner; the claim of each checks again."""
        chosen, now = tuple(topics), time.time()
        query = f"SELECT rowid, owner, due_at FROM outbox WHERE {_among(chosen)} AND (due_at <= ? OR owner > '')"
        rows = self._store.read(f"{query} ORDER BY rowid", *chosen, now)
        return {row: owner for row, owner, due_at in rows if due_at <= now or self._is_abandoned(owner)}

    def _claim(self, rows: Iterator[int], token: str, topics: Iterable[str]) -> Message | None:
        """Make the next message that can be had this worker's for `claim_s`; None where there is no more."""
        chosen = tuple(topics)
        query = f"SELECT {_COLUMNS} FROM outbox AS message WHERE rowid = ? AND {_among(chosen)} AND {_FREE}"
        for row in rows:
            for message in map(_message, self._store.read(query, row, *chosen)):
                if message.due_at <= time.time() or self._is_abandoned(message.owner):
                    late = " ".join(filter(self._alive.is_held, f"{message.late} {message.owner}".split()))
                    deadline = time.time() + self._claim_s
                    update = "UPDATE outbox SET state = ?, owner = ?, due_at = ?, late = ? WHERE rowid = ?"
                    self._store.write(update, State.SENDING, token, deadline, late, row)
                    return replace(message, state=State.SENDING, owner=token, due_at=deadline, late=late)
        return None

    def _is_abandoned(self, owner: str) -> bool:
        """Return whether the worker that made a claim is proven dead."""
        return owner != "" and self._alive.is_held(owner) is False

    def _tell_of_unknown(self, topics: Iterable[str]) -> None:
        """Log each topic once that no open message has, if open messages have one that looks like it."""
        waiting = {topic for (topic,) in self._store.read(f"SELECT DISTINCT topic FROM outbox WHERE {_OPEN}")}
        for topic in set(topics) - waiting - self._told:
            for meant in difflib.get_close_matches(topic, waiting - set(topics), 1):
                self._told.add(topic)
                _log.warning("no message has the topic %r that is delivered; some have %r, and wait", topic, meant)

    def _is_open(self, key: str) -> bool:
        """Return whether the message with this key is still to be sent."""
        return bool(self._store.read(f"SELECT 1 FROM outbox WHERE key = ? AND {_OPEN}", key))

    def _sent(self, message: Message) -> bool:
        """Record that a message of ours got through; false where the claim has passed on."""
        update = "UPDATE outbox SET state = ?, owner = '', due_at = 0, failing_since = 0 WHERE key = ? AND owner = ?"
        return bool(self._store.write(update, State.SENT, message.key, message.owner))

    def _failed(self, message: Message, error: Exception) -> bool:
        """Record a failure of a message of ours; the last one makes a dead letter, unless it is to be cancelled."""
        verdict, now = classify(error), time.time()
        attempts = message.attempts + (verdict is not Verdict.STOP)
        refused = message.refused + (verdict is Verdict.ROLL_BACK)
        since, due_at, given_up = message.failing_since, 0.0, refused >= self._max_attempts
        pause = min(pause_s(error, attempts, self._first_s, self._most_s), max(self._give_up_after_s, self._most_s))
        if verdict is Verdict.RETRY:
            since, due_at = since or now, now + pause
            given_up = attempts >= self._max_attempts and now - since >= self._give_up_after_s
        if given_up and any(map(self._alive.is_held, message.late.split())):  # one of these may still get through
            given_up, due_at = False, now + pause
        if given_up and verdict is not Verdict.STOP:
            deleted = self._store.write("DELETE FROM outbox WHERE key = ? AND owner = ?", message.key, message.owner)
            if deleted and (message.damaged or not self._is_open(message.key + CANCEL)):
                self._bury(message, "damaged" if message.damaged else "message", type(error).__name__, attempts)
        else:
            update = """UPDATE outbox SET attempts = ?, refused = ?, failing_since = ?, owner = '', due_at = ?
                WHERE key = ? AND owner = ?"""
            self._store.write(update, attempts, refused, since, due_at, message.key, message.owner)
        return False

    def _withdraw(self, run: str) -> None:
        """Delete unsent messages; take back those that may have been sent, also dead letters. Cancellations stay."""
        delete = "DELETE FROM outbox WHERE run = ? AND state IN (?, ?) AND behind = ''"
        self._store.write(delete, run, State.HELD, State.READY)
        for message in self.messages(run):
            self._take_back(message, message.attempts + 1)
        letters = DeadLetters(self._store)
        for letter in letters.all():
            if letter.run == run and letter.kind == "message" and not letter.input["behind"]:
                letters.remove(letter.key)
                self._take_back(_buried(letter), letter.attempts)

    def _take_back(self, message: Message, attempts: int) -> None:
        """Add the cancellation of a message; a message that has none is sent no more, and reported as a dead letter."""
        if message.behind:
            return
        key = message.key + CANCEL
        if message.damaged:
            self._bury(message, "damaged", MessageDamaged.__name__, attempts)
            self._store.write("DELETE FROM outbox WHERE key = ?", message.key)
        elif not message.cancels:
            self._bury(message, "irreversible", "Sent" if message.state is State.SENT else "MaybeSent", attempts)
            update = "UPDATE outbox SET state = ?, owner = '', due_at = 0 WHERE key = ?"
            self._store.write(update, State.SENT, message.key)
        elif key not in DeadLetters(self._store):
            body = json.loads(message.cancels)
            self._put(Message(key, message.run, message.topic, body, State.READY, behind=message.key))

    def _bury(self, message: Message, kind: str, reason: str, attempts: int) -> None:
        names = ("topic", "body", "cancels", "behind")
        content = {name: getattr(message, name) for name in names}
        if kind == "damaged":
            _log.error("message %s of run %s is damaged, and is a dead letter now", message.key, message.run)
        DeadLetters(self._store).add(DeadLetter(message.key, message.run, kind, content, reason, attempts))


def _token(owners: Collection[str]) -> str:
    """Draw a token that no owner has: a machine that goes on from a snapshot draws the same numbers again."""
    while (token := uuid.uuid4().hex) in owners:
        pass
    return token


def _among(topics: Sequence[str]) -> str:
    """Say in SQL that a row is open and of one of these topics."""
    return f"{_OPEN} AND topic IN ({', '.join('?' * len(topics))})"


def _refuse_damaged(message: Message) -> None:
    """Make sure that a message is as it was written.

    Raises:
        MessageDamaged: It is not.
    """
    if message.damaged:
        raise MessageDamaged(f"message {message.key!r} is not as it was written, and was not sent")


def _hash(*text: str) -> str:
    """Return the SHA-256 of key, run, topic, body, cancellation and `behind` of a message."""
    return sha256(canonical(text).encode(errors="surrogatepass"))


def _buried(letter: DeadLetter) -> Message:
    """Return the message that a dead letter was."""
    topic, body, cancels, behind = (letter.input[name] for name in ("topic", "body", "cancels", "behind"))
    return Message(letter.key, letter.run, topic, body, State.SENDING, letter.attempts, cancels, behind)


def _message(row: tuple[Any, ...]) -> Message:
    key, run, topic, body, state, attempts, cancels, behind, *rest, stored = row
    damaged = _hash(key, run, topic, body, cancels, behind) != stored
    content = {"text": body} if damaged else json.loads(body)
    return replace(Message(key, run, topic, content, State(state), attempts, cancels, behind, *rest), damaged=damaged)
