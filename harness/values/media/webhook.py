"""Webhooks that a sender delivers to an agent: an event comes, and its answer goes back; carried by
`boundary.media.http`, as requests of the agent's process to the twin that keeps what is to be delivered.
"""

from ..actions import DELIVERIES, Fail, Kill, Misanswer, Preempt
from .medium import AROUND, AWAITED, Ability, Medium

_OF_ANSWERS = ("not heard", "again")

WEBHOOK = Medium(
    "webhook",
    verbs={"deliver": AROUND, "answer": AROUND},
    abilities=(
        Ability(Kill, ("*:before", "*:after")),
        Ability(Fail, ("*:before", "*:after")),
        Ability(Preempt, ("*:before", "*:after")),
        Ability(Misanswer, ("deliver:before",), {"how": tuple(how for how in DELIVERIES if how not in _OF_ANSWERS)}),
        Ability(Misanswer, ("answer:before", "answer:after"), {"how": _OF_ANSWERS}),
    ),
    answered=True,
    lasts_for="host",
    cancelled=AWAITED,
    leaves_clean=True,
    done={"deliver": "came"},
    doing={"deliver": "taking the webhook {target}", "answer": "answering the webhook {target}"},
    call="the webhook {target}",
)
