"""Outbox, audit trail, webhooks and alerts: what is said to others, once, whatever happens."""

from __future__ import annotations

import base64
import http.server
import runpy
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from rollproof.runtime import (
    Alerts,
    AuditTrail,
    ChangedElsewhere,
    DeadLetters,
    Event,
    FolderContents,
    Journal,
    LeaseLost,
    Message,
    NeedsPerson,
    Outbox,
    Run,
    Saga,
    Status,
    Step,
    Store,
    Undelivered,
    UnknownLetter,
    Versions,
)
from rollproof.runtime.audit import BadSignature, deliver_signed, signature, verify
from rollproof.runtime.handover import TOPIC, by_email, by_webhook
from rollproof.runtime.progress import all_runs


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an open store."""
    with Store(tmp_path / "agent.db") as opened:
        yield opened


class Died(BaseException):
    """Stands for the end of the worker process."""


# outbox


def written(store: Store, *, at_once: bool = False, cancel: Any = None, attempts: int = 5) -> Outbox:
    """Give an outbox with two messages of run `r` in it; attempts alone limit what fails."""
    outbox = Outbox(store, max_attempts=attempts, give_up_after_s=0.0)
    with store.transaction():
        for key in ("k1", "k2"):
            outbox.add("r", key, "mail", {"to": key}, at_once=at_once, cancel=cancel)
    return outbox


def end(store: Store, outbox: Outbox, event: Event) -> None:
    """Let the run end."""
    with store.transaction():
        outbox.follow("r", event)


def test_messages_wait_for_the_end_of_their_run(store: Store) -> None:
    """Then they go out in order, once, and no second look sends them again."""
    sent: list[str] = []
    outbox = written(store)
    assert outbox.deliver({"mail": lambda message: sent.append(message.key)}) == 0
    end(store, outbox, Event.COMPLETED)
    assert outbox.deliver({"mail": lambda message: sent.append(message.key)}) == 2
    assert outbox.deliver({"mail": lambda message: sent.append(message.key)}) == 0
    assert sent == ["k1", "k2"]


def test_rolling_back_deletes_what_is_pending(store: Store) -> None:
    """Nothing was sent, so nothing is to be taken back."""
    outbox = written(store)
    end(store, outbox, Event.ABANDONED)
    assert outbox.messages() == []
    assert DeadLetters(store).all() == []


def test_a_worker_that_dies_sends_again_with_the_same_key(store: Store) -> None:
    """Before sending it says that it sends, so the message is never lost, and never has another key."""
    keys: list[str] = []

    def send(message: Message) -> None:
        keys.append(message.key)
        if len(keys) == 1:
            raise Died

    outbox = written(store, at_once=True)
    with pytest.raises(Died):
        outbox.deliver({"mail": send})
    outbox.deliver({"mail": send})
    assert keys == ["k1", "k1", "k2"]


def test_what_was_sent_of_an_abandoned_run_is_cancelled(store: Store) -> None:
    """Its own cancellation goes out after it; what was not sent is deleted."""
    sent: list[Any] = []

    def send(message: Message) -> None:
        sent.append(dict(message.body))
        if message.key == "k2":
            raise Died

    outbox = written(store, at_once=True, cancel={"never": "mind"})
    with pytest.raises(Died):
        outbox.deliver({"mail": send})
    end(store, outbox, Event.ABANDONED)
    outbox.deliver({"mail": lambda message: sent.append(dict(message.body))})
    assert sent == [{"to": "k1"}, {"to": "k2"}, {"to": "k2"}, {"never": "mind"}, {"never": "mind"}]
    end(store, outbox, Event.ABANDONED)
    assert outbox.deliver({"mail": lambda message: sent.append(dict(message.body))}) == 0


def test_what_cannot_be_taken_back_is_reported(store: Store) -> None:
    """A message was sent, its run is abandoned, and it has no cancellation."""
    outbox = written(store, at_once=True)
    outbox.deliver({"mail": lambda message: None})
    end(store, outbox, Event.ABANDONED)
    assert [(letter.key, letter.kind) for letter in DeadLetters(store).all()] == [
        ("k1", "irreversible"),
        ("k2", "irreversible"),
    ]


def test_a_cancellation_never_overtakes_its_message(store: Store, clock: Any) -> None:
    """A message that failed may still get through: what takes it back waits until that cannot happen any more."""
    sent: list[str] = []
    failures = [True, True]

    def send(message: Message) -> None:
        if message.key == "k1" and failures:
            failures.pop()
            raise ConnectionError
        sent.append(message.key)

    outbox = written(store, at_once=True, cancel={"never": "mind"})
    with pytest.raises(Undelivered):
        outbox.deliver({"mail": send})
    end(store, outbox, Event.ABANDONED)
    clock.now += 60
    with pytest.raises(Undelivered):
        outbox.deliver({"mail": send})
    assert sent == ["k2", "k2:cancel"]
    clock.now += 60
    outbox.deliver({"mail": send})
    assert sent == ["k2", "k2:cancel", "k1", "k1:cancel"]


def test_a_message_that_never_gets_through_is_cancelled_once_it_is_given_up(store: Store, clock: Any) -> None:
    """Nobody knows whether it did get through; since its run is abandoned it is no dead letter to be requeued."""
    sent: list[str] = []

    def send(message: Message) -> None:
        if message.key == "k1":
            raise TimeoutError
        sent.append(message.key)

    outbox = written(store, at_once=True, cancel={"never": "mind"}, attempts=2)
    with pytest.raises(Undelivered):
        outbox.deliver({"mail": send})
    end(store, outbox, Event.ABANDONED)
    clock.now += 60
    with pytest.raises(Undelivered):
        outbox.deliver({"mail": send})
    assert sent == ["k2", "k1:cancel", "k2:cancel"]
    assert DeadLetters(store).all() == []


@pytest.mark.parametrize("cancel", [{"never": "mind"}, None])
def test_a_dead_letter_of_an_abandoned_run_is_taken_back_too(store: Store, cancel: Any) -> None:
    """It may have got through before it was given up, and nobody shall requeue it."""

    def send(message: Message) -> None:
        raise TimeoutError

    outbox, sent = written(store, at_once=True, cancel=cancel, attempts=1), []
    with pytest.raises(Undelivered):
        outbox.deliver({"mail": send})
    end(store, outbox, Event.ABANDONED)
    outbox.deliver({"mail": lambda message: sent.append(message.key)})
    letters = [(letter.key, letter.kind, letter.reason, letter.attempts) for letter in DeadLetters(store).all()]
    given_up = [(key, "irreversible", "MaybeSent", 1) for key in ("k1", "k2")]
    assert (sent, letters) == ((["k1:cancel", "k2:cancel"], []) if cancel else ([], given_up))


def test_what_cannot_be_taken_back_is_not_sent_after_its_run_is_abandoned(store: Store) -> None:
    """A worker died while it sent; whether the message went out nobody knows, and now it would go out for sure."""
    outbox, sent = written(store, at_once=True), []

    def send(message: Message) -> None:
        raise Died

    with pytest.raises(Died):
        outbox.deliver({"mail": send})
    end(store, outbox, Event.ABANDONED)
    assert outbox.deliver({"mail": lambda message: sent.append(message.key)}) == 0
    assert [(letter.key, letter.reason) for letter in DeadLetters(store).all()] == [("k1", "MaybeSent")]


@pytest.mark.parametrize(
    ("column", "value"), [("body", '{"to":"eve"}'), ("body", "{"), ("run", "q"), ("cancels", "{}"), ("sha256", "0")]
)
def test_a_damaged_message_is_never_sent(store: Store, column: str, value: str) -> None:
    """It counts as an error that will not pass, and ends as a dead letter for a person; the others are sent."""
    sent: list[str] = []
    outbox = written(store, at_once=True, attempts=2)
    with store.transaction():
        store.write(f"UPDATE outbox SET {column} = ? WHERE key = 'k1'", value)
    for _ in range(2):
        with pytest.raises(Undelivered, match="message 'k1' is not as it was written, and was not sent"):
            outbox.deliver({"mail": lambda message: sent.append(message.key)})
    assert sent == ["k2"]
    (letter,) = DeadLetters(store).all()
    assert (letter.key, letter.kind, letter.reason) == ("k1", "damaged", "MessageDamaged")
    assert letter.input["body"] == {"text": value if column == "body" else '{"to":"k1"}'}
    with pytest.raises(UnknownLetter, match="'k1' is damaged: no message that could be sent again"):
        outbox.requeue("k1")


def test_what_is_damaged_of_an_abandoned_run_is_reported(store: Store) -> None:
    """Whether it was sent is known, what takes it back is not: no cancellation goes out."""
    sent: list[str] = []
    outbox = written(store, at_once=True, cancel={"no": 1})
    outbox.deliver({"mail": lambda message: sent.append(message.key)})
    with store.transaction():
        store.write("UPDATE outbox SET cancels = '{}' WHERE key = 'k1'")
    end(store, outbox, Event.ABANDONED)
    outbox.deliver({"mail": lambda message: sent.append(message.key)})
    assert sent == ["k1", "k2", "k2:cancel"]
    assert [(letter.key, letter.kind) for letter in DeadLetters(store).all()] == [("k1", "damaged")]


def test_a_topic_that_looks_misspelt_is_said_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing waits for it, and something for one that is nearly so; a topic that is another is not spoken of."""
    outbox = written(store, at_once=True)
    sends = {"mial": lambda message: None, "courier": lambda message: None}
    assert [outbox.deliver(sends), outbox.deliver(sends), outbox.wait(sends)] == [0, 0, False]
    said = "no message has the topic 'mial' that is delivered; some have 'mail', and wait"
    assert [record.message for record in caplog.records] == [said]


def test_messages_of_other_topics_are_left_to_their_worker(store: Store) -> None:
    """They are neither claimed nor counted, so two workers can share an outbox."""
    outbox, sent = written(store, at_once=True, attempts=1), []
    assert outbox.deliver({"alert": lambda message: sent.append(message.key)}) == 0
    assert outbox.deliver({"mail": lambda message: sent.append(message.key)}) == 2
    assert sent == ["k1", "k2"]


def test_the_dead_letters_of_a_step_and_of_its_message_are_two(store: Store, clock: Any) -> None:
    """The message of a step has the key of the step; that its undo fails does not push out the other letter."""
    outbox = Outbox(store)

    def act(run: Run) -> None:
        with store.transaction():
            outbox.add(run, run.key, "mail", {}, at_once=True)
        outbox.deliver({"mail": lambda message: None})
        raise LookupError

    def undo(run: Run) -> None:
        raise RuntimeError

    saga = Saga(store, "s", [Step("a", act, undo=undo)], companions=[outbox], undo_passes=1)
    with pytest.raises(LookupError):
        saga.run("goal", {})
    assert sorted(letter.kind for letter in DeadLetters(store).all()) == ["irreversible", "undo"]


def test_a_message_that_keeps_failing_is_a_dead_letter_and_can_be_requeued(store: Store) -> None:
    """It holds up nothing; requeued it is sent with its old key."""
    sent: list[str] = []

    def send(message: Message) -> None:
        if message.key == "k1" and len(DeadLetters(store).all()) == 0 and "k1" not in sent and not mended:
            raise ValueError("a secret")
        sent.append(message.key)

    mended: list[bool] = []
    outbox = written(store, at_once=True, attempts=2)
    for _ in range(2):
        with pytest.raises(Undelivered, match="ValueError"):
            outbox.deliver({"mail": send})
    assert sent == ["k2"]
    letter = DeadLetters(store).find("k1")
    assert (letter.reason, letter.attempts, letter.input["body"]) == ("ValueError", 2, {"to": "k1"})
    mended.append(True)
    outbox.requeue("k1")
    outbox.deliver({"mail": send})
    assert sent == ["k2", "k1"]
    assert DeadLetters(store).all() == []


def test_a_step_that_is_repeated_does_not_revive_its_dead_letter(store: Store) -> None:
    """Who writes the same intention again gets no more tries than the first time."""
    outbox, tried = written(store, at_once=True, attempts=1), []

    def send(message: Message) -> None:
        tried.append(message.key)
        raise ConnectionError

    with pytest.raises(Undelivered):
        outbox.deliver({"mail": send})
    with store.transaction():
        outbox.add("r", "k1", "mail", {"to": "k1"}, at_once=True)
    assert outbox.deliver({"mail": send}) == 0
    assert tried == ["k1", "k2"]


def test_a_revoked_key_is_tried_once_and_is_no_messages_fault(store: Store) -> None:
    """No other message is tried, none is counted; with a new key all go out."""
    tried: list[str] = []

    class Refused(Exception):
        status_code = 401

    def send(message: Message) -> None:
        tried.append(message.key)
        raise Refused

    outbox = written(store, at_once=True, attempts=1)
    with pytest.raises(Refused):
        outbox.deliver({"mail": send})
    assert tried == ["k1"]
    assert DeadLetters(store).all() == []
    assert outbox.deliver({"mail": lambda message: None}) == 2


def test_a_key_makes_an_intention_once(store: Store) -> None:
    """A step that is repeated writes the same intention again, which changes nothing."""
    outbox = written(store)
    with store.transaction():
        outbox.add("r", "k1", "mail", {"to": "somebody else"})
    assert [message.body["to"] for message in outbox.messages()] == ["k1", "k2"]


# audit trail


def audited(root: Path, store: Store) -> tuple[AuditTrail, Versions, Outbox]:
    """Give audited files."""
    for name in ("files", "staging", "contents"):
        (root / name).mkdir()
    outbox = Outbox(store)
    trail = AuditTrail(store, outbox, ["https://hook.test/events"])
    return trail, Versions(store, FolderContents(root / "contents"), root / "files", root / "staging", trail), outbox


def test_the_trail_undoes_a_run_backward(tmp_path: Path, store: Store) -> None:
    """Created, updated, deleted: all is as before, by the trail alone; undoing again does nothing."""
    trail, files, _ = audited(tmp_path, store)
    files.save("kept", b"1", "earlier")
    files.save("gone", b"2", "earlier")
    files.save("kept", b"3", "run")
    files.remove("gone", "run")
    files.save("new", b"4", "run")
    files.save("new", b"5", "run")
    assert [change.event for change in trail.changes("run")] == ["updated", "deleted", "created", "updated"]
    assert trail.undo("run", files) == 4
    assert {path.name: path.read_bytes() for path in (tmp_path / "files").iterdir()} == {"kept": b"1", "gone": b"2"}
    assert trail.undo("run", files) == 0
    assert Journal(store).verify() is None


def test_undo_stops_at_what_somebody_else_changed(tmp_path: Path, store: Store) -> None:
    """Their work is not overwritten."""
    trail, files, _ = audited(tmp_path, store)
    files.save("a", b"1", "run")
    (tmp_path / "files" / "a").write_bytes(b"theirs")
    with pytest.raises(ChangedElsewhere):
        trail.undo("run", files)
    assert (tmp_path / "files" / "a").read_bytes() == b"theirs"


def test_webhooks_hear_of_every_change_signed(tmp_path: Path, store: Store, clock: Any) -> None:
    """The receiver can tell; a forged or an old message it refuses."""
    _, files, outbox = audited(tmp_path, store)
    files.save("a", b"1", "run")
    heard: list[tuple[bytes, dict[str, str]]] = []

    def post(url: str, body: bytes, headers: Any) -> int:
        heard.append((body, dict(headers)))
        return 503 if len(heard) == 1 else 204

    send = deliver_signed({"https://hook.test/events": b"secret-of-the-hook"}, post)
    with pytest.raises(Exception, match="answered 503"):
        outbox.deliver({"webhook": send})
    clock.now += 1
    outbox.deliver({"webhook": send})
    (body, headers), again = heard
    assert headers["webhook-id"] == again[1]["webhook-id"]
    assert b'"type":"created"' in body
    verify(b"secret-of-the-hook", headers, body)
    with pytest.raises(BadSignature, match="does not match"):
        verify(b"secret-of-the-hook", headers, body + b" ")
    with pytest.raises(BadSignature, match="does not match"):
        verify(b"another secret", headers, body)
    with pytest.raises(BadSignature, match="does not match"):
        verify(b"secret-of-the-hook", {**headers, "webhook-signature": "v1,\xe9"}, body)
    clock.now += 301
    with pytest.raises(BadSignature, match="too long ago"):
        verify(b"secret-of-the-hook", headers, body)
    assert b"secret-of" not in store.path.read_bytes()


SECRET = b"secret of 24 bytes or so"
SIGNED = {"Webhook-Id": "k", "Webhook-Timestamp": "1800000000",
          "Webhook-Signature": signature(SECRET, "k", "1800000000", b"{}")}  # fmt: skip


@pytest.mark.parametrize(
    "headers",
    [
        SIGNED,
        {name.lower(): value for name, value in SIGNED.items()},
        {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in SIGNED.items()},
        {**SIGNED, "Webhook-Signature": f"v1,bm90IG91cnM= {SIGNED['Webhook-Signature']}"},
    ],
    ids=["as sent", "lower case", "WSGI", "a second key"],
)
def test_signed_headers_are_known_however_a_server_writes_them(clock: Any, headers: dict[str, str]) -> None:
    """Receivers get them in any case, and a sender that changes its secret signs twice."""
    verify(SECRET, headers, b"{}")


@pytest.mark.parametrize(
    ("header", "value", "words"),
    [
        *((name, "", f"there is no header {name.lower()}") for name in SIGNED),
        ("Webhook-Signature", signature(SECRET, "k", "soon", b"{}"), "does not match"),
        ("Webhook-Timestamp", "soon", "does not match"),
    ],
)
def test_a_message_without_its_headers_is_refused(clock: Any, header: str, value: str, words: str) -> None:
    """As one that is not signed, whatever is missing."""
    with pytest.raises(BadSignature, match=words):
        verify(SECRET, {**SIGNED, header: value}, b"{}")


def test_a_signed_time_that_is_none_is_refused() -> None:
    """Somebody who knows the secret signed nonsense; that is no crash of the receiver."""
    headers = {**SIGNED, "Webhook-Timestamp": "soon", "Webhook-Signature": signature(SECRET, "k", "soon", b"{}")}
    with pytest.raises(BadSignature, match="webhook-timestamp is no number of seconds"):
        verify(SECRET, headers, b"{}")


def test_secrets_are_taken_as_standard_webhooks_writes_them(clock: Any) -> None:
    """Its libraries print `whsec_` and base64; one that is not, or empty, is refused without being shown."""
    verify(f"whsec_{base64.b64encode(SECRET).decode()}", SIGNED, b"{}")
    verify(SECRET.decode(), SIGNED, b"{}")
    for wrong, words in (("whsec_sesame!", "is no base64"), ("", "is empty"), (b"whsec_", "is empty")):
        with pytest.raises(ValueError, match=words) as caught:
            verify(wrong, SIGNED, b"{}")
        assert "sesame" not in str(caught.value)


# alerts


class Mailbox(socketserver.StreamRequestHandler):
    """A mail server that takes one mail after the other."""

    def handle(self) -> None:
        """Speak as much SMTP as a client needs."""
        self.wfile.write(b"220 ready\r\n")
        while line := self.rfile.readline().upper():
            if line.startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (each := self.rfile.readline()) != b".\r\n":
                    lines.append(each)
                self.server.mails.append(b"".join(lines))  # type: ignore[attr-defined]
            self.wfile.write(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 fine\r\n")
            if line.startswith(b"QUIT"):
                return


@pytest.fixture
def mailbox() -> Iterator[Any]:
    """Run a mail server on a real port."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as server:
        server.mails = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


ASKING = """
from pathlib import Path
from rollproof.runtime import Alerts, NeedsPerson, Outbox, Saga, Step

def ask(run):
    if not run.variables.get("accepted"):
        raise NeedsPerson("12000 EUR is too much")

def saga(store):
    outbox = Outbox(store)
    note = Path("note.txt")
    write = Step("write", lambda run: note.touch(), undo=lambda run: note.unlink(missing_ok=True))
    alerts = Alerts(store, outbox, agent="asking:saga")
    return Saga(store, "note", [write, Step("ask", ask, reads_only=True)], companions=[outbox, alerts], person="ada")
"""


@pytest.mark.parametrize(("answer", "more", "stays"), [("go_on", """ --variables '{"accepted": true}'""", True),
                                                       ("roll_back", "", False)])  # fmt: skip
def test_a_handover_is_told_by_email(
    tmp_path: Path, mailbox: Any, monkeypatch: Any, answer: str, more: str, stays: bool
) -> None:
    """The person learns which run, why, and what to type: pasted into a shell, each of the two answers is taken."""
    folder = tmp_path / "Ada's agents"
    folder.mkdir()
    (folder / "asking.py").write_text(ASKING)
    monkeypatch.chdir(folder)
    with Store("agent.db") as store:
        with pytest.raises(NeedsPerson):
            runpy.run_path("asking.py")["saga"](store).run("a note", {})
        host, port = mailbox.server_address
        send = by_email("agent@example.org", lambda person: f"{person}@example.org", host, port)
        assert Outbox(store).deliver({TOPIC: send}) == 1
    mail = message_from_bytes(mailbox.mails[0], policy=policy.default)
    assert mail["To"] == "ada@example.org"
    lines = mail.get_content().splitlines()
    assert lines[0] == "12000 EUR is too much"
    show, *answers = [line.strip() for line in lines if line.startswith("    ")]
    assert "12000 EUR" in subprocess.run(show, shell=True, check=True, capture_output=True, text=True).stdout
    pasted = next(line for line in answers if f" {answer} " in line) + more
    subprocess.run(pasted, shell=True, check=True, capture_output=True)
    assert Path("note.txt").exists() is stays
    with Store("agent.db") as store:
        assert all_runs(Journal(store))[0].status is (Status.COMPLETED if stays else Status.ROLLED_BACK)


@pytest.mark.parametrize("agent", ["", "myagent", "myagent:", ":saga", "myagent:saga()"])
def test_an_alert_needs_the_name_of_the_agent(store: Store, agent: str) -> None:
    """Without it nobody could type what the alert says."""
    with pytest.raises(ValueError, match="is not MODULE:FUNCTION, such as myagent:saga"):
        Alerts(store, Outbox(store), agent=agent)


class Hook(http.server.BaseHTTPRequestHandler):
    """A webhook that refuses the first call, and keeps the others."""

    def do_POST(self) -> None:
        """Take one."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.heard.append((body, self.headers))  # type: ignore[attr-defined]
        self.send_response(503 if len(self.server.heard) == 1 else 204)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


def test_a_handover_is_told_to_a_webhook(store: Store, clock: Any) -> None:
    """Through a real port, with the standard library: refused, then told again, signed."""

    def stop(run: Run) -> None:
        raise NeedsPerson("look at this")

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        server.heard = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/alerts"
        outbox = Outbox(store)
        alerts = Alerts(store, outbox, agent="asking:saga", webhook=address)
        with pytest.raises(NeedsPerson):
            Saga(store, "s", [Step("a", stop, reads_only=True)], companions=[alerts], person="ada").run("goal", {})
        send = by_webhook(address, b"secret-of-the-pager")
        with pytest.raises(Undelivered, match="answered 503"):
            outbox.deliver({TOPIC: send})
        clock.now += 1
        assert outbox.deliver({TOPIC: send}) == 1
        body, headers = server.heard[1]  # type: ignore[attr-defined]
        server.shutdown()
    verify(b"secret-of-the-pager", headers, body)
    assert b'"person":"ada"' in body


def test_an_act_that_lost_its_run_writes_no_message(store: Store, clock: Any) -> None:
    """Between its effects the lease ran out and somebody undid the run: what it still wants to send is not kept."""
    outbox = Outbox(store)

    def act(run: Run) -> None:
        clock.now += 301
        with Store(store.path) as other:
            assert saga(other).recover() is Status.ROLLED_BACK
        with store.transaction():
            outbox.add(run, run.key, "mail", {}, at_once=True)

    def saga(own: Store) -> Saga:
        return Saga(own, "s", [Step("a", act, undo=lambda run: None)], companions=[Outbox(own)])

    with pytest.raises(LeaseLost):
        saga(store).run("goal", {})
    assert outbox.messages() == []
