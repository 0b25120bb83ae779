"""The audit trail: every file that was created, updated or deleted, as an event, told to webhooks, and enough to undo.

An event is written in the transaction of its change. Files are changed by one process at a time (see `versions`); any
process that delivers the outbox tells the webhooks.

    from pathlib import Path
    from rollproof.runtime import AuditTrail, FolderContents, Outbox, Store, Versions

    for name in ("files", "staging", "contents"):
        Path(name).mkdir()
    with Store("agent.db") as store:
        trail = AuditTrail(store, Outbox(store), webhooks=["https://audit.example/hook"])
        files = Versions(store, FolderContents(Path("contents")), Path("files"), Path("staging"), trail)
        files.save("price.txt", b"12", run="run-1")
        assert [(change.event, change.name) for change in trail.changes("run-1")] == [("created", "price.txt")]
        trail.undo("run-1", files)                          # from the trail alone, last change first
        assert not Path("files/price.txt").exists()

An event stands in the hash-chained journal and says when it was, which content was there before and which after; the
contents are kept by their hash. The message to each webhook is written together with it: so the trail is complete,
whenever the process dies, and each webhook hears of each event at least once, signed. Where a `Retention` forgets a
run, its changes leave the trail with it: from then on `undo` knows nothing to take back.

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
from .messages import Message, Send
from .outbox import Outbox
from .store import Storage
from .versions import GONE, Versions

CREATED, UPDATED, DELETED = "created", "updated", "deleted"
TOPIC = "webhook"
TOLERANCE_S = 300.0
"""The highest age of a signature when it arrives, in seconds; a message that is replayed later is refused."""

Post = Callable[[str, bytes, Mapping[str, str]], int]
"""Posts a body with headers to an address, and gives the status code; raises where there was no answer."""
Secret = bytes | str
"""Bytes, or text as Standard Webhooks writes it: `whsec_` and base64."""


@dataclass(frozen=True, slots=True)
class Change:
    """One event of the trail; `undoes` is the number of the event that it takes back, 0 if none, `at` is in UTC."""

    seq: int
    run: str
    event: str
    name: str
    before: str
    after: str
    undoes: int
    at: str


class WebhookRefused(Exception):
    """A webhook did not take an event; it will be told again.

    `status_code` is what it answered, but not 401 or 403: that one receiver knows another secret says nothing of the
    others, and stops no worker.
    """

    def __init__(self, address: str, status: int) -> None:
        """Keep the address and the status that it answered."""
        super().__init__(f"{address} answered {status}")
        self.status_code = None if status in (401, 403) else status


class BadSignature(Exception):
    """The signature of a message does not match, or the message is too old."""


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
            body = {"url": address, "event": {"seq": entry.seq, "run": run, "type": event, "at": entry.at, **detail}}
            assert self._outbox is not None
            self._outbox.add(f"audit:{run}", f"{run}:{entry.seq}:{number}", TOPIC, body, at_once=True)

    def changes(self, run: str | None = None) -> Iterator[Change]:
        """Yield the events of one run, or of all, oldest first."""
        for entry in Journal(self._store).entries(run):
            if entry.event in (CREATED, UPDATED, DELETED):
                detail = dict(entry.detail)
                yield Change(entry.seq, entry.run, entry.event, **detail, at=entry.at)

    def undo(self, run: str, files: Versions) -> int:
        """Take back the changes of a run, last first, and return how many there were.

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


def deliver_signed(secrets: Mapping[str, Secret], post: Post = post_with_urllib) -> Send:
    """Return the function that tells webhooks, for `Outbox.deliver({TOPIC: …})`.

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
            raise WebhookRefused(address, status)

    return send


def signature(secret: Secret, key: str, moment: str, body: bytes) -> str:
    """Sign a message as Standard Webhooks does."""
    signed = hmac.new(_key(secret), f"{key}.{moment}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def verify(secret: Secret, headers: Mapping[str, str], body: bytes) -> None:
    """Make sure that a message is ours, unchanged and new; the receiver calls this.

    `headers` may be written in any case, as servers give them, or be the environment of WSGI.

    Raises:
        BadSignature: The signature does not match, or a header is missing or not as it must be.
    """
    named = {name.lower().removeprefix("http_").replace("_", "-"): str(value) for name, value in headers.items()}
    missing = [name for name in ("webhook-id", "webhook-timestamp", "webhook-signature") if not named.get(name)]
    if missing:
        raise BadSignature(f"there is no header {missing[0]}")
    key, moment, given = named["webhook-id"], named["webhook-timestamp"], named["webhook-signature"].split()
    expected = signature(secret, key, moment, body)
    if not any(hmac.compare_digest(expected.encode(), each.encode()) for each in given):
        raise BadSignature("the signature does not match")
    if not moment.isdecimal():
        raise BadSignature("webhook-timestamp is no number of seconds")
    if abs(time.time() - int(moment)) > TOLERANCE_S:
        raise BadSignature(f"signed at {moment}, which is too long ago or to come")


def _key(secret: Secret) -> bytes:
    """Return the bytes that a secret stands for; no error shows them."""
    key = secret.encode() if isinstance(secret, str) else secret
    if key.startswith(b"whsec_"):
        try:
            key = base64.b64decode(key.removeprefix(b"whsec_"), validate=True)
        except ValueError:
            raise ValueError("what is behind whsec_ in a secret is no base64") from None
    if not key:
        raise ValueError("the secret is empty, so anybody could sign")
    return key
