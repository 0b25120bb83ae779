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


def let_go() -> None:
    """Forget what belongs to the test's process: its exit handlers, its running loop.

    Once in the fork server: in each agent's process it would copy 100 pages.
    """
    gc.enable()
    python_exit.forget_all()
    python_asyncio.leave_running_loop()


def detach() -> None:
    """Cut the ties of an agent's process to the fork server: its process group, and locks that each fork makes anew."""
    end_with_parent()
    os.setpgid(0, 0)
    if python_threads.LOCKS.works:
        python_threads.keep_internals_plain()
