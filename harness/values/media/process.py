"""Programs that an agent starts: before one begins, and when it has ended; carried by `boundary.programs`."""

from ..strikes import Exit, Fail, Hold, Kill
from .medium import AROUND, AWAITED, Ability, Medium

PROCESS = Medium(
    "process",
    verbs={"run": AROUND},
    abilities=(
        Ability(Kill, ("*:before", "*:after")),
        Ability(Fail, ("*:before", "*:after")),
        Ability(Hold, ("*:before",)),
        Ability(Exit, ("run:before", "run:after")),
    ),
    lasts_for="target",
    cancelled=AWAITED,
    runs_programs=True,
)
