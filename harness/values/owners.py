"""The identity of a process beyond its pid, which is given again; and temporary folders that say whose they are."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .proc_stat import proc_stat

_MEMORY = "/dev/shm"
_ON_DISK = "/var/tmp", "/tmp"


@dataclass(frozen=True, slots=True)
class Owner:
    """One process.

    Attributes:
        start: when it started, in the kernel's ticks since boot; 0 where the system does not say.
        place: the boot and the namespace in which `pid` means it; "" where the system does not say.
    """

    pid: int
    start: int
    place: str

    @classmethod
    def of(cls, pid: int) -> "Owner":
        """Return the process that has this pid now."""
        return cls(pid, _status(pid)[1], _place())

    @property
    def is_of_this_place(self) -> bool:
        """Return whether its pid means the same process here."""
        return self.place == _place()

    @property
    def is_alive(self) -> bool:
        """Return whether it has not ended; one that nobody has reaped has."""
        state, start = _status(self.pid)
        return start == self.start and state not in "ZX"

    @property
    def prefix(self) -> str:
        """The beginning of the names of its temporary folders."""
        return f"rollproof-{self.pid}-{self.start}-"


def temporary_folder(what: str, where: str | None = None) -> str:
    """Make a folder for this process alone, in memory where there is a disk in memory; its name says which process owns
    it.

    `where` says where else; it is one of the `temporary_places`, or below another such folder.
    """
    if where is None and os.access(_MEMORY, os.W_OK | os.X_OK):
        where = _MEMORY
    return tempfile.mkdtemp(prefix=f"{Owner.of(os.getpid()).prefix}{what}-", dir=where)


def temporary_places() -> tuple[str, ...]:
    """Return the folders in which `temporary_folder` makes its own."""
    return _MEMORY, tempfile.gettempdir(), *_ON_DISK


def remove_temporary_folders(owner: Owner, places: Iterable[str]) -> None:
    """Remove the temporary folders that a process which has ended left in these places."""
    for place in {*places, _MEMORY}:
        for folder in Path(place).glob(f"{owner.prefix}*"):
            shutil.rmtree(folder, ignore_errors=True)


def _status(pid: int) -> tuple[str, int]:
    """Return the state and the start of a process, "X" where it is gone."""
    try:
        stat = proc_stat(str(pid))
        return stat.state, stat.start
    except (FileNotFoundError, ProcessLookupError):
        return ("X", -1) if os.path.exists("/proc/self") else _signalled(pid)


def _signalled(pid: int) -> tuple[str, int]:
    """Return the state and the start of a process where there is no /proc, by a signal that does nothing."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "X", -1
    except PermissionError:
        pass
    return "?", 0


def _place() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""
