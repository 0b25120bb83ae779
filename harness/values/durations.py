"""The time of an exploration by part, in seconds of real time; each second counts once."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

PARTS = ("fork", "agent", "restore", "capture", "learn", "compare", "judge", "rest")
"""Starting and ending processes; waiting for what they do; putting the outside back; looking at it; learning
what is volatile; naming states and their differences; judging them; all else."""


class Spent:
    """Adds up seconds by part; a part within another one is not counted for that one, too."""

    def __init__(self) -> None:
        self._spent = dict.fromkeys(PARTS, 0.0)
        self._parts = ["rest"]
        self._since = time.perf_counter()

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        """Count the block for this part."""
        self._settle()
        self._parts.append(part)
        try:
            yield
        finally:
            self._settle()
            self._parts.pop()

    def so_far(self) -> Mapping[str, float]:
        """Return the seconds of each part."""
        self._settle()
        return dict(self._spent)

    def _settle(self) -> None:
        now = time.perf_counter()
        self._spent[self._parts[-1]] += now - self._since
        self._since = now


def together(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the seconds of several parts of an exploration as one."""
    found: dict[str, float] = {}
    for part in parts:
        for name, seconds in part.items():
            found[name] = round(found.get(name, 0.0) + seconds, 3)
    return found
