"""The time that an exploration may take: asked before each process, and while one runs."""

import time


class OutOfTime(Exception):
    """The budget is spent. Raised before a process starts, or while one runs, whose result is discarded then."""


class Deadline:
    """A moment that nothing of an exploration may outlast; none until `set`."""

    def __init__(self) -> None:
        self._until: float | None = None

    def set(self, until: float | None) -> None:
        """Move it to a value of `time.monotonic`; None for no limit."""
        self._until = until

    @property
    def is_over(self) -> bool:
        """Whether the time is spent."""
        return self._until is not None and time.monotonic() >= self._until

    def check(self) -> None:
        """Raise OutOfTime where the time is spent."""
        if self.is_over:
            raise OutOfTime

    def patience(self, seconds: float) -> float:
        """Return how long a process may take that would be waited for this long."""
        return seconds if self._until is None else max(0.0, min(seconds, self._until - time.monotonic()))
