"""Files and folders that are watched or private, carried by `boundary.files` and `boundary.rereading`."""

from ..strikes import Damage, Fail, Hold, Kill
from .medium import AROUND, Ability, Medium

_CHANGING = ("chmod", "fsync", "link", "mkdir", "open", "remove", "rename", "replace", "rmdir", "symlink", "truncate")

FILE = Medium(
    "file",
    verbs={**dict.fromkeys(_CHANGING, AROUND), "write": ("before", "middle", "after"), "read": ("before",)},
    abilities=(
        Ability(Kill, ("*",)),
        Ability(Fail, ("*:before", "*:after", "write:middle")),
        Ability(Hold, ("*:before",)),
        Ability(Damage, ("read:before",)),
    ),
    uninterrupted=("write:after",),  # a buffer that is interrupted there would write its bytes again
    leaves_clean=True,
    changes="target",
    moves=("link", "rename", "replace", "symlink"),
)
