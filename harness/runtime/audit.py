"""The audit trail: every file that was created, updated or deleted, as an event, told to webhooks, and enough to undo.

    trail = AuditTrail(store, outbox, webhooks=["https://audit.example/hook"])
    files = Versions(store, contents, folder, staging, trail)
    trail.undo(run, files)                      # from the trail alone, last change first

An event stands in the hash-chained journal and says which content was there before and which after; the contents are
kept by their hash. It is written in the transaction that decides the change, together with the message to each webhook:
so the trail is complete, whenever the process dies, and each webhook hears of each event at least once, signed.

Signatures are those of Standard Webhooks (standardwebhooks.com): receivers can use any of its libraries, or `verify`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .canonical import canonical
from .journal import Journal
from .outbox import Message, Outbox, Send
from .store import Storage
from .versions import GONE, Versions

CREATED, UPDATED, DELETED = "created", "updated", "deleted"
TOPIC = "webhook"
TOLERANCE_S = 300.0
"""How old a signature may be when it arrives, in seconds; what is replayed later is refused."""

Post = Callable[[str, bytes, Mapping[str, str]], int]
"""Posts a body with headers to an address, and gives the status code; raises where there was no answer."""


@dataclass(frozen=True, slots=True)
class Change:
    """One event of the trail; `undoes` is the number of the event that it takes back, 0 if none."""

    seq: int
    run: str
    event: str
    name: str
    before: str
    after: str
    undoes: int


class WebhookRefused(Exception):
    """A webhook did not take an event; it will be told again."""


class BadSignature(Exception):
    """A message is not from who it says, was changed on its way, or is too old."""


class AuditTrail:
    """The changes that the journal of one database holds."""

    def __init__(self, store: Storage, outbox: Outbox | None = None, webhooks: Sequence[str] = ()) -> None:
        """Use the database of `store`, and tell the addresses of `webhooks` through the outbox."""
        self._store, self._outbox, self._webhooks = store, outbox, tuple(webhooks)
        self._undoing = 0

    def changed(self, run: str, name: str, before: str, after: str) -> None:
        """Keep one change inside the open transaction, and tell of it."""
        event = CREATED if before == GONE else DELETED if after == GONE else UPDATED
        detail = {"name": name, "before": before, "after": after, "undoes": self._undoing}
        entry = Journal(self._store).append(run, event, **detail)
        for number, address in enumerate(self._webhooks if self._outbox else ()):
            body = {"url": address, "event": {"seq": entry.seq, "run": run, "type": event, **detail}}
            assert self._outbox is not None
            self._outbox.add(f"audit:{run}", f"{run}:{entry.seq}:{number}", TOPIC, body, at_once=True)

    def changes(self, run: str | None = None) -> Iterator[Change]:
        """Yield the events of one run, or of all, oldest first."""
        for entry in Journal(self._store).entries(run):
            if entry.event in (CREATED, UPDATED, DELETED):
                detail = dict(entry.detail)
                yield Change(entry.seq, entry.run, entry.event, **detail)

    def undo(self, run: str, files: Versions) -> int:
        """Take back what a run changed, last first, and say how many changes that were.

        What is taken back is a change too, which names the one that it undoes; so it can be repeated after a crash.

        Raises:
            ChangedElsewhere: Somebody else changed one of the files since; the later changes are undone by then.
        """
        changes = list(self.changes(run))
        undone = {change.undoes for change in changes}
        due = [change for change in reversed(changes) if not change.undoes and change.seq not in undone]
        for change in due:
            self._undoing = change.seq
            try:
                files.put_back(change.name, change.before, run)
            finally:
                self._undoing = 0
        return len(due)


def post_with_urllib(address: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Post with the standard library, and give the status; waits 30 seconds at most.

    Raises:
        urllib.error.URLError: There was no answer.
    """
    request = urllib.request.Request(address, body, dict(headers), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def deliver_signed(secrets: Mapping[str, bytes], post: Post = post_with_urllib) -> Send:
    """Give the function that tells webhooks, for `Outbox.deliver({TOPIC: …})`.

    Args:
        secrets: The secret of each address; it is used, and written down nowhere.
        post: How to post.
    """

    def send(message: Message) -> None:
        address, body = message.body["url"], canonical(message.body["event"]).encode()
        moment = str(int(time.time()))
        headers = {
            "content-type": "application/json",
            "idempotency-key": message.key,
            "webhook-id": message.key,
            "webhook-timestamp": moment,
            "webhook-signature": signature(secrets[address], message.key, moment, body),
        }
        status = post(address, body, headers)
        if not 200 <= status < 300:
            raise WebhookRefused(f"{address} answered {status}")

    return send


def signature(secret: bytes, key: str, moment: str, body: bytes) -> str:
    """Sign a message as Standard Webhooks does."""
    signed = hmac.new(secret, f"{key}.{moment}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def verify(secret: bytes, headers: Mapping[str, str], body: bytes) -> None:
    """Make sure that a message is ours, unchanged and new: what a receiver does.

    Raises:
        BadSignature: It is not.
    """
    key, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    expected, given = signature(secret, key, moment, body), headers.get("webhook-signature", "").split()
    if not any(hmac.compare_digest(expected.encode(), each.encode()) for each in given):
        raise BadSignature("the signature does not match")
    if abs(time.time() - int(moment)) > TOLERANCE_S:
        raise BadSignature(f"signed at {moment}, which is too long ago or to come")
