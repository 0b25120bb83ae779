"""Change a tree of files into another one: remove first, then write, then set modes and times."""

import os
from typing import Protocol


class Goal(Protocol):
    """What a path is to become."""

    @property
    def kind(self) -> str:
        """``file``, ``dir`` or ``link``."""
        ...

    @property
    def mode(self) -> int:
        """Permission bits."""
        ...

    @property
    def content(self) -> bytes:
        """Bytes of a file, target of a link."""
        ...

    @property
    def mtime_ns(self) -> int:
        """Time of last change."""
        ...


class Replacing:
    """A plan of changes on absolute paths; nothing happens before `run`.

    Files are removed and written anew instead of in place: a hard link or an open descriptor elsewhere keeps its own.
    """

    def __init__(self, drops: list[str]) -> None:
        self.drops = drops
        self._folders: dict[str, Goal] = {}
        self._writes: list[tuple[str, Goal]] = []
        self._stamps: dict[str, Goal] = {}
        self._opened: set[str] = set()

    def plan(self, path: str, found: Goal | None, goal: Goal) -> None:
        """Have `goal` at `path`, where `found` is now."""
        if goal.kind == "dir":
            self._folders[path] = goal
        if found is None or found.kind != goal.kind or (goal.kind != "dir" and found.content != goal.content):
            self._writes.append((path, goal))
            if found is not None:
                self.drops.append(path)
        elif found.mode != goal.mode or found.mtime_ns != goal.mtime_ns:
            self._stamps[path] = goal

    def run(self) -> None:
        """Do all of it: the deepest removals first, then folders before what is in them, then modes and times."""
        for path in sorted(self.drops, key=len, reverse=True):
            self._open_folder_of(path)
            _remove(path)
        for path, goal in sorted(self._writes, key=lambda write: len(write[0])):
            self._write(path, goal)
        self._stamps.update((path, self._folders[path]) for path in self._opened & self._folders.keys())
        for path in sorted(self._stamps, key=len, reverse=True):
            _stamp(path, self._stamps[path])

    def _write(self, path: str, goal: Goal) -> None:
        self._open_folder_of(path)
        if goal.kind == "dir":
            os.mkdir(path, 0o700)
            self._opened.add(path)
        elif goal.kind == "link":
            os.symlink(os.fsdecode(goal.content), path)
            _stamp(path, goal)
        else:
            _write_file(path, goal)

    def _open_folder_of(self, path: str) -> None:
        """Make sure that the folder is there and can be changed; its mode and time are set at the end."""
        folder = os.path.dirname(path)
        if folder in self._opened:
            return
        self._opened.add(folder)
        os.makedirs(folder, exist_ok=True)
        mode = os.stat(folder).st_mode
        if mode & 0o700 != 0o700:
            os.chmod(folder, (mode & 0o7777) | 0o700)


def _write_file(path: str, goal: Goal) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(goal.content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fchmod(descriptor, goal.mode)
        os.utime(descriptor, ns=(goal.mtime_ns, goal.mtime_ns))
    finally:
        os.close(descriptor)


def _stamp(path: str, goal: Goal) -> None:
    if goal.kind != "link":
        os.chmod(path, goal.mode)
    os.utime(path, ns=(goal.mtime_ns, goal.mtime_ns), follow_symlinks=False)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except (IsADirectoryError, PermissionError):
        _remove_folder(path)


def _remove_folder(path: str) -> None:
    os.chmod(path, 0o700)
    with os.scandir(path) as items:
        for item in items:
            _remove(item.path)
    os.rmdir(path)
