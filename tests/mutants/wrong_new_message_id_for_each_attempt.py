"""A mail whose answer was lost is sent again, as a new mail: with a Message-ID of its own.

After a timeout or a crash the first one may have arrived, and nobody can tell that both are the same.
"""

import smtplib
from email.message import EmailMessage
from email.utils import make_msgid


def send(attempts=3):
    """Send the mail; a lost connection is tried again."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "agent@mail.test", "all@mail.test", "The report is there"
    mail.set_content("Have a look.")
    for attempt in range(attempts):
        try:
            with smtplib.SMTP("mail.test", 25, timeout=10) as server:
                mail["Message-ID"] = make_msgid(domain="agent.test")
                server.send_message(mail)
            return "sent"
        except (smtplib.SMTPServerDisconnected, ConnectionError):
            del mail["Message-ID"]
            if attempt == attempts - 1:
                raise


BREAKS = {"all_or_nothing", "honest_outcome"}
CAUSES = ["twice: mail.send:mail.test in send"]


def explore(chaos, tmp_path):
    """One mailbox; a failure is left as it is, since nobody starts the agent again."""
    chaos.mailbox("mail.test")
    chaos.explore(run=send, recover=lambda: None)
