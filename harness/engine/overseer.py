"""The part of the executor that serving a process needs."""

from collections.abc import Callable, Mapping
from typing import Protocol

from ..boundary.armed import Limits
from ..world.cuts import Cuts
from .budget import Deadline
from .lives import Snapshot
from .setting import Setting


class Overseer(Protocol):
    """The executor, as the one that serves a process sees it."""

    setting: Setting
    limits: Limits
    patience_s: float
    deadline: Deadline
    look_s: float | None
    names: set[str]
    asked: dict[str, None]
    cuts: Cuts
    credentials: dict[str, bytes]
    changed: Callable[[Snapshot, Snapshot], list[str]]

    @property
    def roots(self) -> Mapping[str, str]:
        """Absolute paths of the sources and their readable names."""

    def capture(self, clock: float, pids: frozenset[int] = ..., reused: frozenset[int] = ...) -> Snapshot:
        """Look at the outside as it is now."""
