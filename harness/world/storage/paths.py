"""Look at one path as it lies on disk, by the open folder that it is in: no link leads elsewhere."""

import os
import time

from ...values.errors import ChaosError
from .contents import is_fixed
from .folders import change_mode
from .sqlite_rows import SUFFIXES

RACY_NS = 20_000_000
"""Kernel timestamps move in steps of up to 10 ms: a younger file may change again without a new one."""
KERNEL_CLOCK: int = getattr(time, "CLOCK_REALTIME_COARSE", 5 if os.uname().sysname == "Linux" else time.CLOCK_REALTIME)
"""The clock that stamps files; no library that mocks the time replaces it."""
_sleep = time.sleep
_NOT_OURS = ("security.selinux", "security.ima", "security.evm")  # the system's own, which it gives anew


def of_age(name: str, folder: int, status: os.stat_result) -> tuple[os.stat_result, int]:
    """Wait until a change of the file would show in its time: to read a large one again takes longer."""
    for _ in range(50):
        now_ns = time.clock_gettime_ns(KERNEL_CLOCK)
        if not 0 <= now_ns - status.st_ctime_ns <= RACY_NS:
            break
        _sleep(0.002)
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return status, now_ns


def status_of(name: str, folder: int) -> os.stat_result | None:
    """Return the status of what lies at a name, None where nothing does."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


def opened(name: str, parent: int, path: str, forced: bool) -> int:
    """Open a folder to list it; with `forced` also one that the agent closed."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=parent)
    except OSError as error:
        if not forced:
            raise unreadable(path, error) from error
        change_mode(name, 0o700, parent)
        return os.open(name, flags, dir_fd=parent)


def once_more(
    error: OSError, item: "os.DirEntry[str]", path: str, own_name: str, parent: int | None
) -> os.stat_result | None:
    """Look at an item of the folder at `path` that could not be looked at; returns None where it is gone by now.

    The folder is opened up where `parent` says what it is in, under `own_name`. Raises ChaosError ``unreadable``
    otherwise.
    """
    if isinstance(error, FileNotFoundError):
        return None
    if parent is None:
        raise unreadable(f"{path}/{item.name}", error) from error
    change_mode(own_name, 0o700, parent)
    return item.stat(follow_symlinks=False)


def is_shared_memory(name: str, folder: int) -> bool:
    """Return whether ``…-shm`` belongs to a database: SQLite rebuilds it, and a stale one would mislead it."""
    base = name[: -len("-shm")]
    return base.endswith(SUFFIXES) or any(status_of(each, folder) is not None for each in (base, base + "-wal"))


def is_fixed_folder(name: str, folder: int) -> bool:
    """Return whether nothing in a folder can be removed, nor anything new be made in it."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return False  # it will be told as unreadable
    try:
        return is_fixed(descriptor)
    finally:
        os.close(descriptor)


def attributes_of(path: str | int) -> tuple[tuple[str, bytes], ...]:
    """Return the extended attributes of an open file, or of what lies at a path."""
    follow = isinstance(path, int)
    try:
        names = os.listxattr(path, follow_symlinks=follow)
    except (OSError, AttributeError):
        return ()  # a file system, or a system, that has none
    ours = [name for name in sorted(names) if name not in _NOT_OURS]
    return tuple((name, os.getxattr(path, name, follow_symlinks=follow)) for name in ours)


def unreadable(path: str, error: OSError) -> ChaosError:
    """Return the error for a path that cannot be read."""
    return ChaosError(
        "unreadable",
        f"{path} is watched or private and cannot be read: {error.strerror}",
        "let the agent keep its files readable for its own user, or watch a folder without this path",
    )


def mounted(path: str) -> ChaosError:
    """Return the error for a folder that is another file system."""
    return ChaosError(
        "mounted",
        f"{path} is another file system, mounted within what is watched or private: it was not read or put back",
        "watch the mounted folder itself, or one without it",
    )
