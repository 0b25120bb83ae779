"""Handover: a run goes to a person, and comes back; at any time it has exactly one owner.

Whatever number of processes the agent has: while a person has the run none of them begins an act or an undo of it.

    from rollproof.runtime import Alerts, Decision, NeedsPerson, Outbox, Saga, Step, Store

    def accept(run):
        if not run.variables.get("accepted"):
            raise NeedsPerson("12000 EUR is too much")

    def saga(store):        # in myagent.py
        companions = [Outbox(store), Alerts(store, Outbox(store), agent="myagent:saga")]
        return Saga(store, "buy", [Step("accept", accept, reads_only=True)], companions=companions, person="ada")

    with Store("agent.db") as store:
        try:
            saga(store).run("a contract", {})
        except NeedsPerson:
            (run,) = [run.run for run in saga(store).runs()]
        saga(store).hand_back(run, Decision.GO_ON, {"accepted": True})     # or by the command in the alert

A step that must not go on alone raises `NeedsPerson`; an operator can take a run away as well. The owner is whoever the
last of these events names (`owner_of`), and each change of owner passes the lease of the run on, with a higher token:
so a process of the agent that still lives is refused by the journal, and by whatever looks at tokens. While a person
has the run, `recover` leaves it alone, and its lease keeps other runs out.

    RUNNING (the agent) ─hand_over→ WITH_PERSON (the person) ─hand_back→ RUNNING or UNDOING (the agent)

The alert is a message in the outbox, written in the transaction that hands over: nobody is left waiting because the
process died before it could tell. It holds what to type, for this database and this agent. Its topic is "alert"; a
worker has to deliver it: `outbox.deliver({"alert": by_email(…)})`, or `by_webhook`, or anything that takes a message.
"""

from __future__ import annotations

import shlex
import smtplib
import sys
from collections.abc import Callable, Iterable, Mapping
from email.message import EmailMessage
from typing import Any

from .audit import Post, Secret, deliver_signed, post_with_urllib
from .canonical import sha256
from .dead_letters import DeadLetters
from .journal import Entry, Journal
from .messages import Message, Send
from .outbox import Outbox
from .progress import Decision, Event
from .store import Storage

AGENT = "agent"
TOPIC = "alert"


def owner_of(entries: Iterable[Entry]) -> str:
    """Return the owner of a run by its events, oldest first: `agent`, or the name of a person."""
    owner = AGENT
    for entry in entries:
        if entry.event == Event.HANDED_OVER:
            owner = str(entry.detail["person"])
        elif entry.event == Event.HANDED_BACK:
            owner = AGENT
    return owner


class Alerts:
    """A companion of a saga that writes an alert into the outbox for each handover, and for each run that is stuck."""

    def __init__(self, store: Storage, outbox: Outbox, *, agent: str, webhook: str = "") -> None:
        """Use an outbox.

        Args:
            store: Where the runs are.
            outbox: Where the alerts go.
            agent: `MODULE:FUNCTION`, which takes a `Store` and gives the saga: who hands a run back has to type it.
            webhook: The address that `by_webhook` tells.

        Raises:
            ValueError: The agent is not named so.
        """
        module, _, function = agent.partition(":")
        if not module or not function.isidentifier():
            raise ValueError(f"{agent!r} is not MODULE:FUNCTION, such as myagent:saga")
        self._store, self._outbox, self._agent, self._webhook = store, outbox, agent, webhook

    def follow(self, run: str, event: Event) -> None:
        """Write the alert of a handover, or of a run that is stuck."""
        if event not in (Event.HANDED_OVER, Event.GAVE_UP):
            return
        entry = list(Journal(self._store).entries(run))[-1]
        said = {"run": run, "person": entry.detail["person"], "reason": entry.detail["reason"]}
        said |= self._commands(run, str(entry.detail["person"]), stuck=event is Event.GAVE_UP)
        body: dict[str, Any] = {"url": self._webhook, "event": said} if self._webhook else said
        self._outbox.add(f"alert:{run}", f"{run}:alert:{entry.seq}", TOPIC, body, at_once=True)

    def _commands(self, run: str, person: str, *, stuck: bool) -> dict[str, str]:
        """Return the commands that show a run and settle it, to be pasted into a shell of this machine."""

        def command(name: str, *words: str) -> str:
            database = str(self._store.path.absolute())
            return shlex.join([sys.executable, "-m", "rollproof.runtime", name, database, *words])

        if stuck:
            letters = [each.key for each in DeadLetters(self._store).all() if (each.run, each.kind) == (run, "undo")]
            answers = {"requeue": command("requeue", letters[0], "--agent", self._agent)}
            answers["dismiss"] = "\n".join(command("dead-letters", key, "--dismiss", "--by", person) for key in letters)
        else:
            answers = {choice.value: command("hand-back", run, choice, "--agent", self._agent) for choice in Decision}
        return {"show": command("show", run), **answers}


def _answers(said: Mapping[str, Any]) -> str:
    """Return the text of an alert with each answer and its command, which works in the agent's folder."""
    if "requeue" in said:
        by_hand = said["dismiss"].replace("\n", "\n    ")
        return (
            f"Once the cause is mended, have it undone again, in the folder in which the agent runs:\n\n"
            f"    {said['requeue']}\n\nor undo it by hand, and say so, which frees the lock:\n\n    {by_hand}"
        )
    return (
        "Give it back, in the folder in which the agent runs. Either let it go on, which repeats the step that "
        "asked (what it has to know now goes behind it: --variables '{\"accepted\": true}'):\n\n"
        f"    {said['go_on']}\n\nor have all of it undone:\n\n    {said['roll_back']}"
    )


def by_webhook(address: str, secret: Secret, post: Post = post_with_urllib) -> Send:
    """Deliver alerts to a webhook, signed as the audit trail's are."""
    return deliver_signed({address: secret}, post)


def by_email(
    sender: str,
    addresses: Callable[[str], str],
    host: str = "localhost",
    port: int = 25,
    connect: Callable[[str, int], smtplib.SMTP] = smtplib.SMTP,
) -> Send:
    """Deliver alerts by e-mail.

    Args:
        sender: The address that they come from.
        addresses: The address of a person.
        host: The mail server.
        port: Its port.
        connect: How to connect, for a server that wants TLS or a login.
    """

    def send(message: Message) -> None:
        said = message.body.get("event", message.body)
        letter = EmailMessage()
        letter["From"], letter["To"] = sender, addresses(said["person"])
        letter["Subject"] = f"Run {said['run']} needs you"
        letter["Message-ID"] = f"<{sha256(message.key)[:32]}@{sender.partition('@')[2]}>"
        letter.set_content(f"{said['reason']}\n\nLook at it:\n\n    {said['show']}\n\n{_answers(said)}\n")
        with connect(host, port) as server:
            server.send_message(letter)

    return send
