"""Messages to twins of servers of tools, over HTTP."""

from ..actions import MISANSWERS, Misanswer
from .http import REQUESTS
from .medium import AROUND, Ability, Medium

TOOLS = dict.fromkeys(("call", "initialize", "list"), AROUND)
CALLING = {"initialize": "greeting {target}", "list": "listing the tools of {target}", "call": "calling {target}"}

MCP = Medium(
    "mcp",
    verbs=TOOLS,
    abilities=(*REQUESTS, Ability(Misanswer, ("*:before", "*:after"), {"how": MISANSWERS})),
    answered=True,
    lasts_for="host",
    cancelled={"task": ("after",), "awaited": ("after",)},  # the call is carried out all the same
    cancels_caller=True,
    calls_tools="call",
    faults_of="http",
    doing=CALLING,
    call="the request to {target}",
)
