"""Mail over a real SMTP server: points, faults as smtplib's own errors, and nothing left of the server."""

import os
import smtplib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rollproof.boundary.media import mail as post
from rollproof.chaos import Chaos
from rollproof.twins.mailbox import Mailbox
from rollproof.values.errors import ChaosError
from rollproof.values.options import Options

from ..exploring import explored, only, options
from .stage import Stage, short

SEND = "mail.send:mail.test#1"


def letter(to: str = "ann@mail.test, bob@mail.test", **headers: str) -> EmailMessage:
    """Write a mail with an attachment."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "agent@mail.test", to, "Grüße"
    mail.set_content("Zwölf Boxkämpfer.\n.\nEnd.")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="a.pdf")
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    return mail


def send(*mails: EmailMessage) -> list[dict[str, tuple[int, bytes]]]:
    """Send mails over one connection; return who was refused, for each."""
    with smtplib.SMTP("mail.test", 25, timeout=10) as server:
        return [server.send_message(mail) for mail in mails or (letter(),)]


@pytest.fixture
def mailbox(stage: Stage) -> Iterator[Mailbox]:
    """A mailbox called mail.test, part of the stage's outside."""
    made = Mailbox("mail.test")
    stage.services.append(made)
    undo = post.install({made.name: (made.host, made.port)})
    yield made
    undo()
    made.close()


def inboxes(mailbox: Mailbox, state: bytes) -> list[str]:
    """Return who got something in this state, in order."""
    return [mail["to"] for mail in mailbox.describe(state)["mail.test/mails"]]


def test_a_connection_and_each_mail_are_points(stage: Stage, mailbox: Mailbox) -> None:
    """What is said in between changes nothing outside."""
    assert short(stage.points(lambda: send(letter(), letter()))) == ["connect mail.test", *["send mail.test"] * 2]


def test_a_mail_is_in_every_inbox_as_it_was_sent(stage: Stage, mailbox: Mailbox) -> None:
    """Text, attachments and the people of the envelope, hidden ones too; dots and umlauts survive."""
    process = stage.run_process(lambda: send(letter("ann@mail.test", Bcc="eve@mail.test", Message_ID="<1@agent.test>")))
    assert process.outcome.kind == "returned", process.outcome.error
    first, second = mailbox.describe(process.end.services[0])["mail.test/mails"]
    assert (first["to"], second["to"]) == ("ann@mail.test", "eve@mail.test")
    assert first["subject"] == "Grüße"
    assert first["body"] == "Zwölf Boxkämpfer.\n.\nEnd.\n"
    assert [(a["name"], a["type"]) for a in first["attachments"]] == [("a.pdf", "application/pdf")]
    assert first["headers"] == {"from": "agent@mail.test", "to": "ann@mail.test", "message-id": "<1@agent.test>"}


REFUSED = {
    "mail.refused@mail.connect:mail.test#1:before": "ConnectionRefusedError: [Errno 111] Connection refused",
    f"mail.rejected.2@{SEND}:before": "SMTPDataError: (554, b'5.7.1 Message rejected')",
    f"mail.greylisted@{SEND}:before": "SMTPRecipientsRefused: {'ann@mail.test': (451, b'4.7.1 Greylisted",
    f"mail.disconnected@{SEND}:before": "SMTPServerDisconnected: Connection unexpectedly closed",
    f"process.interrupt@{SEND}:before": "KeyboardInterrupt",
}


@pytest.mark.parametrize("token", REFUSED, ids=lambda token: token.partition("@")[0])
def test_what_the_server_does_not_take_is_an_error_of_smtplib(stage: Stage, mailbox: Mailbox, token: str) -> None:
    """Its own classes, with the server's words, and nobody has got the mail."""
    process = stage.run_process(send, token)
    assert process.outcome.error.startswith(REFUSED[token]), process.outcome.error
    assert inboxes(mailbox, process.end.services[0]) == []


def test_a_refused_recipient_is_one_of_several(stage: Stage, mailbox: Mailbox) -> None:
    """smtplib returns who was refused and raises nothing; the others have the mail."""
    process = stage.run_process(send, f"mail.rejected.1@{SEND}:before")
    assert process.outcome.value == [{"ann@mail.test": (550, b"5.1.1 Mailbox unavailable")}]
    assert inboxes(mailbox, process.end.services[0]) == ["bob@mail.test"]


def test_a_lost_answer_looks_like_a_lost_connection(stage: Stage, mailbox: Mailbox) -> None:
    """The mail was accepted, and the agent cannot know."""
    process = stage.run_process(send, f"mail.lost_answer@{SEND}:after")
    assert process.outcome.error.startswith("SMTPServerDisconnected: Connection unexpectedly closed")
    assert len(inboxes(mailbox, process.end.services[0])) == 2


@pytest.mark.parametrize(("headers", "copies"), [({}, 2), ({"Message_ID": "<1@agent.test>"}, 1)])
def test_a_mail_that_comes_twice(stage: Stage, mailbox: Mailbox, headers: dict[str, str], copies: int) -> None:
    """A mailbox keeps one of two mails with the same Message-ID."""
    process = stage.run_process(lambda: send(letter("ann@mail.test", **headers)), f"mail.delivered_twice@{SEND}:after")
    assert inboxes(mailbox, process.end.services[0]) == ["ann@mail.test"] * copies


def test_a_lasting_fault_reaches_every_later_mail(stage: Stage, mailbox: Mailbox) -> None:
    """A server that rejects, rejects until the process ends; once is once."""

    def run() -> list[str]:
        said = []
        for _ in range(3):
            try:
                send()
                said.append("sent")
            except smtplib.SMTPDataError:
                said.append("rejected")
        return said

    assert stage.returned(run, f"mail.rejected.2@{SEND}:before") == ["rejected", "sent", "sent"]
    assert stage.returned(run, f"mail.rejected.2~lasting@{SEND}:before") == ["rejected"] * 3


def test_the_rest_of_a_conversation_works(stage: Stage, mailbox: Mailbox) -> None:
    """TLS of both kinds, a login, an envelope by hand, the name of this machine; any port, or host and port."""

    def run() -> int:
        with smtplib.SMTP_SSL("MAIL.test", 465) as server:
            server.login("agent", "secret")
            server.sendmail("agent@mail.test", "ann@mail.test", b"Subject: plain\r\n\r\n" + make_msgid().encode())
        with smtplib.SMTP(mailbox.host, mailbox.port) as server:
            server.starttls()
            server.ehlo()
            server.mail("agent@mail.test")
            server.rcpt("bob@mail.test")
            return server.data(b"Subject: by hand\r\n\r\n...")[0]

    assert short(stage.points(run)) == ["connect mail.test", "send mail.test"] * 2
    assert stage.returned(run) == 250


def test_other_clients_reach_host_and_port_unseen(stage: Stage, mailbox: Mailbox) -> None:
    """They are let through, are no points, and what they change is counted as unintercepted."""

    def run() -> bytes:
        with socket.create_connection((mailbox.host, mailbox.port)) as line:
            talk = line.makefile("rwb", buffering=0)
            for said in ("HELO me", "MAIL FROM:<a@mail.test>", "RCPT TO:<b@mail.test>", "DATA", "Subject: x\r\n\r\n."):
                talk.readline()
                talk.write(f"{said}\r\n".encode())
            return bytes(talk.readline())

    process = stage.run_process(run)
    assert process.outcome.value == b"250 2.0.0 OK: queued\r\n"
    assert process.unintercepted == ["mail.test/mails changed, and nothing was seen to ask for it"]


def test_what_a_dead_agent_left_unsent_does_not_arrive_later(mailbox: Mailbox) -> None:
    """Putting the mailbox back ends the connections that are open."""
    before = mailbox.save()
    with socket.create_connection((mailbox.host, mailbox.port)) as line:
        line.recv(100)
        mailbox.restore(before)
        line.settimeout(10)
        assert line.recv(100) == b""


def test_a_login_that_is_wanted(tmp_path: Path) -> None:
    """Who shows another password, or none, is refused by the server; the password is a secret that must not leak."""
    chaos = Chaos(Options())
    chaos.mailbox("mail.test", login=("agent", "a-long-password"))

    def run() -> list[int]:
        codes = []
        for password in ("", "wrong", "a-long-password"):
            with smtplib.SMTP("mail.test") as server:
                try:
                    if password:
                        server.login("agent", password)
                    server.send_message(letter())
                    codes.append(250)
                except smtplib.SMTPResponseException as error:
                    codes.append(error.smtp_code)
        return codes

    try:
        assert chaos.explore(run=run).result == [530, 535, 250]
    finally:
        chaos.close()


def test_a_refusal_of_the_server_comes_before_that_of_a_fault(tmp_path: Path) -> None:
    """A mail that is refused for want of a login is no error of the harness, and the mail after it is another one."""

    def run() -> None:
        with smtplib.SMTP("mail.test") as server:
            with suppress(smtplib.SMTPResponseException):
                server.send_message(letter())
            server.login("agent", "a-long-password")
            server.send_message(letter())

    def explore(chaos: Chaos, folder: Path) -> None:
        chaos.mailbox("mail.test", login=("agent", "a-long-password"))
        with closing(chaos):
            chaos.explore(run=run)

    result = explored(SimpleNamespace(explore=explore), tmp_path, **only("mail.rejected", "mail.greylisted"))
    assert (result.errors, result.drifted) == ((), ())
    assert {cell.point for cell in result.cells} >= {"mail.send:mail.test#1", "mail.send:mail.test#2"}


def test_an_ordinary_run_and_what_is_left_of_it() -> None:
    """Without exploring it is a plain server for one run; afterwards smtplib, process and port are as before."""
    plain = smtplib.SMTP.sendmail
    chaos = Chaos(Options())
    mailbox = chaos.mailbox()
    chaos.explore(run=send)
    assert [mail["to"] for mail in mailbox.messages] == ["ann@mail.test", "bob@mail.test"]
    assert smtplib.SMTP.sendmail is plain
    port = mailbox.port
    chaos.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_the_server_ends_with_a_test_process_that_is_killed() -> None:
    """However that ends: what the server holds on to is the other end of one socket."""
    code = (
        "import os, signal; from rollproof.twins.mailbox import Mailbox\n"
        "print(Mailbox().port, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as test:
        assert test.stdout is not None
        port = int(test.stdout.readline())
        test.stdout.read()  # its end: the server has it open as long as it lives
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_at_depth_2_and_by_token(tmp_path: Path) -> None:
    """Two lost answers in a row are tried too, and a finding can be replayed."""

    class Stubborn:
        """Sends a second time when the first answer is lost, and gives up then."""

        @staticmethod
        def explore(chaos: Chaos, folder: Path) -> None:
            """No recovery, and no Message-ID after a lost answer."""

            def run() -> str:
                try:
                    send(letter("ann@mail.test", Message_ID="<1@agent.test>"))
                except smtplib.SMTPServerDisconnected:
                    send(letter("ann@mail.test", Message_ID="<1@agent.test>"))
                return "sent"

            chaos.mailbox()
            chaos.explore(run=run, recover=lambda: None, allow=lambda world: True)
            chaos.close()

    faults = [options().known[name] for name in ("mail.lost_answer", "mail.disconnected")]
    one = explored(Stubborn, tmp_path / "one", faults=faults)
    two = explored(Stubborn, tmp_path / "two", faults=faults, depth=2)
    assert (one.violations, two.violations) == ((), ())
    assert two.schedules > one.schedules


MISUSE: dict[str, tuple[Callable[[Chaos], Any], str]] = {
    "twice": (lambda chaos: [chaos.mailbox("mail.test"), chaos.mailbox("MAIL.test")], "is a mailbox already"),
    "bad-mailbox": (lambda chaos: chaos.mailbox("mail.test:25"), "name it alone"),
}


@pytest.mark.parametrize("code", MISUSE)
def test_misuse_is_one_clear_error(code: str) -> None:
    """It names the value and what to type."""
    chaos = Chaos(Options())
    misuse, text = MISUSE[code]
    with pytest.raises(ChaosError, match=text) as problem:
        misuse(chaos)
    assert problem.value.code == code
    chaos.close()


def test_a_missing_package_says_which_extra_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is an extra: nobody else needs it."""
    monkeypatch.setattr("rollproof.twins.mailbox.find_spec", lambda name: None)
    with pytest.raises(ChaosError, match=r"pip install 'rollproof\[mail\]'"):
        Chaos(Options()).mailbox()


def test_an_agent_cannot_look_into_the_mailbox(stage: Stage, mailbox: Mailbox) -> None:
    """It would see what no sender sees, and disturb the test's own look."""
    process = stage.run_process(lambda: (send(), mailbox.messages))
    assert "not-here" in process.outcome.error
