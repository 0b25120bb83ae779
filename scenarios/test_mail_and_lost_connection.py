"""A shop writes an invoice and mails it. The mail server takes the mail, and the connection is lost before it says so.

Nobody can know then whether the mail went out. What makes sending it again harmless is its Message-ID: it belongs to
the invoice, not to the attempt, and a mailbox keeps one of two mails that have the same.
"""

from __future__ import annotations

import smtplib
import sqlite3
import time
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path

import pytest
from rollproof import Chaos, World

NUMBER = "2041"


def letter(number: str) -> EmailMessage:
    """Write the mail: the same one whenever it is written."""
    mail = EmailMessage()
    mail["Message-ID"] = f"<invoice-{number}@shop.test>"
    mail["From"], mail["To"], mail["Bcc"] = "shop@shop.test", "customer@mail.test", "books@shop.test"
    mail["Subject"] = f"Invoice {number}"
    mail.set_content("Four panels: 796 EUR. Thank you.")
    mail.add_attachment(b"%PDF-1.7 four panels", maintype="application", subtype="pdf", filename=f"{number}.pdf")
    return mail


def send(mail: EmailMessage, attempts: int = 3) -> None:
    """Hand a mail to the server; what may pass is tried again, on a new connection."""
    for attempt in range(1, attempts + 1):
        try:
            with smtplib.SMTP("smtp.shop.test", 587, timeout=20) as server:
                server.starttls()
                server.login("shop", "a-long-password-of-the-shop")
                refused = server.send_message(mail)
        except (smtplib.SMTPException, OSError) as error:
            codes = [answer[0] for answer in getattr(error, "recipients", {}).values()]
            if attempt == attempts or getattr(error, "smtp_code", 0) >= 500 or any(code >= 500 for code in codes):
                raise
            time.sleep(60 * attempt)
        else:
            if refused:
                raise smtplib.SMTPRecipientsRefused(refused)
            return


def bill(books: Path) -> str:
    """Write the invoice, mail it, and note that it was mailed. Started again, it does what is missing."""
    with closing(sqlite3.connect(books)) as database:
        with database:
            database.execute("INSERT OR IGNORE INTO invoices VALUES (?, 'written')", (NUMBER,))
        (state,) = database.execute("SELECT state FROM invoices WHERE number = ?", (NUMBER,)).fetchone()
        if state == "written":
            send(letter(NUMBER))
            with database:
                database.execute("UPDATE invoices SET state = 'mailed' WHERE number = ?", (NUMBER,))
    return "mailed"


@pytest.mark.chaos(epic="Invoices", feature="Mail")
def test_an_invoice_is_mailed_once(chaos: Chaos, tmp_path: Path) -> None:
    """The customer gets the invoice once, and the books say so."""
    books = tmp_path / "books.db"
    with closing(sqlite3.connect(books)) as database, database:
        database.execute("CREATE TABLE invoices (number TEXT PRIMARY KEY, state TEXT)")
    chaos.watch(books)
    mailbox = chaos.mailbox("smtp.shop.test", login=("shop", "a-long-password-of-the-shop"))

    @chaos.invariant
    def mailed_means_mailed(world: World) -> None:
        """No invoice is called mailed that nobody has got."""
        mailed = [row for row in world.tables["books.db:invoices"] if row["state"] == "mailed"]
        readers = [mail["to"] for mail in world.resources["smtp.shop.test/mails"]]
        assert not mailed or sorted(readers) == ["books@shop.test", "customer@mail.test"]

    chaos.explore(run=lambda: bill(books))

    for mail in mailbox.messages:
        assert (mail["subject"], mail["attachments"][0]["name"]) == ("Invoice 2041", "2041.pdf")
