"""Detach a forked process from what it shares with the process that it was forked from."""

import ctypes
import gc
import os
import signal
import sys

from ..adapters import python_asyncio, python_exit, python_threads

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def adopt_orphans() -> None:
    """Become the parent of whatever its descendants leave running, in a session of its own or not."""
    if _prctl is not None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask the kernel to send this process a signal when its parent ends, however that ends."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, number)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def detach() -> None:
    """Cut all ties of a forked process to its parent: process group, exit handlers, the running loop."""
    end_with_parent()
    os.setpgid(0, 0)
    gc.enable()
    python_exit.forget_all()
    python_asyncio.leave_running_loop()
    if python_threads.LOCKS.works:
        python_threads.keep_internals_plain()
