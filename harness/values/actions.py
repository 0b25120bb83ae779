"""Actions: what a fault does where it fires. The plan chose where and when; an action has no dice of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from .http import ModelAnswer


@dataclass(frozen=True, slots=True)
class Kill:
    """The process dies by SIGKILL; where `pid_reused`, another program of the machine has its pid from then on."""

    pid_reused: bool = False


@dataclass(frozen=True, slots=True)
class Fail:
    """The operation raises `error`; with ``when="middle"`` after the first part of a write reached the disk."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The client sees a transport error of its own library."""

    reason: Literal["refused", "timeout", "reset"]


@dataclass(frozen=True, slots=True)
class Respond:
    """The service answers with an error, and does nothing.

    Attributes:
        status: of the answer.
        headers: of the answer, besides those that its body needs; names in lower case.
        retry_date_s: where it is not 0, adds a Retry-After that names the date so many seconds from then.
        reason: the sentence of the error, in the form in which the service words its errors; "" for its usual one.
        body: the whole body, where the form differs too: a JSON document, text or bytes. None: the service's own form.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_date_s: float = 0.0
    reason: str = ""
    body: Mapping[str, Any] | str | bytes | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """The model answers something else."""

    answer: ModelAnswer


@dataclass(frozen=True, slots=True)
class Exit:
    """A program that the agent started ends with `code`, -N for the signal N.

    Before it acted it does nothing; after it acted its own code is lost.
    """

    code: int


@dataclass(frozen=True, slots=True)
class Preempt:
    """No fault: the actor at the point waits until `others` other actors have had an effect."""

    others: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """The mail server treats one mail in its own way, which it knows before the mail comes.

    Attributes:
        copies: how often it delivers the mail.
        hangs_up: whether it hangs up instead of its last answer.
        refuses: what it answers with `reply` (``550 …``): the first recipient, all of them, or the mail's content.
    """

    copies: int = 1
    hangs_up: bool = False
    refuses: Literal["", "recipient", "recipients", "content"] = ""
    reply: str = ""


MISANSWERS = (
    *("forgets", "acts and forgets", "acts and says nothing"),
    *("unknown tool", "tool error", "wrong result"),
)
"""The ways in which a server of tools answers wrongly; a medium of one's own names those of its twin itself."""


DELIVERIES: Mapping[str, str] = MappingProxyType(
    {
        "swapped": "the sender delivers the event that follows first",
        "last": "the sender delivers all other events first",
        "held": "the sender delivers it only to a later process",
        "given up": "the sender has given up, and never delivers it",
        "not heard": "the sender does not get the answer, and delivers the event again later",
        "again": "the sender delivers the event again",
    }
)
"""The ways in which a sender of webhooks goes wrong, each as it is told."""


@dataclass(frozen=True, slots=True)
class Misanswer:
    """The service answers wrongly, in the way `how`: one of those that its medium names."""

    how: str


@dataclass(frozen=True, slots=True)
class Disturb:
    """A real connection breaks, or carries less.

    Attributes:
        how: "refused" and "reset" end it with RST, "closed" with FIN; "silent" lets nothing through any more; "slow"
            lets it through later, "trickled" a few bytes at a time.
        share: for a cut, the part between 0 and 1 that gets through first: of a request where the phase is "middle", of
            an answer where it is "after".
        seconds: for "slow", how much later.
    """

    how: Literal["refused", "reset", "closed", "silent", "slow", "trickled"]
    share: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Damage:
    """A read returns something else than was written, until the process ends; then the disk is put right.

    Attributes:
        how: "flipped": one byte has its lowest bit inverted (a digit or letter becomes another one, and UTF-8 stays
            UTF-8); "cut": the content ends early.
        share: where, from 0 for the beginning to 1 for the end.
    """

    how: Literal["flipped", "cut"]
    share: float

    def of(self, size: int) -> int:
        """Return the position that is hit in so many bytes."""
        return min(int(size * self.share), size - 1)


Action = Kill | Fail | Disconnect | Respond | Say | Exit | Preempt | Deliver | Misanswer | Disturb | Damage
AHEAD = (Say, Deliver, Misanswer)
"""Actions after an effect that must be known before it, since another process carries them out."""
