"""Processes that the agent makes of itself: forks, and those of multiprocessing. Nobody looks into them.

The parent is told their pids and the line of the agent that starts them, so that it knows whose changes are theirs.
"""

import functools
import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from ...values.protocol import SubprocessStarted
from .. import patching
from ..adapters import python_processes
from ..gate import Gate

_HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
"""They start processes that do nothing of the agent's by themselves."""


def originals() -> list[object]:
    """Return the functions that agents may have imported by name."""
    return [getattr(os, name) for name in ("fork", "forkpty") if hasattr(os, name)]


def install(gate: Gate) -> None:
    """Tell of each process that is started. For a child process: there is no way back."""
    for name in ("fork", "forkpty"):
        patching.replace(os, name, lambda original: _fork(gate, original))
    module = python_processes.fork_exec()
    if module is not None:
        patching.replace(module, "fork_exec", lambda original: _fork_exec(gate, original))
    python_processes.watch_fork_server(functools.partial(_by_fork_server, gate))


def _start_and_tell(gate: Gate, start: Callable[[], Any], pid_of: Callable[[Any], int]) -> Any:
    """Start a process: its place is told before it can do anything, its pid as soon as that is known."""
    place = gate.places.current()
    gate.channel.tell(SubprocessStarted(0, place))
    started = start()
    pid = pid_of(started)
    if pid:  # 0 in the new process itself
        gate.channel.tell(SubprocessStarted(pid, place))
    return started


def _fork(gate: Gate, original: Callable[[], Any]) -> Callable[[], Any]:
    @functools.wraps(original)
    def fork() -> Any:
        if not gate.active:
            return original()
        return _start_and_tell(gate, original, _pid_of_fork)

    return fork


def _pid_of_fork(result: Any) -> int:
    return int(result[0] if isinstance(result, tuple) else result)  # forkpty also returns a descriptor


def _fork_exec(gate: Gate, original: Callable[..., int]) -> Callable[..., int]:
    """Note processes that no audit event tells of: the servers and fresh interpreters of multiprocessing."""

    @functools.wraps(original)
    def fork_exec(*args: Any) -> Any:
        if not gate.active:
            return original(*args)
        gate.recorder.everything()
        gate.note("unheld", "processes of multiprocessing")
        if _helps(sys._getframe(1)):
            return original(*args)
        return _start_and_tell(gate, lambda: original(*args), int)

    return fork_exec


def _helps(frame: FrameType | None) -> bool:
    """Return whether a process is started here that only serves multiprocessing."""
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("multiprocessing."):
        if frame.f_globals["__name__"] in _HELPERS:
            return True
        frame = frame.f_back
    return False


def _by_fork_server(gate: Gate, start: Callable[[], None], pid: Callable[[], int]) -> None:
    """See the processes that a fork server starts for the agent."""
    if gate.active:
        _start_and_tell(gate, start, lambda _: pid())
    else:
        start()
