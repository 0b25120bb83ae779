"""The time that an exploration may take, asked before each process and while one runs; what one process may take."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..boundary.resolved import Limits
from ..values.history import Role
from ..values.real_time import FIRST_PROCESS_S

UNLIMITED = Limits(calls=10_000, polls=10_000, effects=100_000)


class OutOfTime(Exception):
    """The budget is spent. Raised before a process starts, or while one runs, whose result is discarded then."""


class Deadline:
    """The end of an exploration's budget; none until `set`."""

    def __init__(self) -> None:
        self._until: float | None = None

    def set(self, until: float | None) -> None:
        """Move the deadline to a value of `time.monotonic`; None for no limit."""
        self._until = until

    @property
    def is_over(self) -> bool:
        """Return whether the time is spent."""
        return self._until is not None and time.monotonic() >= self._until

    def check(self) -> None:
        """Raise OutOfTime where the time is spent."""
        if self.is_over:
            raise OutOfTime

    def patience(self, seconds: float) -> float:
        """Shorten a patience of `seconds` to the time that the budget leaves."""
        return seconds if self._until is None else max(0.0, min(seconds, self._until - time.monotonic()))


@dataclass(frozen=True, slots=True)
class Terms:
    """Limits of one process: what it may do, and how long it may take.

    Attributes:
        limits: of calls, polls and effects.
        patience_s: for how long in real time it is waited for.
        look_s: for how many seconds the outside is looked at meanwhile; None for no limit.
        shown: roles of processes whose output is shown at once.
        stops: points where a debugger stops the processes of a role, each with the reason; None without a debugger.
    """

    limits: Limits = UNLIMITED
    patience_s: float = FIRST_PROCESS_S
    look_s: float | None = None
    shown: frozenset[Role] = frozenset()
    stops: Mapping[Role, Mapping[str, str]] | None = None


class Allowance:
    """The limits as agreed by now: the terms of each process, and the deadline of all."""

    def __init__(self) -> None:
        self.terms, self.deadline = Terms(), Deadline()

    def agree(self, **terms: Any) -> None:
        """Change the terms of every process from now on; see `Terms`."""
        self.terms = replace(self.terms, **terms)
