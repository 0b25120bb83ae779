"""Requests to twins on real ports, as their server sees them; carried by the parent.

Where an agent can die is what relays see (`net`); this is another point only for the answer.
"""

from ..actions import MISANSWERS, Misanswer, Respond, Say
from .http import METHODS
from .llm import ASKED, ASKING
from .mcp import CALLING, TOOLS
from .medium import Ability, Medium

SERVED = Medium(
    "served",
    verbs={**METHODS, **TOOLS, **ASKING},
    abilities=(
        Ability(Respond, ("*:before",)),
        Ability(Say, ("chat:after",)),
        *(Ability(Misanswer, (f"{verb}:before", f"{verb}:after"), {"how": MISANSWERS}) for verb in TOOLS),
    ),
    answered=True,
    lasts_for="host",
    uninterrupted=("*",),
    in_process=False,
    doing={**CALLING, **ASKED, "chat": "asking the model", "*": "sending {VERB} {target}"},
    call="the request to {target}",
)
