"""Proof that a process lives: a lock of the system's, which ends with it however it ends.

Any process that opens the database can ask at once who is dead, whatever killed the holder (SIGKILL, too), and no clock
and no process id is believed; a lease alone says only how long to wait. A paused process lives: for it there is the end
of its lease.

    from pathlib import Path
    from rollproof.runtime import Alive

    elsewhere = Alive(Path("agent.db"))         # in another process: True, False, or None where nobody can know
    with Alive(Path("agent.db")) as alive:      # until the block is left, or the process dies
        alive.hold(7)                           # this process works under the token 7
        assert elsewhere.is_held(7)
    assert elsewhere.is_held(7) is False

The locks are open file description locks (Linux 3.15) on single bytes of one empty file beside the database: the byte
whose number is the token, or that the hash of a text stands for. A child that was forked meanwhile holds them, too.
Where system or file system has none nothing is proved, and the lease alone decides. The file stays, as a database's log
does: who deletes it while an agent runs takes its proof of life away.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from .canonical import sha256

_LINUX = sys.platform == "linux"  # whose layout `_FLOCK` is
_SET = getattr(fcntl, "F_OFD_SETLK", None) if _LINUX else None
_GET = getattr(fcntl, "F_OFD_GETLK", None) if _LINUX else None
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""The errors of a system or file system without such locks."""
_FLOCK = "hhqqi0q"
"""The layout of `struct flock`: type, whence, start, length, process."""


class Alive(AbstractContextManager["Alive"]):
    """The tokens that this process holds for one database, and those of others; each object is a holder of its own."""

    def __init__(self, database: Path) -> None:
        """Name the database; the file beside it is made when a token is first held."""
        place = Path(os.path.realpath(database))  # one file for all the names of a database
        self._path = place.with_name(f"{place.name}.alive")
        self._handle: int | None = None
        self._held: set[int | str] = set()

    def __exit__(self, *error: object) -> None:
        """Release all tokens: another process then finds that nobody works under them."""
        self.close()

    def close(self) -> None:
        """Release all tokens."""
        handle, self._handle = self._handle, None
        self._held.clear()
        if handle is not None:
            os.close(handle)

    def hold(self, token: int | str) -> None:
        """Show that this process works under a token; call it before anybody can learn of the token.

        Raises:
            OSError: The file cannot be made, or another process holds the token.
        """
        if _SET is None:
            return
        try:
            fcntl.fcntl(self._opened(), _SET, _region(fcntl.F_WRLCK, token))
            self._held.add(token)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise

    def is_held(self, token: int | str) -> bool | None:
        """Return whether a living process holds a token; None where the system cannot tell."""
        if _GET is None:
            return None
        if token in self._held:
            return True
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            found = fcntl.fcntl(handle, _GET, _region(fcntl.F_WRLCK, token))
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            return None
        finally:
            os.close(handle)
        return bool(struct.unpack(_FLOCK, found)[0] != fcntl.F_UNLCK)

    def _opened(self) -> int:
        if self._handle is None:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        return self._handle


def _region(kind: int, token: int | str) -> bytes:
    byte = token if isinstance(token, int) else int(sha256(token)[:15], 16)
    return struct.pack(_FLOCK, kind, os.SEEK_SET, byte, 1, 0)
