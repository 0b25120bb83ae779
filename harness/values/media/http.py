"""Requests to twins of REST services; carried by `boundary.media.http`, as are those to models and to servers of
tools."""

from ..actions import Disconnect, Fail, Kill, Preempt, Respond
from .medium import AROUND, AWAITED, Ability, Medium

METHODS = dict.fromkeys(("delete", "get", "head", "options", "patch", "post", "put"), AROUND)
REQUESTS = (
    Ability(Kill, ("*:before", "*:after")),
    Ability(Fail, ("*:before", "*:after")),
    Ability(Preempt, ("*:before", "*:after")),
    Ability(Disconnect, ("*:before", "*:after")),
    Ability(Respond, ("*:before",)),
)
"""What can be carried out wherever a request passes the seam of HTTP."""

HTTP = Medium(
    "http",
    verbs=METHODS,
    abilities=REQUESTS,
    answered=True,
    lasts_for="host",
    cancelled=AWAITED,
    leaves_clean=True,
    takes_keys=True,
    doing={"*": "sending {VERB} {target}"},
    call="{VERB} {target}",
)
