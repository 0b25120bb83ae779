"""A program that is made up: it has the pid of a dead process of the agent, and whoever asks sees that it runs.

What the system tells of it in ``/proc`` is what it tells of this process, under the other pid, with another name and a
later start. It can be asked with signal 0, listed, looked at and read; no signal reaches anybody, and a pidfd of it
cannot be had.
"""

import builtins
import functools
import io
import os
import re
from collections.abc import Callable
from typing import Any

from . import patching
from .gate import Gate

_OF_PROCESS = re.compile(r"/proc/(\d+)(?=/|$)")
_NAME, _ARGUMENTS = b"sleep", b"sleep\0infinity\0"
_LATER_TICKS = 1000
_START_FIELD = 19  # of /proc/PID/stat, counted from the state


class EarlierPids:
    """What is known of the pids of earlier processes.

    Attributes:
        torn: numbers in the outside that are no pids but parts of some.
        reused: pids, and parts of some, that another program has by now; empty where the harness itself asks.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate, self._reused, self._shown = gate, frozenset[int](), False
        self.torn: frozenset[int] = frozenset()

    def know(self, torn: frozenset[int], reused: frozenset[int]) -> None:
        """Know what concerns the next run of this process; what another program shows can be read from then on."""
        self.torn, self._reused = torn, reused | torn if reused else reused
        if reused and not self._shown:
            self._shown = True
            for module in (builtins, io):
                patching.replace(module, "open", self._opening)

    @property
    def reused(self) -> frozenset[int]:
        """Those that another program has."""
        return self._reused if self._reused and self._gate.active else frozenset()

    def path_instead(self, path: Any) -> str | None:
        """Return where to look for what a path below ``/proc`` names of such a program; None for any other path."""
        if isinstance(path, int) or not self.reused:
            return None
        text = os.fsdecode(path)
        match = _OF_PROCESS.match(text)
        if match is None or int(match[1]) not in self.reused:
            return None
        return "/proc/self" + text[match.end() :]

    def _opening(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            reads = isinstance(file, (str, bytes, os.PathLike)) and "r" in mode
            instead = self.path_instead(file) if reads else None
            if instead is None:
                return original(file, mode, *args, **kwargs)
            pid = int(os.fsdecode(file).split("/")[2])
            with self._gate.quiet():
                with original(instead, "rb") as real:
                    text = _told(instead.rpartition("/")[2], real.read(), pid)
                kept = os.memfd_create("proc")
                os.write(kept, text)
                os.lseek(kept, 0, os.SEEK_SET)
                return original(kept, mode, *args, **kwargs)

        return opened


def _told(what: str, text: bytes, pid: int) -> bytes:
    """Return what the system tells of this process as if it told it of the other one."""
    if what in ("comm", "cmdline"):
        return _ARGUMENTS if what == "cmdline" else _NAME + b"\n"
    text = re.sub(rb"(?<!\d)%d(?!\d)" % os.getpid(), b"%d" % pid, text)
    if what == "status":
        return re.sub(rb"(?m)^Name:.*$", b"Name:\t" + _NAME, text)
    if what == "stat":
        fields = text.rpartition(b")")[2].split()
        fields[_START_FIELD] = b"%d" % (int(fields[_START_FIELD]) + _LATER_TICKS)
        return b"%d (%b) %b\n" % (pid, _NAME, b" ".join(fields))
    return text
