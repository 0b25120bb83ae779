"""Marks of rare paths, so that our own suite can prove that each was taken.

A path that no test takes is found broken by a user. A mark costs one call there, and does nothing for users: it tells
something only where ``ROLLPROOF_RARE`` names a file to append to, as `make test` does; `tests/rare.py` then names the
marks that were never reached. Kin: FoundationDB's CODE_PROBE.
"""

import fcntl
import os
from contextlib import suppress

_VARIABLE = "ROLLPROOF_RARE"
_ABOVE = 700  # far from the numbers that an agent, or a test of descriptors, has or closes
_write, _fstat = os.write, os.fstat  # not those that an agent's process sees
_told: set[str] = set()


def rare(name: str) -> None:
    """Record that a rare path was taken; `name` is a text that stands at no other place."""
    if _file and name not in _told:
        _told.add(name)
        _tell(name)


def _tell(name: str) -> None:
    """Write the name at once: the process may be killed next, and nothing may be opened in one of an agent's."""
    with suppress(OSError):
        if _identity(_file) == _opened:
            _write(_file, f"{name}\n".encode())


def _identity(descriptor: int) -> tuple[int, int]:
    """Return device and inode of a descriptor's file: an agent may have closed ours, and have another one there."""
    status = _fstat(descriptor)
    return status.st_dev, status.st_ino


def _open() -> int:
    """Return a descriptor of the file that the environment names; 0 where it names none, or one that cannot be had."""
    path = os.environ.get(_VARIABLE)
    with suppress(OSError):
        if path:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
            finally:
                os.close(descriptor)
    return 0


_file = _open()
_opened = _identity(_file) if _file else (0, 0)
