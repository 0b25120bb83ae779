"""An agent that mails from asyncio: each turn of SMTP is an exchange on a real socket, and nothing of it is patched."""

import asyncio
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import make_msgid

from aiosmtplib import SMTP, SMTPException
from rollproof.chaos import Chaos
from rollproof.values.network import Network

from .shops import Post, schedules

DATA = 5
"""The exchange in which the text itself is sent: after EHLO, MAIL, RCPT and DATA."""
LOST = f"network.reset@net.exchange:mail#{DATA}:after"


def mailing(identity: Callable[[], str]) -> Callable[[Network], str]:
    """Return an agent that mails again after every doubt, each attempt under the Message-ID that it is given."""

    async def send(network: Network) -> None:
        mail = EmailMessage()
        mail["Message-ID"] = identity()
        mail["From"], mail["To"], mail["Subject"] = "agent@mail.test", "ada@mail.test", "The report is there"
        mail.set_content("Have a look.")
        async with SMTP(hostname=network.host, port=network.port, timeout=5, start_tls=False) as server:
            await server.send_message(mail)

    def run(network: Network) -> str:
        for attempt in (1, 2, 3):
            try:
                asyncio.run(send(network))
                return "sent"
            except (SMTPException, OSError):
                if attempt == 3:
                    raise
        raise AssertionError

    return run


class MailServer(Post):
    """A real mail server behind the relay."""

    def network(self, chaos: Chaos) -> Network:
        """Declare the mailbox, and its server as a service of any protocol."""
        return chaos.network("mail", chaos.mailbox("mail.test"))


def test_a_lost_answer_to_the_text_sends_it_twice() -> None:
    """The server took the mail; who sends it under another Message-ID sends another mail."""
    result = MailServer().explore(mailing(lambda: make_msgid(domain="agent.test")), token=LOST)
    assert "all_or_nothing" in schedules(result)[LOST]


def test_the_same_message_id_is_one_mail() -> None:
    """Whatever breaks in whatever turn."""
    faults = ("network.reset", "network.cut_answer", "network.refused")
    result = MailServer().explore(mailing(lambda: "<report-7@agent.test>"), *faults)
    assert schedules(result) == {}
    assert result.errors == result.flaky == ()
    assert result.points > DATA
