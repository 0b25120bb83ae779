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
)
