"""What a sender of webhooks does at worst: it delivers at least once, in no order, and at last gives up."""

from collections.abc import Iterator

from rollproof.values.actions import Action, Misanswer
from rollproof.values.faults import fault
from rollproof.values.points import Effect


def _behind(effect: Effect) -> int:
    """Return how many other events wait to be delivered; as many as there may be where nobody has looked."""
    return 2 if effect.request is None else int(effect.request.json().get("behind", 2))


@fault("webhook.twice", at="webhook.answer", when="after", told="{call} was answered and came a second time")
def twice(effect: Effect) -> Iterator[Action]:
    """The sender delivers an event again, at once, though it has got the answer."""
    yield Misanswer("again")


@fault("webhook.lost_answer", at="webhook.answer", told="the answer to {call} was lost, and it came again later")
def lost_answer(effect: Effect) -> Iterator[Action]:
    """The event was handled, and the sender does not get the answer: it delivers it again, after the others."""
    yield Misanswer("not heard")


@fault("webhook.reordered", at="webhook.deliver", told="the webhook that follows {call} came first")
def reordered(effect: Effect) -> Iterator[Action]:
    """The event that follows comes first: senders keep no order."""
    if _behind(effect):
        yield Misanswer("swapped")


@fault("webhook.late", at="webhook.deliver", told="{call} came late")
def late(effect: Effect) -> Iterator[Action]:
    """The event comes late: to a later process, or after all that follow where that is another order than swapped."""
    yield Misanswer("held")
    if _behind(effect) > 1:
        yield Misanswer("last")


@fault("webhook.lost", at="webhook.deliver", by_default=False, told="{call} never came: its sender had given up")
def lost(effect: Effect) -> Iterator[Action]:
    """The sender has given up and never delivers the event: the endpoint was down for too long.

    Not tried unless selected: only an agent that also asks the service what has happened can stand it.
    """
    yield Misanswer("given up")
