"""One of three messages can never be delivered: it becomes a dead letter, and holds up neither of the others."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from rollproof import Chaos, World
from rollproof.runtime import DeadLetters, Message, Outbox, Store, Undelivered

MAIL = "https://api.mail.test"
READERS = ("ada@example.org", "nobody at all", "bob@example.org")


class BadAddress(Exception):
    """No mail can be sent there, ever."""


def send(message: Message) -> None:
    """Hand one mail to the service, under its key."""
    if "@" not in message.body["to"]:
        raise BadAddress(message.body["to"])
    headers = {"Idempotency-Key": message.key}
    httpx.post(f"{MAIL}/mails", json=dict(message.body), headers=headers).raise_for_status()


def write(own: Path) -> str:
    """Write the messages, and deliver them."""
    with Store(own / "agent.db") as store:
        outbox = Outbox(store, max_attempts=3)
        with store.transaction():
            for number, reader in enumerate(READERS):
                outbox.add("letters", f"letter-{number}", "mail", {"to": reader, "text": "hello"}, at_once=True)
        return deliver(store)


def deliver(store: Store) -> str:
    """Let the worker look until nothing is left to try."""
    outbox = Outbox(store, max_attempts=3)
    while outbox.wait({"mail"}):
        try:
            outbox.deliver({"mail": send})
        except Undelivered as failure:
            if not all(isinstance(problem, BadAddress) for problem in failure.problems):
                raise
    return f"{len(DeadLetters(store).all())} dead"


def restart(own: Path) -> str:
    """Deliver what was left."""
    with Store(own / "agent.db") as store:
        return deliver(store)


@pytest.mark.chaos(epic="Mail", feature="Dead letters")
def test_a_poison_message_is_tried_three_times_and_kept(chaos: Chaos, tmp_path: Path) -> None:
    """Both good mails go out, once; the bad one is kept with what it was and why."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    mail = chaos.api(MAIL)

    @chaos.invariant
    def nothing_is_lost_and_nothing_is_tried_for_ever(world: World) -> None:
        """Each message was sent, or is a dead letter with three attempts; or none was ever written."""
        letters = world.private_tables.get("agent/agent.db:dead_letters", [])
        messages = world.private_tables.get("agent/agent.db:outbox", [])
        assert len(letters) + len(messages) in (0, 3)
        assert all(message["state"] == "sent" for message in messages)
        assert all((letter["attempts"], letter["reason"]) == (3, "BadAddress") for letter in letters)

    result = chaos.explore(run=lambda: write(own), recover=lambda: restart(own))

    assert result.result == "1 dead"
    assert [letter["to"] for letter in mail.resources("mails")] == ["ada@example.org", "bob@example.org"]
    with Store(own / "agent.db") as store:
        assert DeadLetters(store).find("letter-1").input["body"]["to"] == "nobody at all"
