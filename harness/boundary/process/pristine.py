"""The check that a process is, after a run, as it was before: then it can carry out another schedule.

The things that outlive a run are compared: descriptors, threads, functions registered for the exit, signals, the
environment, modules. An agent's own objects cannot be seen: a user who asks for reuse says that they keep nothing.
"""

import os
import signal
import socket
import sys
import threading

from ...values.media import medium_of
from ...values.rare import rare
from ..adapters import python_exit
from ..gate import Gate

_DESCRIPTORS, _THREADS = "/dev/fd", "/proc/self/task"  # of this process; the second on Linux only
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


class PristineState:
    """The state of a process before its first run: descriptors, threads, signals, exit handlers, modules."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        gate.lingers = False
        self._before = _state()

    def is_pristine(self) -> bool:
        """Return whether the process is as before its first run, and can carry out another schedule."""
        gate = self._gate
        with gate.untraced():
            same = not gate.lingers and _state() == self._before
        if not same:
            rare("a process is not as before and carries out nothing more")
        return same and all(medium_of(point.kind).leaves_clean for point in gate.points)


def _state() -> object:
    mask = os.umask(0)
    os.umask(mask)
    return (
        sorted((fd, _target(fd)) for fd in os.listdir(_DESCRIPTORS)),
        len(os.listdir(_THREADS)) if os.path.isdir(_THREADS) else threading.active_count(),
        list(map(signal.getsignal, signal.valid_signals())),
        signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        list(map(signal.getitimer, _TIMERS)),
        python_exit.registered() or object(),  # where nobody knows, a process is never as before
        (len(sys.modules), len(sys.path), socket.getdefaulttimeout(), mask),
    )


def _target(descriptor: str) -> str:
    """Return the target of a descriptor; "" for the descriptor of the listing itself, which is closed by now."""
    try:
        return os.readlink(f"{_DESCRIPTORS}/{descriptor}")
    except OSError:
        return ""
