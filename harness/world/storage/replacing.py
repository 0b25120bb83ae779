"""Change a tree of files into another one: remove first, then write, then set owners, modes, attributes and times."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from .contents import fill, write
from .folders import Folders, change_mode
from .raw import RawEntry
from .scanning import attributes_of

_T = TypeVar("_T")
_NEW = ".rollproof-new"
"""A file is written under this name and then takes the place of the old one: it is never missing."""


class Replacing:
    """A plan of changes to absolute paths; `run` carries them out.

    Files are written anew instead of in place: a hard link or an open descriptor elsewhere keeps its own. Only one that
    had a name outside before, and still has, is written in place: what is outside is put back with it.

    Attributes:
        failed: what could not be done, by path; the rest is done all the same.
        stamped: paths that are not what they were.
    """

    def __init__(self, folders: Folders) -> None:
        self.failed: dict[str, str] = {}
        self.stamped: set[str] = set()
        self._folders = folders
        self._drops: dict[str, bool] = {}
        self._wanted: dict[str, RawEntry] = {}
        self._writes: list[tuple[str, RawEntry]] = []
        self._overwrites: list[tuple[str, RawEntry]] = []
        self._twins: list[tuple[str, str]] = []
        self._stamps: dict[str, RawEntry] = {}
        self._opened: set[str] = set()

    def drop(self, path: str, *, folder: bool = False) -> None:
        """Plan that there is nothing at `path`; of a folder, all that is in it is dropped too."""
        self._drops[path] = folder

    def plan(self, path: str, found: RawEntry | None, goal: RawEntry, *, in_place: bool = False) -> None:
        """Plan that `goal` is at `path`, where `found` is now."""
        if goal.kind == "dir":
            self._wanted[path] = goal
        if found is None or found.kind != goal.kind:
            if found is not None:
                self.drop(path, folder=found.kind == "dir")
            self._writes.append((path, goal))
        elif goal.kind != "dir" and found.held != goal.held:
            if goal.kind == "link":
                self.drop(path)
            (self._overwrites if in_place else self._writes).append((path, goal))
        elif found.stamp() != goal.stamp():
            self._stamps[path] = goal

    def opens(self, path: str, goal: RawEntry) -> None:
        """Keep the entry that a folder is to have in the end, if something in it may be changed."""
        self._wanted[path] = goal

    def rewrite(self, path: str, goal: RawEntry, found: RawEntry | None, twin: str | None) -> None:
        """Plan that there is a new file at `path`, whatever is there, or another name of the file `twin`."""
        if found is not None and (twin or found.kind != "file"):
            self.drop(path, folder=found.kind == "dir")
        if twin:
            self._twins.append((path, twin))
        else:
            self._writes.append((path, goal))

    def run(self) -> None:
        """Carry out all steps: removals from the deepest up, then folders from the top down, then the rest."""
        for path in sorted(self._drops, key=len, reverse=True):
            self._try(self._remove, path, self._drops[path])
        for path, goal in sorted(self._writes, key=lambda write: len(write[0])):
            self._try(self._write, path, goal)
        for path, goal in self._overwrites:
            self._try(self._overwrite, path, goal)
        for path, twin in self._twins:
            self._try(self._link, path, twin)
        self._stamps.update((path, self._wanted[path]) for path in self._opened & self._wanted.keys())
        for path in sorted(self._stamps, key=len, reverse=True):
            self._try(self._stamp, path, self._stamps[path])

    def _try(self, step: Callable[[str, _T], None], path: str, what: _T) -> None:
        """Carry out a step on a path; a failure is noted."""
        try:
            step(path, what)
        except OSError as error:
            self.failed.setdefault(path, error.strerror or str(error))

    def _in(self, path: str) -> tuple[int, str]:
        """Return the open folder of a path, made writable for now, and the name in it."""
        above, _, name = path.rpartition(os.sep)
        folder = self._folders.at(above)
        if above not in self._opened and not self._folders.is_above(above):
            self._opened.add(above)
            mode = os.fstat(folder).st_mode
            if mode & 0o700 != 0o700:
                over, _, own = above.rpartition(os.sep)
                change_mode(own, (mode & 0o7777) | 0o700, self._folders.at(over))
        return folder, name

    def _remove(self, path: str, is_folder: bool) -> None:
        folder, name = self._in(path)
        self._folders.forget(path)
        try:
            if is_folder:
                os.rmdir(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            pass

    def _write(self, path: str, goal: RawEntry) -> None:
        folder, name = self._in(path)
        if goal.kind == "dir":
            os.mkdir(name, 0o700, dir_fd=folder)
            self._opened.add(path)
        elif goal.kind == "link":
            os.symlink(os.fsdecode(goal.content), name, dir_fd=folder)
            self._stamp(path, goal)
        elif goal.kind == "other":
            os.mkfifo(name, goal.mode, dir_fd=folder)
            self._stamp(path, goal)
        else:
            self._write_file(path, folder, name, goal)

    def _write_file(self, path: str, folder: int, name: str, goal: RawEntry) -> None:
        try:
            write(_NEW, goal.held, folder)
            self._stamp(path, goal, name=_NEW)
            os.rename(_NEW, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as error:
            if error.errno != errno.EEXIST:
                with suppress(OSError):
                    os.unlink(_NEW, dir_fd=folder)
            raise

    def _overwrite(self, path: str, goal: RawEntry) -> None:
        folder, name = self._in(path)
        change_mode(name, goal.mode | 0o600, folder)
        target = os.open(name, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            fill(target, goal.held)
        finally:
            os.close(target)
        self._stamp(path, goal)

    def _link(self, path: str, twin: str) -> None:
        folder, name = self._in(path)
        of, other = self._in(twin)
        os.link(other, name, src_dir_fd=of, dst_dir_fd=folder, follow_symlinks=False)

    def _stamp(self, path: str, goal: RawEntry, name: str = "") -> None:
        """Set all but the content; a new owner takes rights away, so modes come after it, and the time comes last."""
        self.stamped.add(path)
        above, _, own = path.rpartition(os.sep)
        folder, name = self._folders.at(above), name or own
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if goal.owner != (-1, -1) and (status.st_uid, status.st_gid) != goal.owner:
            try:
                os.chown(name, *goal.owner, dir_fd=folder, follow_symlinks=False)
            except OSError as error:
                self.failed[path] = f"its owner {goal.owner[0]}:{goal.owner[1]}: {error.strerror}"
        if goal.kind in ("file", "dir"):
            _set_attributes(name, folder, goal)
        if goal.kind != "link":
            change_mode(name, goal.mode, folder)
        os.utime(name, ns=(goal.mtime_ns, goal.mtime_ns), dir_fd=folder, follow_symlinks=False)


def _set_attributes(name: str, folder: int, goal: RawEntry) -> None:
    """Set the extended attributes to the wanted ones; only a process that may write to a file may do that."""
    path = f"/proc/self/fd/{folder}/{name}"
    wanted, found = dict(goal.attributes), dict(attributes_of(path))
    if wanted == found:
        return
    change_mode(name, goal.mode | 0o700, folder)
    for name in found.keys() - wanted.keys():
        os.removexattr(path, name, follow_symlinks=False)
    for name, value in wanted.items():
        if found.get(name) != value:
            os.setxattr(path, name, value, follow_symlinks=False)
