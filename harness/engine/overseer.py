"""The part of the executor that serving a process needs."""

from typing import Protocol

from .budget import Allowance
from .lives import Snapshot
from .outside import Outside
from .session import Learned
from .setting import Setting
from .telling import Telling
from .worlds import Worlds


class Overseer(Protocol):
    """The executor, as the one that serves a process sees it."""

    setting: Setting
    outside: Outside
    worlds: Worlds
    learned: Learned
    telling: Telling
    allowance: Allowance

    def capture(self, clock: float, pids: frozenset[int] = ..., reused: frozenset[int] = ...) -> Snapshot:
        """Look at the outside as it is now."""
