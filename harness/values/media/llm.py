"""Requests to twins of models, over HTTP."""

from ..actions import Say
from .http import REQUESTS
from .medium import AROUND, AWAITED, Ability, Medium

ASKING = dict.fromkeys(("chat", "embed", "info"), AROUND)
ASKED = {"embed": "asking for embeddings", "info": "asking about models", "*": "asking the model"}

LLM = Medium(
    "llm",
    verbs=ASKING,
    abilities=(*REQUESTS, Ability(Say, ("chat:after",))),
    answered=True,
    lasts_for="host",
    cancelled=AWAITED,
    leaves_clean=True,
    faults_of="http",
    doing=ASKED,
    call="the request to the model",
)
