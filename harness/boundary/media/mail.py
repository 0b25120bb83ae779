"""Mail: what ``smtplib`` says to a mailbox travels over a real socket, and passes the gate.

A connection is a point, and so is each mail: from its sender to the server's last answer. Put in place once in the
parent; in the agent's processes what passes is seen. Mailboxes are reached by their name at any port. TLS is left out:
``SMTP_SSL`` and ``starttls`` succeed and carry plain text over the loopback.
"""

import contextlib
import json
import smtplib
import socket
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

from ...values.actions import Deliver, Disconnect
from ..adapters import python_smtp
from ..gate import Gate
from ..resolved import ResolvedInjection
from .transport import socket_error

Address = tuple[str, int]
_addresses: dict[str, Address] = {}
_gates: list[Gate] = []


def carry(gate: Gate) -> None:
    """Send the mail of this process through `gate`."""
    _gates[:] = [gate]


def servers() -> frozenset[Address]:
    """Return the addresses of the mailboxes' servers: connections to them are permitted."""
    return frozenset((host, port) for address, port in _addresses.values() for host in (address, "localhost"))


def install(mailboxes: Mapping[str, Address]) -> Callable[[], None]:
    """Connect mail for these hosts to the mailboxes' servers; returns a function that undoes it."""
    _addresses.update(mailboxes)
    client: Any = smtplib.SMTP
    replaced = [
        *python_smtp.connecting(_dialled),
        (client, "sendmail", _sent(client.sendmail)),
        (client, "data", _sent(client.data)),
        (client, "starttls", _in_the_clear(client.starttls)),
    ]
    before = [(owner, name, vars(owner)[name]) for owner, name, _ in replaced]
    for owner, name, function in replaced:
        setattr(owner, name, function)

    def uninstall() -> None:
        _addresses.clear()
        for owner, name, function in before:
            setattr(owner, name, function)

    return uninstall


def _mailbox(host: str, port: int) -> str:
    """Return the name of the mailbox that a client means, or "" where it means none."""
    if host.lower() in _addresses:
        return host.lower()
    return next((name for name, (_, there) in _addresses.items() if (host, port) in servers() and port == there), "")


def _gate() -> Gate | None:
    return _gates[0] if _gates and _gates[0].active else None


def _dialled(plain: Callable[..., Any]) -> Callable[..., Any]:
    def dial(self: Any, host: str, port: int, timeout: Any) -> Any:
        name = _mailbox(host, port)
        if not name:
            return plain(self, host, port, timeout)
        self.rollproof_mailbox = name
        gate = _gate()
        with gate.holding_token("mail", "connect", name) if gate else nullcontext():
            crossing = gate.arrive("mail", "connect", name) if gate else None
            resolved = crossing.phase("before") if crossing else None
            if gate and resolved is not None and isinstance(resolved.action, Disconnect):
                gate.fired(resolved)
                raise socket_error(resolved.action.reason)
            with gate.untraced() if gate else nullcontext():
                connected = socket.create_connection(_addresses[name], timeout)
            if crossing:
                crossing.phase("after")
            return connected

    return dial


def _sent(plain: Callable[..., Any]) -> Callable[..., Any]:
    def send(self: Any, *args: Any, **kwargs: Any) -> Any:
        name, gate = getattr(self, "rollproof_mailbox", ""), _gate()
        if not name or gate is None:
            return plain(self, *args, **kwargs)
        with gate.holding_token("mail", "send", name):
            crossing = gate.arrive("mail", "send", name)
            resolved = crossing.phase("before") or crossing.changed_answer()
            deliver = resolved.action if resolved is not None and isinstance(resolved.action, Deliver) else Deliver()
            try:
                with gate.untraced():
                    if resolved is not None:
                        self.docmd("XFAULT", json.dumps(asdict(deliver)))
                    try:
                        answer = plain(self, *args, **kwargs)
                    except smtplib.SMTPServerDisconnected:
                        raise
                    except Exception:
                        # The treatment was a refusal, or something else came first: 530 of the server, an address that
                        # the client cannot write. The server forgets it when it is asked.
                        with contextlib.suppress(smtplib.SMTPException, OSError):
                            _is_done(self, resolved)
                        gate.fired(resolved)
                        raise
                    if _is_done(self, resolved):
                        gate.fired(resolved)
            except smtplib.SMTPServerDisconnected:
                gate.fired(resolved)
                # Delivered before it hung up: the server has acted.
                if deliver.hangs_up and deliver.copies:
                    crossing.outcome = "delivered"
                    crossing.phase("after")
                raise
            # The code of the last answer, or from `sendmail` the recipients that were refused.
            crossing.outcome = str(answer[0]) if isinstance(answer, tuple) else "not to all" if answer else "250"
            crossing.phase("after")
            return answer

    return send


def _is_done(client: Any, resolved: ResolvedInjection | None) -> bool:
    """Return whether the server has carried its orders for the mail out, as one that has hung up has."""
    return resolved is not None and (client.sock is None or client.docmd("XFAULT")[1] == b"done")


def _in_the_clear(plain: Callable[..., Any]) -> Callable[..., Any]:
    def starttls(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not getattr(self, "rollproof_mailbox", ""):
            return plain(self, *args, **kwargs)
        self.ehlo_or_helo_if_needed()
        # As `smtplib` does after a real handshake: the client asks for the features again.
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features, self.does_esmtp = {}, False
        return (220, b"2.0.0 Ready to start TLS")

    return starttls
