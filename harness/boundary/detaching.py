"""What a forked process shares with the one that it was forked from, and does not keep."""

import asyncio
import atexit
import ctypes
import gc
import os
import signal
import sys
import weakref

from . import locks

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def adopt_orphans() -> None:
    """Become the parent of whatever its descendants leave running, in a session of its own or not."""
    if _prctl is not None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(number: int = signal.SIGKILL) -> None:
    """Let this process get a signal when its parent ends, however that ends."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, number)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def detach() -> None:
    """Cut what a fork shares with its parent: its process group, exit handlers, the running loop."""
    end_with_parent()
    os.setpgid(0, 0)
    gc.enable()
    weakref.finalize._registry.clear()  # type: ignore[attr-defined]
    atexit._clear()
    atexit.register(weakref.finalize._exitfunc)  # type: ignore[attr-defined]
    weakref.finalize._registered_with_atexit = True  # type: ignore[attr-defined]
    asyncio._set_running_loop(None)
    locks.keep_internals_plain()
