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
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from .alive import Alive
from .canonical import canonical
from .claims import Claims, Limits, draw_token
from .dead_letters import DeadLetters, UnknownLetter
from .message_table import CANCEL, MessageTable, buried
from .messages import Message, MessageDamaged, Send, State, Undelivered
from .progress import Event
from .retry import Verdict, classify
from .steps import Run
from .store import Storage

_log = logging.getLogger("rollproof.runtime")


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
        self._store, self._table = store, MessageTable(store)
        self._claims = Claims(store, self._table, Limits(max_attempts, give_up_after_s, claim_s, first_s, most_s))
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
            self._table.put(Message(key, run, topic, body, state, cancels=cancels))

    def follow(self, run: str, event: Event) -> None:
        """Release the messages of a run with its completion; take them back when it is abandoned."""
        if event is Event.COMPLETED:
            self._store.write("UPDATE outbox SET state = ? WHERE run = ? AND state = ?", State.READY, run, State.HELD)
        elif event is Event.ABANDONED:
            self._withdraw(run)

    def messages(self, run: str | None = None) -> list[Message]:
        """Return the messages of one run, or all, in the order in which they were added."""
        return self._table.all(run)

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
        due = self._claims.due(send)
        if not due:
            self._tell_of_unknown(send)
            return 0
        token, rows, sent, problems = draw_token(due.values()), iter(due), 0, list[Exception]()
        record: Callable[[], bool] = bool
        with Alive(self._store.path) as alive:
            alive.hold(token)  # before a claim can be seen, and until the last one is recorded
            while True:
                with self._store.transaction():  # the end of one and the claim of the next: half as many
                    sent += record()
                    message = self._claims.claim(rows, token, send)
                if message is None:
                    break
                try:
                    _refuse_damaged(message)
                    send[message.topic](message)
                    record = partial(self._claims.sent, message)
                except Exception as error:
                    record = partial(self._claims.failed, message, error)
                    if classify(error) is Verdict.STOP:
                        with self._store.transaction():
                            record()
                        raise
                    problems.append(error)
        if problems:
            raise Undelivered(problems, self.next_due(send))
        return sent

    def next_due(self, topics: Iterable[str]) -> float | None:
        """Return when a message of some topics may be tried next, in seconds since 1970; None if none is left to send.

        What another worker has claimed is due at its deadline, or now if that worker is dead.
        """
        return self._claims.next_due(topics)

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
                self._table.put(buried(letter))

    def _tell_of_unknown(self, topics: Iterable[str]) -> None:
        """Log each topic once that no open message has, if open messages have one that looks like it."""
        waiting = self._table.open_topics()
        for topic in set(topics) - waiting - self._told:
            for meant in difflib.get_close_matches(topic, waiting - set(topics), 1):
                self._told.add(topic)
                _log.warning("no message has the topic %r that is delivered; some have %r, and wait", topic, meant)

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
                self._take_back(buried(letter), letter.attempts)

    def _take_back(self, message: Message, attempts: int) -> None:
        """Add the cancellation of a message; a message that has none is sent no more, and reported as a dead letter."""
        if message.behind:
            return
        key = message.key + CANCEL
        if message.damaged:
            self._table.bury(message, "damaged", MessageDamaged.__name__, attempts)
            self._store.write("DELETE FROM outbox WHERE key = ?", message.key)
        elif not message.cancels:
            self._table.bury(message, "irreversible", "Sent" if message.state is State.SENT else "MaybeSent", attempts)
            update = "UPDATE outbox SET state = ?, owner = '', due_at = 0 WHERE key = ?"
            self._store.write(update, State.SENT, message.key)
        elif key not in DeadLetters(self._store):
            body = json.loads(message.cancels)
            self._table.put(Message(key, message.run, message.topic, body, State.READY, behind=message.key))


def _refuse_damaged(message: Message) -> None:
    """Make sure that a message is as it was written.

    Raises:
        MessageDamaged: The row was changed since.
    """
    if message.damaged:
        raise MessageDamaged(f"message {message.key!r} is not as it was written, and was not sent")
