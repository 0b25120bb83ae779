"""A mail is sent again after every doubt, each time with the same Message-ID: that of its matter, not of the attempt.

A naive harness accuses it: after a lost answer or a crash the server sees the same mail twice. Nobody has it twice.
"""

import os
import smtplib
import time
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path


def identity(own: Path) -> str:
    """Return the Message-ID of this matter: made up once, and kept before anything is sent."""
    path = own / "message-id"
    if not path.exists():
        draft = own / "message-id.tmp"
        draft.write_text(make_msgid(domain="agent.test"))
        os.replace(draft, path)
    return path.read_text()


def send(own):
    """Start or start again: what is not noted as sent is sent, with patience."""
    if (own / "sent").exists():
        return "sent"
    mail = EmailMessage()
    mail["Message-ID"] = identity(own)
    mail["From"], mail["To"], mail["Subject"] = "agent@mail.test", "all@mail.test", "The report is there"
    mail.set_content("Have a look.")
    for attempt in (1, 2, 3):
        try:
            with smtplib.SMTP("mail.test", 25, timeout=10) as server:
                server.send_message(mail)
            break
        except (smtplib.SMTPException, OSError):
            if attempt == 3:
                raise
            time.sleep(60)
    (own / "sent").touch()
    return "sent"


BREAKS = set()


def explore(chaos, tmp_path):
    """One mailbox and a private folder; the supervisor starts the agent again after a failure."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.mailbox("mail.test")
    chaos.explore(run=lambda: send(own))
