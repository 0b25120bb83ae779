"""Files and folders that are watched or private, carried by `boundary.media.files` and `boundary.media.rereading`."""

from ..actions import Damage, Fail, Kill, Preempt
from .medium import AROUND, Ability, Medium

_CHANGING = ("chmod", "fsync", "link", "mkdir", "open", "remove", "rename", "replace", "rmdir", "symlink", "truncate")

FILE = Medium(
    "file",
    verbs={**dict.fromkeys(_CHANGING, AROUND), "write": ("before", "middle", "after"), "read": ("before",)},
    abilities=(
        Ability(Kill, ("*",)),
        Ability(Fail, ("*:before", "*:after", "write:middle")),
        Ability(Preempt, ("*:before",)),
        Ability(Damage, ("read:before",)),
    ),
    uninterrupted=("write:after",),  # a buffer that is interrupted there would write its bytes again
    leaves_clean=True,
    changes="target",
    moves=("link", "rename", "replace", "symlink"),
    doing={
        "chmod": "changing the mode of {target}",
        "fsync": "flushing {target}",
        "link": "linking {target}",
        "mkdir": "making {target}",
        "open": "opening {target}",
        "read": "reading {target}",
        "remove": "removing {target}",
        "rename": "renaming {target}",
        "replace": "replacing {target}",
        "rmdir": "removing {target}",
        "symlink": "making {target}",
        "truncate": "truncating {target}",
        "write": "writing {target}",
    },
    done={
        "chmod": "mode changed",
        "fsync": "flushed",
        "link": "linked",
        "mkdir": "created",
        "remove": "removed",
        "rename": "renamed",
        "replace": "replaced",
        "rmdir": "removed",
        "symlink": "created",
        "truncate": "truncated",
    },
)
