"""Sleeps of asyncio: a task can be cancelled there, and nothing outside is touched."""

from ..actions import Fail, Kill
from .medium import Ability, Medium

CLOCK = Medium(
    "clock",
    verbs={"sleep": ("before",)},
    abilities=(Ability(Kill, ("*:before",)), Ability(Fail, ("*:before",))),
    cancelled=dict.fromkeys(("main", "task", "awaited", "thread"), ("before",)),
    uninterrupted=("*",),
    touches_outside=False,
    leaves_clean=True,
    doing={"sleep": "waiting"},
)
