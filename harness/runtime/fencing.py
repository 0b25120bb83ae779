"""Files that refuse a late writer: each write shows the token of its lease, and an older one than the last is refused.

Any number of processes may write to one folder with the same staging folder. A lease alone does not stop one that was
paused in the middle of its work and wakes up when another has taken over (Kleppmann, 2016). What it writes to must look
at the token; a folder cannot, so this does it for the folder.

    from pathlib import Path
    from rollproof.runtime import Fence, Fenced

    for name in ("shared", "staging"):
        Path(name).mkdir()
    fence = Fence("shared", "staging")
    fence.write(1, "report.md", b"first")       # in a step: run.token
    fence.write(2, "report.md", b"second")      # of the process that took the run up
    try:
        fence.write(1, "report.md", b"late")
    except Fenced:
        assert Path("shared/report.md").read_bytes() == b"second"

A small file holds the highest token that was seen, and each write compares and replaces under the kernel's own lock on
it, which ends with the process that holds it. A process that is paused in the middle of a write holds that lock and
keeps the others waiting: safe, if not fast.

States of a fence: no file (any token may begin) → the highest token, in digits. The file stays; it is no leftover, it
is what keeps the next zombie out.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .files import AnyPath, inside, refuse_no_bytes, refuse_two_file_systems, replace_durably, write_durably

FENCE = ".fence"


class Fenced(Exception):
    """A newer owner has written; this process lost the lease and must touch nothing any more."""


class Fence:
    """A folder that takes files only under the newest token of a lease."""

    def __init__(self, folder: AnyPath, staging: AnyPath) -> None:
        """Name a folder, and one beside it for unfinished files and the fence itself, the same for all its writers."""
        self._folder, self._staging = Path(folder), Path(staging)

    def write(self, token: int, name: str, content: bytes) -> None:
        """Put a file in its place, atomically, if no newer token was seen.

        Raises:
            Fenced: A newer token was seen; nothing is changed.
        """
        refuse_no_bytes(name, content)
        refuse_two_file_systems(self._staging, self._folder)
        place = inside(self._folder, name)
        staged = self._staging / f"{token}.staged"
        write_durably(staged, content)
        try:
            with self._passed(token):
                replace_durably(staged, place)
        finally:
            staged.unlink(missing_ok=True)

    def remove(self, token: int, name: str) -> None:
        """Take a file away, if no newer token was seen; gone is fine.

        Raises:
            Fenced: A newer token was seen; nothing is changed.
        """
        with self._passed(token):
            inside(self._folder, name).unlink(missing_ok=True)

    def clean(self, token: int) -> None:
        """Delete unfinished files of writers with this or an older token."""
        for path in sorted(self._staging.glob("*.staged")):
            if int(path.stem) <= token:
                path.unlink(missing_ok=True)

    @contextmanager
    def _passed(self, token: int) -> Iterator[None]:
        """Run the block, alone, if the token is the newest by now."""
        handle = os.open(self._staging / FENCE, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            newest = int(os.pread(handle, 32, 0).strip() or b"0")
            if token < newest:
                raise Fenced(f"{self._folder}: token {token} is late, {newest} has written")
            if token > newest:
                os.pwrite(handle, b"%032d" % token, 0)
            yield
        finally:
            os.close(handle)
