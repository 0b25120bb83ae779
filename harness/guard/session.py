"""The folder of one process that explores: its owner, its records, and its heartbeat.

<place>/<pid>-<start>-<random>/
    owner.json     the process, and where it makes temporary folders heartbeat      touched each second by its guardian
    lock           held by whoever may put its records back: its guardian, or a later session processes/     what its
    guardian lets end before it puts anything back records/       see `record`
"""

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..values.owners import Owner, remove_temporary_folders, temporary_places

BEAT_S = 1.0
CLEARLY_LATER_NS = 2_000_000_000
_SILENT_S = 10.0
"""An owner whose pid means nothing here has ended when its guardian has been silent for so long."""


class Session:
    """A folder as above; `make` one, or take one that is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heartbeat, self.processes, self.records = (folder / n for n in ("heartbeat", "processes", "records"))

    @classmethod
    def make(cls, place: Path) -> "Session":
        """Make the folder of this process below `place`; nobody finds it before it is whole."""
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = Owner.of(os.getpid())
        name = f"{owner.pid}-{owner.start}-{secrets.token_hex(4)}"
        session = cls(place / f".{name}")
        for folder in (session.folder, session.processes, session.records):
            folder.mkdir(mode=0o700)
        for file in ("heartbeat", "lock"):
            (session.folder / file).touch(mode=0o600)
        described = {"owner": asdict(owner), "places": temporary_places()}
        (session.folder / "owner.json").write_text(json.dumps(described), encoding="utf-8")
        session.folder.rename(place / name)
        return cls(place / name)

    @property
    def owner(self) -> Owner:
        """The process that explores."""
        pid, start, place = (self._described()["owner"][name] for name in ("pid", "start", "place"))
        return Owner(int(pid), int(start), str(place))

    @property
    def is_abandoned(self) -> bool:
        """Return whether its owner has ended."""
        owner = self.owner
        if owner.is_of_this_place:
            return not owner.is_alive
        return time.time() - self.heartbeat.stat().st_mtime > _SILENT_S

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Hold the lock, so that nobody else puts the records back; provides whether the folder is still there."""
        try:
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            yield False
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield (self.folder / "lock").exists()
        finally:
            os.close(descriptor)

    def note(self, pid: int) -> None:
        """Note a process that must have ended before anything is put back."""
        (self.processes / str(pid)).write_text(str(Owner.of(pid).start), encoding="ascii")

    def forget(self, pid: int) -> None:
        """Forget a process that was noted."""
        (self.processes / str(pid)).unlink(missing_ok=True)

    def noted(self) -> list[Owner]:
        """Return the processes that were noted."""
        place = self.owner.place
        found = [(path.name, path.read_text(encoding="ascii")) for path in self.processes.iterdir()]
        return [Owner(int(pid), int(start), place) for pid, start in found if start]

    def kept(self) -> list[Path]:
        """Return its records, the newest first."""
        names = [path for path in self.records.iterdir() if not path.name.startswith(".")]
        return sorted(names, key=lambda path: int(path.name), reverse=True)

    def beat(self) -> None:
        """Touch the heartbeat: the owner is alive."""
        os.utime(self.heartbeat)

    def remove(self) -> None:
        """Remove the folder, and the temporary ones of its owner, which has ended."""
        remove_temporary_folders(self.owner, self._described()["places"])
        self.discard()

    def discard(self) -> None:
        """Remove the folder alone."""
        gone = self.folder.with_name(f".{self.folder.name}.gone")
        self.folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _described(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "owner.json").read_text(encoding="utf-8"))
        return found


def sessions_in(place: Path) -> list[Session]:
    """Return the sessions below a place that are this user's."""
    try:
        names = sorted(path for path in place.iterdir() if (path / "owner.json").exists())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    return [Session(path) for path in names if path.name[0] != "." and path.stat().st_uid == os.geteuid()]
