"""Connections to mailboxes and mails; carried by `boundary.media.mail` and the server of `twins.mail_server`."""

from ..actions import Deliver, Disconnect, Fail, Kill, Preempt
from .medium import AROUND, Ability, Medium

MAIL = Medium(
    "mail",
    verbs={"connect": AROUND, "send": AROUND},
    abilities=(
        Ability(Kill, ("*:before", "*:after")),
        Ability(Fail, ("*:before", "*:after")),
        Ability(Preempt, ("*:before",)),
        Ability(Disconnect, ("connect:before",)),
        Ability(Deliver, ("send:before", "send:after")),
    ),
    answered=True,
    lasts_for="host",
    doing={"connect": "connecting to {target}", "send": "sending a mail to {target}"},
    call="the mail",
)
