"""Processes that end together: a server of ours never outlives the process that it was started for."""

import ctypes
import os
import select
import signal
import sys
import threading
import time

from ..values.rare import rare

_LOOK_EVERY_S = 0.2
_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def first_to_end(*pids: int) -> int:
    """Wait until one of these processes has ended, and return its pid; an unreaped child has ended too."""
    watched: dict[int, int] = {}
    poll = select.poll()
    for pid in pids:
        try:
            watched[os.pidfd_open(pid)] = pid
        except ProcessLookupError:
            return pid
        except (AttributeError, OSError):  # not Linux, or before 5.3
            return _first_seen_ended(pids)
    for descriptor in watched:
        poll.register(descriptor, select.POLLIN)
    ended = watched[poll.poll()[0][0]]
    for descriptor in watched:
        os.close(descriptor)
    return ended


def end_with(parent: int) -> None:
    """End this process at once when its parent ends; `parent` is the pid that started it, in case that has ended
    already."""
    if os.getppid() != parent:
        os._exit(0)

    def wait() -> None:
        first_to_end(parent)
        rare("a side process ends with its parent")
        os._exit(0)

    threading.Thread(target=wait, name="end-with-parent", daemon=True).start()


def killed_with_parent() -> None:
    """Have the kernel kill this process when the thread that forked it ends; for a new process, before its exec."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _first_seen_ended(pids: tuple[int, ...]) -> int:
    """Look again and again: one's parent has ended when it is another's, and a child when it can be reaped."""
    while True:
        for pid in pids:
            try:
                os.kill(pid, 0)
                if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                    return pid
            except ProcessLookupError:
                return pid
            except ChildProcessError:
                pass
        time.sleep(_LOOK_EVERY_S)
