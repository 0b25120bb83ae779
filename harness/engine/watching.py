"""The patience for one process: real time without the time in which it waited for a processor."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress

from ..values.rare import rare


class Watch:
    """Watches a process of the agent and its children from now on.

    On a busy machine a late import of a large library takes minutes: it computes all the while, or would if it could.

    Args:
        pid: of the process, which leads its group.
        patience_s: for how long it is waited for, at least.
        used: whether it has waited for a processor before, which does not count.
    """

    def __init__(self, pid: int, patience_s: float, *, used: bool) -> None:
        self._pid = pid
        self._until = time.monotonic() + patience_s
        # A used process has waited in earlier runs, which is no reason to wait longer for this one.
        self._granted_s = self._before_s = _waited_s(pid) if used else 0.0

    def left_s(self) -> float:
        """Return for how many more seconds the process is waited for; 0 or less where they are over."""
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            waited_s = max((_waited_s(pid) for pid in _group(self._pid)), default=0.0)
            # A busy machine is no hang of the agent: the kernel counts how long a thread was ready and did not run.
            more_s = max(0.0, waited_s - self._granted_s)
            if more_s:
                rare("waiting for a processor is no time of a process")
            self._until, self._granted_s, left_s = self._until + more_s, self._granted_s + more_s, left_s + more_s
        return left_s

    @property
    def waited_s(self) -> float:
        """Seconds in which it waited for a processor, as far as they were looked at."""
        return self._granted_s - self._before_s


def _waited_s(pid: int) -> float:
    """Return for how long the thread of a process that waited longest did so for a processor; 0 where nobody counts."""
    longest = 0
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError, ValueError), open(f"/proc/{pid}/task/{task}/schedstat", "rb") as stat:
                longest = max(longest, int(stat.read().split()[1]))
    return longest / 1e9


def _group(leader: int) -> Iterator[int]:
    """Yield the processes of a group."""
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdigit():
            with suppress(OSError):
                if os.getpgid(int(name)) == leader:
                    yield int(name)
