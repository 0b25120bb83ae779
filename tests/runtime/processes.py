"""Work in processes of its own, which a test pauses, kills and wakes."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rollproof.runtime import Fenced, LeaseLost

DONE, FAILED, LOST = 0, 1, 7
"""How a process ends: LOST is one that another had taken the run from."""
AT_MOST_S = 60
"""When a process that hangs is ended."""


def started(work: Callable[[], object], at_most_s: int = 0) -> int:
    """Do the work in a child, which ends by a signal if it hangs; give its process id."""
    gc.freeze()  # a child that collects would copy the whole heap of the parent
    pid = os.fork()
    if pid:
        gc.unfreeze()
        return pid
    code = FAILED
    try:
        signal.alarm(at_most_s or AT_MOST_S)
        work()
        code = DONE
    except (LeaseLost, Fenced):
        code = LOST
    except BaseException as error:
        os.write(2, f"a process failed: {error!r}\n".encode())
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    """Wait until a child ends; give its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def stopped(pid: int) -> bool:
    """Wait until a child is stopped; false where it ended before that."""
    return os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])


@contextmanager
def paused(work: Callable[[], object]) -> Iterator[int]:
    """Do work that pauses itself in a child; give the process id, and end what was not awakened."""
    pid = started(work)
    assert stopped(pid)
    try:
        yield pid
    finally:
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def awakened(pid: int) -> int:
    """Let a paused child go on to its end; give its exit code."""
    os.kill(pid, signal.SIGCONT)
    return ended(pid)


def signal_itself(number: int) -> None:
    """Send a signal to this process: SIGSTOP pauses it, SIGKILL ends it."""
    os.kill(os.getpid(), number)
