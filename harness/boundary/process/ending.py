"""Ends that a process makes of itself: without an exception, and without a word to anybody.

``os._exit``, ``os.abort`` and a deadly signal to oneself would look like a planned kill from outside; here they are
told.
"""

import os
import signal
from collections.abc import Callable
from typing import Any

from .. import patching
from ..gate import Gate

_HARMLESS = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
_UNHANDLED = (signal.SIG_DFL, None)


def originals() -> list[object]:
    """Return the functions that agents may have imported by name."""
    return [os._exit, os.abort, os.kill, signal.raise_signal]


def install(gate: Gate, tell: Callable[[str], None]) -> None:
    """Call `tell` with the manner in which the process ends, just before it does. Only for a child process: it cannot
    be undone.
    """

    def ending(original: Callable[..., Any]) -> Callable[..., Any]:
        def ends(*args: Any) -> Any:
            if gate.active:
                tell(f"os.{original.__name__}({', '.join(map(str, args))}) ended the process")
            return original(*args)

        return ends

    def told(number: int) -> None:
        if number and number not in _HARMLESS and (number == signal.SIGKILL or signal.getsignal(number) in _UNHANDLED):
            tell(f"os.kill(os.getpid(), signal.{signal.Signals(number).name}) ended the process")

    def killing(original: Callable[[int, int], None]) -> Callable[[int, int], None]:
        def kill(pid: int, sig: int, /) -> None:
            if gate.active and pid in (os.getpid(), 0):
                told(sig)
            original(pid, sig)

        return kill

    def raising(original: Callable[[int], None]) -> Callable[[int], None]:
        def raise_signal(signalnum: int, /) -> None:
            if gate.active:
                told(signalnum)
            original(signalnum)

        return raise_signal

    patching.replace(os, "_exit", ending)
    patching.replace(os, "abort", ending)
    patching.replace(os, "kill", killing)
    patching.replace(signal, "raise_signal", raising)
