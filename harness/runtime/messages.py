"""The messages of an outbox with their states, and the errors about them.

Values; what several workers do with them stands in `outbox`.

    from rollproof.runtime import Message

    message = Message("run-1:mail", "run-1", "mail", {"to": "ada"})
    assert message.state == "held"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """The states of a message that have a row."""

    HELD = "held"
    READY = "ready"
    SENDING = "sending"
    SENT = "sent"


@dataclass(frozen=True, slots=True)
class Message:
    """One intention, as its row has it.

    Attributes:
        key: makes it once.
        topic: says who delivers it.
        body: JSON that holds no secret.
        state: SENDING is also what was tried before and will be tried again: it may have been sent.
        attempts: how many tries failed.
        cancels: the body of its cancellation, JSON; empty where it has none.
        behind: the key of the message that is settled before this one is sent; empty where there is none.
        owner: the token of the claim under which a worker sends it now; empty where nobody does.
        due_at: when it may be tried next, in seconds since 1970; of a claimed one the deadline of the claim.
        refused: how many of the tries failed with an error that will not pass.
        late: the tokens of claims that ran out, whose workers live and may still send it.
        failing_since: when the first try failed with an error that may pass; 0 where none did, or it is sent.
        damaged: whether its row is not as it was written; it is never sent, and its body is `{"text": …}`, as it was
            found.
    """

    key: str
    run: str
    topic: str
    body: Mapping[str, Any]
    state: State = State.HELD
    attempts: int = 0
    cancels: str = ""
    behind: str = ""
    owner: str = ""
    due_at: float = 0.0
    refused: int = 0
    failing_since: float = 0.0
    late: str = ""
    damaged: bool = False


class MessageDamaged(Exception):
    """The row of a message is not as it was written: the message was not sent."""


class Undelivered(Exception):
    """Some messages did not get through.

    Attributes:
        problems: the errors, in the order of the messages.
        next_due: when the next message of these topics may be tried (`Outbox.next_due`).
    """

    def __init__(self, problems: Sequence[Exception], next_due: float | None = None) -> None:
        """Keep the errors, of which there is at least one."""
        super().__init__("; ".join(f"{type(problem).__name__}: {problem}" for problem in problems))
        self.problems, self.next_due = tuple(problems), next_due


Send = Callable[[Message], None]
"""The function that delivers the messages of a topic; it raises where it failed."""
