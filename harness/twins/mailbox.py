"""A mailbox behind a real SMTP server: what was delivered is external state and outlives the agent's process."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from typing import Any

from ..values.errors import ChaosError
from ..values.points import canonical
from ..values.world import Row

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_SHOWN_APART = ("subject", "mime-version", "content-type", "content-transfer-encoding", "content-disposition")
_ENDING_S = 5.0


class Mailbox:
    """All mail that an agent sends through the server `name`.

    A client that asks for `name`, at whatever port, reaches it; so does every client at `host` and `port`. It takes
    mail for everybody; who has a mail with the same ``Message-ID`` already does not get it again.

    Args:
        name: the host that the agent sends its mail to.
        login: the only user and password that are accepted; without it everybody may send, logged in or not.

    Raises:
        ChaosError: ``bad-mailbox`` for a name that is no host, ``missing-package``, ``no-mail-server``.
    """

    host = "127.0.0.1"

    def __init__(self, name: str = "mail.test", *, login: tuple[str, str] | None = None) -> None:
        if not _NAME.fullmatch(name.lower()):
            raise ChaosError("bad-mailbox", f"{name!r} is no host", 'name it alone: chaos.mailbox("mail.test")')
        if find_spec("aiosmtpd") is None:
            raise ChaosError("missing-package", "chaos.mailbox needs aiosmtpd", "pip install 'rollproof[mail]'")
        self.name = name.lower()
        self._owner, self._lock = os.getpid(), threading.Lock()
        self._control, theirs = socket.socketpair()
        arguments = [
            sys.executable,
            "-W",
            "ignore",
            "-P",
            "-m",
            "rollproof.twins.mail_server",
            str(theirs.fileno()),
            json.dumps(login),
        ]
        with theirs:
            # A session of its own: Ctrl-C is for the tests, and this ends when they do.
            server = subprocess.Popen(
                arguments, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
            )
        self._end = weakref.finalize(self, _end, self._owner, self._control, server)
        self.port = self._started()
        self.address = f"{self.host}:{self.port}"

    @property
    def messages(self) -> list[Row]:
        """Return the delivered mails in order, one row for each recipient; see `row_of`."""
        return self.describe(self.save())[f"{self.name}/mails"]

    def save(self) -> bytes:
        """Return all that was delivered."""
        return self._ask(b"S")

    def restore(self, state: bytes) -> None:
        """Put back what `save` returned; connections that are still open are gone then."""
        self._ask(b"R", state)

    def describe(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return the mails under ``name/mails``."""
        return {f"{self.name}/mails": [row_of(mail) for mail in json.loads(state)]}

    def without_doubles(self, state: bytes, usual: bytes) -> bytes:
        """Return a state without the mails that say the same to the same recipient more often than in `usual`.

        A Message-ID of what they say would have told those who got them that they are one.
        """
        allowed = Counter(map(_matter, json.loads(usual)))
        mails, seen = json.loads(state), Counter[str]()
        kept = []
        for mail in mails:
            seen[_matter(mail)] += 1
            if seen[_matter(mail)] <= max(1, allowed[_matter(mail)]):
                kept.append(mail)
        return state if len(kept) == len(mails) else json.dumps(kept, separators=(",", ":")).encode()

    def names_all(self, state: bytes) -> bool:
        """Return whether each mail of a state has a Message-ID."""
        return all(mail["id"] for mail in json.loads(state))

    def close(self) -> None:
        """End the server."""
        self._end()

    def _started(self) -> int:
        port = _exactly(self._control, 2)
        if len(port) < 2:
            self.close()
            raise ChaosError("no-mail-server", f"the server of chaos.mailbox({self.name!r}) did not start")
        return int.from_bytes(port, "big")

    def _ask(self, what: bytes, state: bytes = b"") -> bytes:
        if os.getpid() != self._owner:
            hint = "an agent has no such window; read .messages in the test, or in chaos.invariant by world.resources"
            raise ChaosError("not-here", f"the mailbox {self.name!r} was read in a process of the agent", hint)
        with self._lock:
            self._control.sendall(what + len(state).to_bytes(4, "big") + state)
            header = _exactly(self._control, 5)
            if len(header) < 5:
                raise ChaosError("no-mail-server", f"the server of chaos.mailbox({self.name!r}) has ended")
            return _exactly(self._control, int.from_bytes(header[1:], "big"))


def row_of(mail: Mapping[str, Any]) -> Row:
    """Return a delivered mail as its recipient sees it.

    ``from`` and ``to`` are of the envelope: one address each, whatever the headers say. ``attachments`` have name, type
    and SHA-256. ``headers`` are all others, by their names in small letters.
    """
    row: Row = {"from": mail["from"], "to": mail["to"], **json.loads(_read(mail["content"]))}
    return row


def _matter(mail: Mapping[str, Any]) -> str:
    """Return the content of a mail with its recipient, without the parts that differ by time and process."""
    row = {key: value for key, value in row_of(mail).items() if key != "headers"}
    return canonical(json.dumps(row))


@lru_cache(maxsize=512)
def _read(content: str) -> str:
    """Return the content of a mail as JSON; the same few mails are in most of the worlds of an exploration."""
    message = message_from_bytes(content.encode("latin-1"), policy=policy.default)
    assert isinstance(message, EmailMessage)
    body = message.get_body(("plain", "html"))
    attachments = [
        {
            "name": part.get_filename() or "",
            "type": part.get_content_type(),
            "sha256": sha256(part.get_payload(decode=True) or b"").hexdigest(),  # type: ignore[arg-type]
        }
        for part in message.iter_attachments()
    ]
    headers = {name.lower(): str(value) for name, value in message.items() if name.lower() not in _SHOWN_APART}
    subject, text = str(message.get("Subject", "")), _text(body) if body is not None else ""
    return json.dumps({"subject": subject, "body": text, "attachments": attachments, "headers": headers})


def _text(part: Any) -> str:
    """Return the text of a part, whatever it says of its encoding."""
    try:
        return str(part.get_content()).replace("\r\n", "\n")
    except (LookupError, KeyError):
        return bytes(part.get_payload(decode=True) or b"").decode("latin-1")


def _exactly(control: socket.socket, count: int) -> bytes:
    """Return so many bytes, fewer where the other end is gone."""
    data = b""
    while len(data) < count:
        try:
            part = control.recv(count - len(data))
        except ConnectionError:
            break
        if not part:
            break
        data += part
    return data


def _end(owner: int, control: socket.socket, server: "subprocess.Popen[bytes]") -> None:
    control.close()
    if os.getpid() != owner:
        return
    try:
        server.wait(_ENDING_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
