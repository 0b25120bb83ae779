"""A made-up program that has the pid of a dead process of the agent: to the agent it seems to run.

Its files in ``/proc`` are those of the agent's process, with its own pid, another name and a later start. ``kill`` with
any signal succeeds and reaches nobody, ``/proc`` lists it, its files can be looked at and read; a pidfd of it cannot be
had.
"""

import builtins
import functools
import io
import os
import re
from collections.abc import Callable
from typing import Any

from .. import patching
from ..gate import Gate

OF_PROCESS = re.compile(r"/proc/(\d+)(?=/|$)")
_NAME, _ARGUMENTS = b"sleep", b"sleep\0infinity\0"
_LATER_TICKS = 1000
_START_FIELD = 19  # of /proc/PID/stat, counted from the state


class EarlierPids:
    """The pids of earlier processes that the outside shows.

    Attributes:
        torn: numbers in the outside that are not pids but parts of pids.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate, self._reused, self._shown = gate, frozenset[int](), False
        self.torn: frozenset[int] = frozenset()

    def know(self, torn: frozenset[int], reused: frozenset[int]) -> None:
        """Set the pids that the next run meets.

        From the first `reused` pid on, the made-up program's files in ``/proc`` can be read.
        """
        # Half of such a pid must seem to run as well, whatever its digits are.
        self.torn, self._reused = torn, reused | torn if reused else reused
        if reused and not self._shown:
            self._shown = True
            for module in (builtins, io):
                patching.replace(module, "open", self._opening)

    @property
    def reused(self) -> frozenset[int]:
        """The pids, and parts of pids, that another program has by now; none where the harness itself asks."""
        return self._reused if self._reused and self._gate.active else frozenset()

    def path_instead(self, path: Any) -> str | None:
        """Return the path to look at instead of one that ``/proc`` has of such a program; None for any other path."""
        if isinstance(path, int) or not self.reused:
            return None
        text = os.fsdecode(path)
        match = OF_PROCESS.match(text)
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
            with self._gate.untraced():
                with original(instead, "rb") as real:
                    text = _told(instead.rpartition("/")[2], real.read(), pid)
                kept = os.memfd_create("proc")
                os.write(kept, text)
                os.lseek(kept, 0, os.SEEK_SET)
                return original(kept, mode, *args, **kwargs)

        return opened


def _told(what: str, text: bytes, pid: int) -> bytes:
    """Return the content of a file that ``/proc`` has of this process, changed into that of the made-up program."""
    if what in ("comm", "cmdline"):
        return _ARGUMENTS if what == "cmdline" else _NAME + b"\n"
    text = re.sub(rb"(?<!\d)%d(?!\d)" % os.getpid(), b"%d" % pid, text)
    if what == "status":
        return re.sub(rb"(?m)^Name:.*$", b"Name:\t" + _NAME, text)
    if what == "stat":
        fields = text.rpartition(b")")[2].split()
        # The process that had the pid before started earlier: so an agent can tell the two apart.
        fields[_START_FIELD] = b"%d" % (int(fields[_START_FIELD]) + _LATER_TICKS)
        return b"%d (%b) %b\n" % (pid, _NAME, b" ".join(fields))
    return text
