"""subprocess and multiprocessing: starts of processes that no audit hook is told of, and the clock of `subprocess`.

3.14: `multiprocessing` starts its processes by the fork server unless it is told otherwise; that is seen as before.
3.15: ``Popen.wait`` with a timeout waits for the kernel (a pidfd, gh-83069) instead of sleeping again and again. Both
are real time.
"""

import multiprocessing.popen_fork
import subprocess
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from .part import Adapter, find

ADAPTER = Adapter("Python", "3.11", "3.14")
FORKING = ADAPTER.part(
    "processes of multiprocessing that are no plain forks are not seen",
    "_posixsubprocess:fork_exec",
    "multiprocessing.popen_fork:Popen.method",
    "multiprocessing.popen_fork:Popen.__init__(process_obj)",
    "multiprocessing.util:spawnv_passfds",
)
CLOCK = ADAPTER.part("timeouts of subprocess are told in virtual time", "subprocess:time")


def fork_exec() -> Any:
    """Return the module whose ``fork_exec`` starts a fresh interpreter or a server; None if this Python has none."""
    return find("_posixsubprocess") if FORKING.works else None


def watch_fork_server(told: Callable[[Callable[[], None], Callable[[], int]], None]) -> None:
    """Call `told` for each process that a fork server is to start, with a function that starts it and one for its pid.

    For a child process: there is no way back.
    """
    popen: Any = multiprocessing.popen_fork.Popen
    original = popen.__init__

    def init(self: Any, process: Any) -> None:
        if self.method == "forkserver":
            told(lambda: original(self, process), lambda: int(self.pid))
        else:
            original(self, process)

    if FORKING.works:
        popen.__init__ = init


def keep_real_time() -> None:
    """Make `subprocess` wait in real time, as other processes do. For a child process: there is no way back."""
    if CLOCK.works:
        subprocess.time = SimpleNamespace(**vars(time))  # type: ignore[attr-defined]
