"""What a file system does to those who write, and to those who read again what they wrote."""

import errno
import os
from collections.abc import Iterator

from rollproof.values.actions import Action, Damage, Fail
from rollproof.values.faults import fault
from rollproof.values.points import Effect


def _os_error(number: int) -> Fail:
    return Fail(OSError(number, os.strerror(number)))


_GROWING = ("file.open", "file.write", "file.mkdir", "file.symlink", "file.link", "file.rename", "file.replace")


@fault(
    "storage.full",
    at=_GROWING,
    when=("before", "middle"),
    lasting=True,
    told={"before": "{doing} failed: the disk was full", "middle": "the disk was full in the middle of {doing}"},
)
def full(effect: Effect) -> Iterator[Action]:
    """The disk is full (ENOSPC), before an effect or after the first part of a write."""
    yield _os_error(errno.ENOSPC)


@fault("storage.io_error", at="file", lasting=True, told="{doing} failed: the device had an error")
def io_error(effect: Effect) -> Iterator[Action]:
    """The device fails (EIO) before anything is done."""
    yield _os_error(errno.EIO)


@fault(
    "storage.denied",
    at=("file.open", "file.mkdir", "file.replace", "file.rename", "file.remove"),
    lasting=True,
    told="{doing} failed: permission was denied",
)
def denied(effect: Effect) -> Iterator[Action]:
    """The file system refuses: EACCES, somebody changed the permissions."""
    yield Fail(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


@fault(
    "storage.bit_flip",
    at=("file.read", "sqlite.read"),
    by_default=False,
    told="{doing} again found one bit changed",
)
def bit_flip(effect: Effect) -> Iterator[Action]:
    """One bit of what the agent wrote has changed when it reads it again; the next process finds it put right.

    Of a query it is one of the longest text or blob of the first row. Not tried unless selected: who keeps no hash
    cannot notice, and most agents trust their disk.
    """
    for share in (0.25, 0.75):
        yield Damage("flipped", share)


@fault("storage.truncated_file", at="file.read", by_default=False, told="{doing} again found less than was written")
def truncated_file(effect: Effect) -> Iterator[Action]:
    """A file that the agent wrote is empty, or ends early, when it reads it again; the next process finds it put right.

    Not tried unless selected, as `storage.bit_flip`.
    """
    for share in (0.0, 0.5):
        yield Damage("cut", share)
