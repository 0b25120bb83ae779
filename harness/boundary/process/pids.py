"""The rule that says which pids are alive: other processes of the machine are no part of the outside.

Alive are the process itself, its ancestors, and what the agent started, also what outlived its parent. Any other pid is
dead: one that an earlier process of the agent left in a lock, half of one that was cut by a crash, also where an
ancestor has that number. Without the rule ``12``, half of ``12345``, is alive or dead by chance.
"""

import errno
import functools
import os
import sys
from collections.abc import Callable
from typing import Any

from ...values.proc_stat import proc_stat
from ...values.rare import rare
from .. import patching
from ..gate import Gate
from .another_program import OF_PROCESS, EarlierPids

_real_getpid, _real_getppid = os.getpid, os.getppid
_OPENING = ("open", "os.listdir", "os.scandir")
_NO_SUCH_PROCESS, _NO_SUCH_FILE = errno.ESRCH, errno.ENOENT


def originals() -> list[object]:
    """Return the functions that agents may have imported by name."""
    names = ("kill", "pidfd_open", "stat", "lstat", "access", "listdir")
    return [getattr(os, name) for name in names if hasattr(os, name)]


def install(gate: Gate) -> EarlierPids:
    """Answer for pids by the rule. For a child process: there is no way back. To be installed before the wrappers that
    note reads.

    Returns what is to be told of earlier processes, before each run.
    """
    earlier = EarlierPids(gate)
    if not sys.platform.startswith("linux"):
        return earlier

    def is_dead(pid: object) -> bool:
        if not gate.active or not isinstance(pid, int) or pid < 1 or pid in earlier.reused:
            return False
        with gate.untraced():
            # Half of a pid can be an ancestor's number by chance.
            return not _is_ours(pid, ancestors=pid not in earlier.torn)

    def named(path: Any) -> bool:
        """Return whether a path below /proc belongs to a process that counts as dead."""
        if isinstance(path, int) or not gate.active:
            return False
        match = OF_PROCESS.match(os.fsdecode(path))
        return match is not None and is_dead(int(match[1]))

    for name in ("kill", "pidfd_open"):
        patching.replace(os, name, functools.partial(_signalling, earlier, is_dead))
    for name in ("stat", "lstat", "access"):
        patching.replace(os, name, functools.partial(_looking, earlier, named))
    patching.replace(os, "listdir", functools.partial(_listing, earlier, is_dead))

    def opening(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _OPENING and isinstance(arguments[0], (str, bytes)) and named(arguments[0]):
            raise FileNotFoundError(_NO_SUCH_FILE, os.strerror(_NO_SUCH_FILE), arguments[0])

    # Files are opened under many names; the audit event comes for each of them.
    sys.addaudithook(opening)
    return earlier


def _is_ours(pid: int, *, ancestors: bool) -> bool:
    """Return whether a pid is this process's, that of a process that the agent started or, if asked, an ancestor's.

    What the agent started is below this process, or below its parent, which takes over orphans.
    """
    own, parent = _real_getpid(), _real_getppid()
    if pid == own:
        return True
    ancestor = parent
    while ancestor > 0:
        if ancestor == pid:
            return ancestors
        ancestor = _parent_of(ancestor)
    above = pid
    while (above := _parent_of(above)) > 0:
        if above in (own, parent):
            return True
    return False


def _parent_of(pid: int) -> int:
    """Return the pid of a process's parent, 0 where there is none."""
    try:
        return proc_stat(str(pid)).parent
    except OSError:
        return 0


def _signalling(
    earlier: EarlierPids, is_dead: Callable[[object], bool], original: Callable[..., Any]
) -> Callable[..., Any]:
    @functools.wraps(original)
    def signalling(pid: Any, *args: Any, **kwargs: Any) -> Any:
        reused = pid in earlier.reused
        if reused and original.__name__ == "kill":
            rare("a signal to a pid that is used again reaches nobody")
            return None  # it reaches nobody: the other program is made up
        if reused or is_dead(pid):
            rare("a signal to a process that is dead by rule is refused")
            raise ProcessLookupError(_NO_SUCH_PROCESS, os.strerror(_NO_SUCH_PROCESS))
        return original(pid, *args, **kwargs)

    return signalling


def _looking(earlier: EarlierPids, named: Callable[[Any], bool], original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def looking(path: Any, *args: Any, **kwargs: Any) -> Any:
        if (instead := earlier.path_instead(path)) is not None:
            return original(instead, *args, **kwargs)
        if named(path):
            if original.__name__ == "access":
                return False
            raise FileNotFoundError(_NO_SUCH_FILE, os.strerror(_NO_SUCH_FILE), path)
        return original(path, *args, **kwargs)

    return looking


def _listing(
    earlier: EarlierPids, is_dead: Callable[[object], bool], original: Callable[..., Any]
) -> Callable[..., Any]:
    @functools.wraps(original)
    def listing(path: Any = ".") -> Any:
        found = original(path)
        if isinstance(path, (str, bytes)) and os.fsdecode(path).rstrip("/") == "/proc":
            others = map(str, earlier.reused)
            found += [other if isinstance(path, str) else os.fsencode(other) for other in others]
            return [name for name in found if not (os.fsdecode(name).isdecimal() and is_dead(int(name)))]
        return found

    return listing
