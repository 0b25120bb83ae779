"""The side process of a mailbox: a real SMTP server (aiosmtpd), and what was delivered to it.

Started as ``python -m rollproof.twins.mail_server FD``. Over that socket it says its port, gives its state away and
gets another one; when the other end is gone, so is this process. How it treats one mail is said over SMTP itself, by a
command ``XFAULT`` in front of the mail: replies stay the server's own, and nothing but the connection they come on.
"""

import asyncio
import json
import logging
import socket
import struct
import sys
from email import message_from_bytes, policy
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

HEADER = struct.Struct("!cI")
PORT = struct.Struct("!H")
SAVE, RESTORE = b"S", b"R"
_ACCEPTED = "250 2.0.0 OK: queued"


class Deliveries:
    """The mails in people's inboxes, in the order in which they came: one mail to two of them is there twice.

    Two mails to one of them that have the same ``Message-ID`` are one, as the large providers have it.
    """

    def __init__(self) -> None:
        self._mails: list[dict[str, Any]] = []
        self._seen: set[tuple[str, str]] = set()
        self._state: bytes | None = None

    def add(self, sender: str, recipients: list[str], content: bytes) -> None:
        """Deliver a mail to each of its recipients."""
        id = str(message_from_bytes(content, policy=policy.default).get("Message-ID", "")).strip()
        for recipient in dict.fromkeys(recipients):
            if not id or (id, recipient) not in self._seen:
                self._seen.add((id, recipient))
                mail = {"from": sender, "to": recipient, "id": id, "content": content.decode("latin-1")}
                self._mails.append(mail)
                self._state = None

    def save(self) -> bytes:
        """Return all of it as JSON; equal mailboxes give equal bytes."""
        if self._state is None:
            self._state = json.dumps(self._mails, separators=(",", ":")).encode()
        return self._state

    def restore(self, state: bytes) -> None:
        """Put back what `save` returned."""
        self._mails, self._state = json.loads(state), state
        self._seen = {(mail["id"], mail["to"]) for mail in self._mails}


class Server(SMTP):
    """One connection. `treatment` says how its next mail is treated; see `values.actions.Deliver`."""

    open: "set[Server]"

    def __init__(self, deliveries: Deliveries, login: list[str] | None, connected: "set[Server]") -> None:
        self._deliveries, self._login, self.open = deliveries, login, connected
        self.treatment: dict[str, Any] = {}
        self.did = False  # whether the last mail was treated as it was told
        super().__init__(
            self,
            enable_SMTPUTF8=True,
            hostname="localhost",
            ident="ESMTP",
            timeout=86400.0,  # the agent's time is virtual, this process's is not
            auth_require_tls=False,
            auth_required=login is not None,
            authenticator=self._authenticated,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be known as open."""
        super().connection_made(transport)
        self.open.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Be forgotten."""
        self.open.discard(self)
        super().connection_lost(error)

    async def smtp_XFAULT(self, argument: str) -> None:
        """Set the treatment of the next mail of this connection; without an argument, say whether it was done."""
        if not argument:
            self.treatment = {}  # of a mail that was refused before it came to that: the next one is another
            await self.push("250 done" if self.did else "250 not yet")
            return
        self.treatment, self.did = json.loads(argument), False
        await self.push("250 OK")

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept a recipient, or refuse it as was said."""
        refused = self.treatment.get("refuses")
        if refused == "recipients" or (refused == "recipient" and not self.did):
            self.did = True
            return str(self.treatment["reply"])
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Deliver a mail, or do with it what was said."""
        treatment, self.treatment = self.treatment, {}
        refused, self.did = bool(treatment.get("refuses")) and not self.did, True
        if refused:  # the content, or recipients that a client had named before it was told
            return str(treatment["reply"])
        assert isinstance(envelope.content, bytes)
        for _ in range(treatment.get("copies", 1)):
            self._deliveries.add(envelope.mail_from or "", list(envelope.rcpt_tos), envelope.content)
        if treatment.get("hangs_up"):
            self.hang_up()
        return _ACCEPTED

    async def handle_exception(self, error: Exception) -> str:
        """Answer with an error of this server; a connection that is gone needs no answer."""
        return f"451 4.3.0 {type(error).__name__}"

    def hang_up(self) -> None:
        """Close the connection at once."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    def _authenticated(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        given = [data.login.decode(), data.password.decode()]
        return AuthResult(success=self._login is None or given == self._login, handled=False)


async def _serve(control: socket.socket, login: list[str] | None) -> None:
    loop = asyncio.get_running_loop()
    deliveries, connected = Deliveries(), set[Server]()
    server = await loop.create_server(lambda: Server(deliveries, login, connected), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(sock=control)
    writer.write(PORT.pack(server.sockets[0].getsockname()[1]))
    while True:
        try:
            what, size = HEADER.unpack(await reader.readexactly(HEADER.size))
            state = await reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        if what == RESTORE:
            for connection in list(connected):  # what a dead agent still has on its way must not arrive afterwards
                connection.hang_up()
            await asyncio.sleep(0)
            deliveries.restore(state)
        saved = deliveries.save() if what == SAVE else b""
        writer.write(HEADER.pack(what, len(saved)) + saved)


def main() -> None:
    """Serve until the other end of the socket is gone."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    descriptor, login = int(sys.argv[1]), json.loads(sys.argv[2])
    asyncio.run(_serve(socket.socket(fileno=descriptor), login))


if __name__ == "__main__":
    main()
