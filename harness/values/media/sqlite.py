"""Statements of SQLite that write, commits and, on demand, queries; carried by `boundary.media.sqlite`."""

from ..actions import Damage, Fail, Kill, Preempt
from .medium import AROUND, AWAITED, Ability, Medium

_STATEMENTS = (
    *("insert", "replace", "update", "delete", "create", "drop", "alter"),
    *("begin", "commit", "rollback", "release", "vacuum", "reindex", "analyze", "pragma", "backup"),
)

SQLITE = Medium(
    "sqlite",
    verbs={**dict.fromkeys((*_STATEMENTS, "open"), AROUND), "read": ("before",)},
    abilities=(
        Ability(Kill, ("*",)),
        Ability(Fail, ("*:before", "*:after")),
        Ability(Preempt, ("*:before",)),
        Ability(Damage, ("read:before",), {"how": ("flipped",)}),
    ),
    cancelled=AWAITED,
    leaves_clean=True,
    changes="anything",
    commits=True,
    doing={
        "alter": "altering {target}",
        "begin": "beginning a transaction in {target}",
        "commit": "committing to {target}",
        "create": "creating {target}",
        "delete": "deleting from {target}",
        "drop": "dropping {target}",
        "insert": "inserting into {target}",
        "open": "opening {target}",
        "read": "reading {target}",
        "replace": "replacing rows of {target}",
        "rollback": "rolling back in {target}",
        "update": "updating {target}",
    },
    done={
        "alter": "altered",
        "begin": "begun",
        "commit": "committed",
        "create": "created",
        "drop": "dropped",
        "open": "created",  # of one that is there already it is no point
        "rollback": "rolled back",
    },
)
