"""What a file system does to those who write."""

import errno
import os
from collections.abc import Iterator

from rollproof.values.faults import fault
from rollproof.values.points import Effect
from rollproof.values.strikes import Fail, Strike


def _os_error(number: int) -> Fail:
    return Fail(OSError(number, os.strerror(number)))


_GROWING = ("file.open", "file.write", "file.mkdir", "file.symlink", "file.link", "file.rename", "file.replace")


@fault("storage.full", at=_GROWING, when=("before", "middle"), lasting=True)
def full(effect: Effect) -> Iterator[Strike]:
    """The disk is full (ENOSPC), before an effect or after the first part of a write."""
    yield _os_error(errno.ENOSPC)


@fault("storage.io_error", at="file", lasting=True)
def io_error(effect: Effect) -> Iterator[Strike]:
    """The device fails (EIO) before anything is done."""
    yield _os_error(errno.EIO)


@fault("storage.denied", at=("file.open", "file.mkdir", "file.replace", "file.rename", "file.remove"), lasting=True)
def denied(effect: Effect) -> Iterator[Strike]:
    """The file system refuses: EACCES, somebody changed the permissions."""
    yield Fail(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
