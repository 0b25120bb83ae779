"""Real connections, as the relay in front of a service sees them; carried by `network.connection`."""

from ..actions import Disturb, Fail, Kill
from .medium import Ability, Medium

NET = Medium(
    "net",
    verbs={"connect": ("before", "after"), "exchange": ("before", "middle", "after")},
    abilities=(
        Ability(Kill, ("*",)),
        Ability(Fail, ("connect:before",)),
        Ability(Fail, ("*:before", "*:after"), {"error": (KeyboardInterrupt,)}),  # by a real signal
        Ability(Disturb, ("connect:before",), {"how": ("refused", "silent")}),
        Ability(Disturb, ("exchange:before",), {"how": ("reset", "closed", "silent", "slow")}),
        Ability(Disturb, ("exchange:middle",), {"how": ("reset", "closed", "silent")}),
        Ability(Disturb, ("exchange:after",), {"how": ("reset", "closed", "silent", "slow", "trickled")}),
    ),
    lasts_for="target",
    in_process=False,
    doing={"connect": "connecting to {target}", "exchange": "talking to {target}"},
    call="the request to {target}",
)
