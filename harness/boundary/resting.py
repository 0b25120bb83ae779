"""Whether a process is, after a run, as it was before it: then it can carry out another schedule.

What outlives a run is looked at: descriptors, threads, what is to be done at exit, signals, the environment, modules.
What an agent keeps in its own objects cannot be seen: who asks for reuse says that it keeps nothing.
"""

import atexit
import functools
import gc
import os
import signal
import sys
import threading
import weakref

from .gate import Gate

_ALONE = frozenset({"file", "sqlite", "http", "llm", "clock"})
"""Kinds of points that leave nothing behind where no descriptor does: no process, no socket, no task."""
_DESCRIPTORS = "/dev/fd"  # of this process, on Linux and macOS
_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGALRM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCHLD,
)


class Rest:
    """Knows how a process was before its first run."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        _note_threads(gate)
        self._before = _state()

    def is_there(self) -> bool:
        """Say whether all is as before; objects that nobody holds any more are gone then."""
        gate = self._gate
        with gate.quiet():
            if gate.lingers or _state() != self._before:
                return False
        points = len(gate.points)
        gc.collect()
        return len(gate.points) == points and all(point.kind in _ALONE for point in gate.points)


def _note_threads(gate: Gate) -> None:
    """Notice that a thread begins: its number, the names of later ones and what it keeps for itself remain."""
    plain = threading.Thread.start

    @functools.wraps(plain)
    def start(self: threading.Thread) -> None:
        gate.lingers = True
        plain(self)

    threading.Thread.start = start  # type: ignore[method-assign]


def _state() -> object:
    mask = os.umask(0)
    os.umask(mask)
    handlers = list(map(signal.getsignal, _SIGNALS))
    registered = atexit._ncallbacks(), len(weakref.finalize._registry)  # type: ignore[attr-defined]
    loaded = len(sys.modules), len(sys.path)
    return sorted(os.listdir(_DESCRIPTORS)), threading.active_count(), handlers, mask, registered, loaded
