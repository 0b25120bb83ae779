"""Messages to twins of servers of tools that an agent starts as a subprocess, over its pipes."""

from ..actions import MISANSWERS, Fail, Kill, Misanswer, Preempt
from .mcp import CALLING, TOOLS
from .medium import Ability, Medium

STDIO = Medium(
    "stdio",
    verbs=TOOLS,
    abilities=(
        Ability(Kill, ("*:before", "*:after")),
        Ability(Fail, ("*:before", "*:after")),
        Ability(Preempt, ("*:before",)),
        Ability(Misanswer, ("*:before", "*:after"), {"how": MISANSWERS}),
    ),
    answered=True,
    lasts_for="host",
    cancelled=dict.fromkeys(("main", "task", "awaited", "thread"), ("after",)),
    cancels_caller=True,
    calls_tools="call",
    doing=CALLING,
    call="the request to {target}",
)
