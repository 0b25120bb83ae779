"""random, tempfile and uuid: the source of random bytes, and the names and ids that are drawn from it.

3.14: `uuid.uuid6` and `uuid.uuid7` remember what they drew last, too (`_last_timestamp_v6`, `_last_timestamp_v7`,
`_last_counter_v7`); all that begins so is forgotten. 3.15: not known.
"""

import random
import tempfile
import uuid
from collections.abc import Callable
from typing import Any

from .part import Adapter, find

ADAPTER = Adapter("Python", "3.11", "3.14")
SYSTEM = ADAPTER.part("what random.SystemRandom draws is left to the machine", "random:_urandom")
UUIDS = ADAPTER.part(
    "uuids that are made of the time are left to the machine",
    "uuid:_generate_time_safe",
    "uuid:_UuidCreate",
    "uuid:_last_timestamp",
)
NAMES = ADAPTER.part(
    "names of temporary files are left to the machine",
    "tempfile:_RandomNameSequence.__next__",
    "tempfile:_name_sequence",
    probe=lambda: isinstance(next(find("tempfile:_RandomNameSequence")()), str),
)
_FROM_ZERO = {"_last_counter_v7": 0}


def draw_from(take: Callable[[int], bytes]) -> None:
    """Take random bytes from `take`, and not from the system. For a child process: there is no way back."""
    if SYSTEM.works:
        random._urandom = take  # type: ignore[attr-defined]
    if UUIDS.works:
        for name in ("_generate_time_safe", "_UuidCreate"):
            setattr(uuid, name, None)


def forget() -> None:
    """Forget the names and ids that were drawn last, as in a process that has drawn none yet."""
    if NAMES.works:
        tempfile._name_sequence = None  # type: ignore[attr-defined]
    for name in [name for name in vars(uuid) if name.startswith("_last_")] if UUIDS.works else ():
        setattr(uuid, name, _FROM_ZERO.get(name))


def on_temporary_name(tell: Callable[[str], object]) -> None:
    """Call `tell` with each name that `tempfile` draws. For a child process: there is no way back."""
    if not NAMES.works:
        return
    names: Any = find("tempfile:_RandomNameSequence")
    following = names.__next__

    def noted(self: Any) -> str:
        name: str = following(self)
        tell(name)
        return name

    names.__next__ = noted
