"""What happens to mail between an agent and a mailbox. Every answer is the server's own, in SMTP."""

from collections.abc import Iterator

from rollproof.values.actions import Action, Deliver, Disconnect
from rollproof.values.faults import fault
from rollproof.values.points import Effect


@fault("mail.refused", at="mail.connect", lasting=True, told="the mail server refused the connection")
def refused(effect: Effect) -> Iterator[Action]:
    """The mail server refuses the connection."""
    yield Disconnect("refused")


@fault("mail.rejected", at="mail.send", lasting=True, told="the mail server rejected the mail, or its first recipient")
def rejected(effect: Effect) -> Iterator[Action]:
    """The server refuses for good: the first recipient (550; the others get the mail), or the whole mail (554)."""
    yield Deliver(refuses="recipient", reply="550 5.1.1 Mailbox unavailable")
    yield Deliver(refuses="content", reply="554 5.7.1 Message rejected")


@fault("mail.greylisted", at="mail.send", told="the mail server asked to come back later (451)")
def greylisted(effect: Effect) -> Iterator[Action]:
    """The server does not know the sender yet and asks to come back (451); the next try works."""
    yield Deliver(refuses="recipients", reply="451 4.7.1 Greylisted, please try again later")


@fault(
    "mail.disconnected",
    at="mail.send",
    lasting=True,
    told="the connection was lost before the mail server had accepted the mail",
)
def disconnected(effect: Effect) -> Iterator[Action]:
    """The connection is lost while the server has the mail, and it was not accepted."""
    yield Deliver(copies=0, hangs_up=True)


@fault(
    "mail.lost_answer",
    at="mail.send",
    when="after",
    lasting=True,
    told="the connection was lost after the mail server had accepted the mail",
)
def lost_answer(effect: Effect) -> Iterator[Action]:
    """The mail is accepted, and the connection is lost before the server says so (the ambiguous one)."""
    yield Deliver(hangs_up=True)


@fault(
    "mail.delivered_twice",
    at="mail.send",
    when="after",
    lasting=True,
    told="a relay on the way delivered the mail twice",
)
def delivered_twice(effect: Effect) -> Iterator[Action]:
    """A relay on the way delivers the mail twice; the mailbox keeps one of two that have the same Message-ID."""
    yield Deliver(copies=2)
