"""A mail to two people that is refused for one of them counts as sent: what `send_message` returns is dropped.

``smtplib`` raises only when nobody gets the mail; who was refused stands in its result.
"""

import smtplib
from email.message import EmailMessage


def send():
    """Send the mail to both; the same one whenever it is sent."""
    mail = EmailMessage()
    mail["Message-ID"] = "<offer-7@agent.test>"
    mail["From"], mail["To"], mail["Subject"] = "agent@mail.test", "ann@mail.test, bob@mail.test", "An offer"
    mail.set_content("Four panels.")
    with smtplib.SMTP("mail.test", 25, timeout=10) as server:
        server.send_message(mail)
    return "sent"


BREAKS = {"all_or_nothing", "honest_outcome"}
CAUSES = ["missing: mail.send:mail.test in send"]


def explore(chaos, tmp_path):
    """One mailbox; the supervisor starts the agent again after a failure."""
    chaos.mailbox("mail.test")
    chaos.explore(run=send)
