"""The part of the executor that serving a process needs."""

from typing import Protocol

from .budget import Allowance
from .config import ExplorationConfig
from .outside import Outside
from .process_runs import RawState
from .session import Learned
from .telling import Telling
from .worlds import Worlds


class TraceContext(Protocol):
    """The part of the executor that the tracer uses."""

    config: ExplorationConfig
    outside: Outside
    worlds: Worlds
    learned: Learned
    telling: Telling
    allowance: Allowance

    def capture(self, clock: float, pids: frozenset[int] = ..., reused: frozenset[int] = ...) -> RawState:
        """Look at the outside as it is now."""
