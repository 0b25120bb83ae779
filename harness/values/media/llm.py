"""Requests to twins of models, over HTTP."""

from ..actions import Say
from .http import REQUESTS
from .medium import AROUND, AWAITED, Ability, Medium

LLM = Medium(
    "llm",
    verbs={"chat": AROUND},
    abilities=(*REQUESTS, Ability(Say, ("chat:after",))),
    answered=True,
    lasts_for="host",
    cancelled=AWAITED,
    leaves_clean=True,
    faults_of="http",
    doing={"*": "asking the model"},
    call="the request to the model",
)
