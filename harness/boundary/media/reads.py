"""Reads: what the agent asks of watched and private paths is kept; no read is a point, and none is held up.

Much of the standard library calls ``os.stat`` and uses a part of the result: ``Path.exists`` the presence alone. The
caller is known by its code object, the very one of the library.
"""

import functools
import os
import stat
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, NamedTuple

from ...values.reads import Aspect
from .. import patching
from ..adapters.python_paths import ASKERS, ON_BEHALF, WALKERS
from ..gate import Gate
from . import listing
from .scope import Scope, database_of, path_of_descriptor, real_path

_real_lstat, _real_fstat, _real_readlink = os.lstat, os.fstat, os.readlink
_UNNAMED = getattr(os, "O_TMPFILE", -1)  # a file that never has a name
_FOLDER = getattr(os, "O_DIRECTORY", 0)
_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_MANY_PATHS = 20_000

_PRESENCE: tuple[Aspect, ...] = ("presence",)
_SIZE: tuple[Aspect, ...] = ("size",)
_STATUS: tuple[Aspect, ...] = ("size", "time")
_LISTING: tuple[Aspect, ...] = ("listing",)
CONTENT: tuple[Aspect, ...] = ("content",)


class _Function(NamedTuple):
    """A function of `os` that asks about a path; `position` and `keyword` say where the path is in its arguments."""

    name: str
    aspects: tuple[Aspect, ...]
    position: int
    keyword: str
    dir_fd: str  # the keyword of its directory descriptor
    follows: bool = False  # a link at the end of the path


_ASKING = (
    _Function("access", _PRESENCE, 0, "path", "dir_fd", True),
    _Function("chdir", _PRESENCE, 0, "path", "", True),
    _Function("chmod", _PRESENCE, 0, "path", "dir_fd", True),
    _Function("chown", _PRESENCE, 0, "path", "dir_fd", True),
    _Function("lchown", _PRESENCE, 0, "path", "", False),
    _Function("utime", _PRESENCE, 0, "path", "dir_fd", True),
    _Function("mkfifo", _PRESENCE, 0, "path", "dir_fd", False),
    _Function("mknod", _PRESENCE, 0, "path", "dir_fd", False),
    _Function("readlink", CONTENT, 0, "path", "dir_fd", False),
    _Function("fstat", _STATUS, 0, "fd", "", False),
    _Function("lseek", _SIZE, 0, "fd", "", False),
    _Function("posix_fallocate", _SIZE, 0, "fd", "", False),
)
# the same for what changes which names there are; only an empty folder can be removed, or replaced
_NAMING = (
    _Function("remove", _PRESENCE, 0, "path", "dir_fd"),
    _Function("unlink", _PRESENCE, 0, "path", "dir_fd"),
    _Function("rmdir", _LISTING, 0, "path", "dir_fd"),
    _Function("mkdir", _PRESENCE, 0, "path", "dir_fd"),
    _Function("symlink", _PRESENCE, 1, "dst", "dir_fd"),
)
_MOVING = ("rename", "replace", "link")
_OTHERS = ("stat", "lstat", "open", "truncate", "ftruncate")


def originals() -> list[object]:
    """Return the functions that agents may have imported by name."""
    names = [*(function.name for function in (*_ASKING, *_NAMING)), *_MOVING, *_OTHERS]
    return [getattr(os, name) for name in names if hasattr(os, name)]


class _Place(NamedTuple):
    """The target of a path: `found`, and the links whose content led there, each as its raw and its readable name."""

    found: tuple[str, str] | None
    links: tuple[tuple[str, str], ...] = ()


_NOWHERE = _Place(None)


class Reads:
    """Resolves the paths that a process asks about, and hands questions about watched ones to the recorder.

    Where a path leads is remembered until a name changes.
    """

    def __init__(self, gate: Gate, scope: Scope) -> None:
        self._gate, self._scope = gate, scope
        self.forget()

    def forget(self) -> None:
        """Find out anew where paths lead; new dictionaries, so that a thread that is finding out spoils none."""
        self._places: dict[tuple[str, bool], _Place] = {}
        self._folders: dict[str, tuple[str, tuple[str, ...]]] = {}

    def ask(
        self, verb: str, aspects: Iterable[Aspect], path: Any, dir_fd: int | None = None, *, follow: bool = True
    ) -> None:
        """Record a question that was asked of a path or descriptor; each link on the way counts as read."""
        place = self._place(path, dir_fd, follow)
        recorder = self._gate.recorder
        for raw, readable in place.links:
            recorder.ask("read", raw, readable, CONTENT)
        if place.found is not None:
            recorder.ask(verb, *place.found, aspects)

    def opened(self, path: Any, flags: int, dir_fd: int | None = None) -> None:
        """Record the questions that opening with these flags asks; of a descriptor none: its path was opened before."""
        if flags & _UNNAMED == _UNNAMED or isinstance(path, int):
            return
        follow = not flags & os.O_NOFOLLOW
        if (flags & os.O_EXCL and flags & os.O_CREAT) or flags & _FOLDER:
            self.ask("stat", _PRESENCE, path, dir_fd, follow=follow)
        elif flags & os.O_TRUNC:
            self.ask("stat", _SIZE, path, dir_fd, follow=follow)
        elif not flags & os.O_WRONLY:
            self.ask("read", CONTENT, path, dir_fd, follow=follow)
        elif not flags & os.O_APPEND:
            self.ask("stat", _SIZE, path, dir_fd, follow=follow)
        else:
            self.ask("stat", (), path, dir_fd, follow=follow)  # the links that lead there, nothing of the file

    def listed(self, path: Any, frame: FrameType | None, *, scans: bool) -> None:
        """Record that a folder is listed.

        Entries of ``os.scandir`` also know size and time, and nothing shows whether they are asked: all count, except
        where the caller is known not to ask.
        """
        path = "." if path is None else path
        self.ask("list", _LISTING, path)
        # Our own listing stands between the caller and the audit hook.
        while frame is not None and frame.f_globals is vars(listing):
            frame = frame.f_back
        found = self._place(path, None, follow=True).found
        if scans and found is not None and (frame is None or frame.f_code not in WALKERS):
            self._gate.recorder.scan(found[0])

    def linked(self, folder: Any, link: "os.DirEntry[Any]") -> None:
        """Record the status of a listed link's target: an entry that is asked for its kind or size asks that."""
        self.ask("stat", _STATUS, link, folder if isinstance(folder, int) else None)

    def moved(self, path: Any, dir_fd: int | None = None, *, follow: bool = False) -> bool:
        """Record that a path gets another name, or one more: all of it counts as read.

        Returns whether it is a folder.
        """
        self.ask("read", CONTENT, path, dir_fd, follow=follow)
        found = self._place(path, dir_fd, follow=False).found
        full = self._scope.full_path(path, dir_fd)
        is_folder = full is not None and _is_folder(full)
        if found is not None and is_folder:
            self._gate.recorder.tree(found[0])
        return is_folder

    def _place(self, path: Any, dir_fd: int | None, follow: bool) -> _Place:
        if isinstance(path, int):
            return self._named(path_of_descriptor(path), ())
        try:
            text = os.fsdecode(path)
        except TypeError:
            return _NOWHERE
        places = self._places
        place = places.get((text, follow))  # whole paths only
        if place is None:
            # Others depend on the folder that the process is in, and are not remembered.
            is_whole = text.startswith(os.sep)
            full = os.path.normpath(text) if is_whole else self._scope.full_path(text, dir_fd)
            place = _NOWHERE if full is None or "\0" in full else self._find(full, follow)
            if is_whole:
                if len(places) > _MANY_PATHS:
                    self.forget()
                places[text, follow] = place
        return place

    def _find(self, full: str, follow: bool) -> _Place:
        folder, _, base = full.rpartition(os.sep)
        folders = self._folders
        if folder not in folders:
            way: list[str] = []
            folders[folder] = real_path(folder, way), tuple(way)
        real, links = folders[folder]
        found = f"{real}/{base}"
        if follow and _is_link(found):
            way = list(links)
            found, links = real_path(found, way), tuple(way)
        return self._named(found, links)

    def _named(self, full: str | None, links: Iterable[str]) -> _Place:
        """Return the readable name of a path; `-wal`, `-shm` and `-journal` count as their database."""
        names = self._scope.names
        database = None if full is None else database_of(full)
        read = (*links, database) if database is not None else links
        return _Place(None if full is None else names(full), tuple(found for path in read if (found := names(path))))


def _is_link(path: str) -> bool:
    try:
        _real_readlink(path)
    except OSError:
        return False
    return True


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(_real_lstat(path).st_mode)
    except OSError:
        return False


def _asked_by(frame: FrameType | None) -> tuple[Aspect, ...]:
    """Return the aspects that a caller of ``os.stat`` uses."""
    while frame is not None and frame.f_code in ON_BEHALF:
        frame = frame.f_back
    return _STATUS if frame is None else ASKERS.get(frame.f_code, _STATUS)


def install(gate: Gate, reads: Reads) -> None:
    """Look at every function that asks; after all others are installed. For a child process: there is no way back.

    What opens is also seen by the audit hook: the guard tells of it where no function here did.
    """
    patching.replace(os, "stat", functools.partial(_stat, gate, reads))
    patching.replace(os, "lstat", functools.partial(_lstat, gate, reads))
    patching.replace(os, "open", functools.partial(_open, gate, reads))
    for function in _ASKING:
        patching.replace(os, function.name, functools.partial(_asking, gate, reads, function))
    for function in _NAMING:
        patching.replace(os, function.name, functools.partial(_naming, gate, reads, function))
    for name in _MOVING:
        patching.replace(os, name, functools.partial(_moving, gate, reads, name == "link"))
    for name in ("truncate", "ftruncate"):
        patching.replace(os, name, functools.partial(_truncating, gate, reads))


def _stat(gate: Gate, reads: Reads, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def stat(path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> Any:
        if gate.active:
            reads.ask("stat", _asked_by(sys._getframe(1)), path, dir_fd, follow=follow_symlinks)
        return original(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    return stat


def _lstat(gate: Gate, reads: Reads, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def lstat(path: Any, *, dir_fd: int | None = None) -> Any:
        if gate.active:
            reads.ask("stat", _asked_by(sys._getframe(1)), path, dir_fd, follow=False)
        return original(path, dir_fd=dir_fd)

    return lstat


def _asking(gate: Gate, reads: Reads, function: _Function, original: Callable[..., Any]) -> Callable[..., Any]:
    name, aspects, position, keyword, dir_fd, follows = function
    verb = "read" if name == "readlink" else "stat"

    @functools.wraps(original)
    def asking(*args: Any, **kwargs: Any) -> Any:
        if gate.active:
            path = args[position] if len(args) > position else kwargs.get(keyword)
            told = _asked_by(sys._getframe(1)) if original.__name__ == "fstat" else aspects
            reads.ask(verb, told, path, kwargs.get(dir_fd), follow=follows and kwargs.get("follow_symlinks", True))
        return original(*args, **kwargs)

    return asking


def _naming(gate: Gate, reads: Reads, function: _Function, original: Callable[..., Any]) -> Callable[..., Any]:
    _, aspects, position, keyword, dir_fd, _ = function

    @functools.wraps(original)
    def naming(*args: Any, **kwargs: Any) -> Any:
        if not gate.active:
            return original(*args, **kwargs)
        path = args[position] if len(args) > position else kwargs.get(keyword)
        reads.ask("stat", aspects, path, kwargs.get(dir_fd), follow=False)
        try:
            return original(*args, **kwargs)
        finally:
            reads.forget()

    return naming


def _moving(gate: Gate, reads: Reads, follows: bool, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def moving(src: Any, dst: Any, **kwargs: Any) -> None:
        if not gate.active:
            original(src, dst, **kwargs)
            return
        is_folder = reads.moved(src, kwargs.get("src_dir_fd"), follow=follows)
        reads.ask("stat", _LISTING if is_folder else _PRESENCE, dst, kwargs.get("dst_dir_fd"), follow=False)
        try:
            original(src, dst, **kwargs)
        finally:
            reads.forget()

    return moving


def _truncating(gate: Gate, reads: Reads, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def truncate(path: Any, length: int) -> None:
        if gate.active:
            # Of a file that is cut to nothing the old content does not matter.
            reads.ask(*(("read", CONTENT) if length else ("stat", _PRESENCE)), path)
        original(path, length)

    return truncate


def _open(gate: Gate, reads: Reads, original: Callable[..., int]) -> Callable[..., int]:
    @functools.wraps(original)
    def opening(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if not gate.active or not isinstance(flags, int):
            return original(path, flags, mode, dir_fd=dir_fd)
        if flags & _CHANGING:
            reads.opened(path, flags, dir_fd)
            return original(path, flags, mode, dir_fd=dir_fd)
        with gate.untraced():  # the audit hook sees no directory descriptor
            try:
                fd = original(path, flags, mode, dir_fd=dir_fd)
            except OSError:
                reads.opened(path, flags, dir_fd)
                raise
            reads.opened(path, flags | (_FOLDER if stat.S_ISDIR(_real_fstat(fd).st_mode) else 0), dir_fd)
            return fd

    return opening
