"""Programs that an agent starts: before one begins, and when it has ended; carried by `boundary.media.programs`."""

from ..actions import Exit, Fail, Kill, Preempt
from .medium import AROUND, AWAITED, Ability, Medium

PROCESS = Medium(
    "process",
    verbs={"run": AROUND},
    abilities=(
        Ability(Kill, ("*:before", "*:after")),
        Ability(Fail, ("*:before", "*:after")),
        Ability(Preempt, ("*:before",)),
        Ability(Exit, ("run:before", "run:after")),
    ),
    lasts_for="target",
    cancelled=AWAITED,
    runs_programs=True,
    doing={"run": "running {target}"},
)
