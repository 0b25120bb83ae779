"""Save what lies on disk as raw bytes, and put exactly that back.

Raw, because a crash in the middle of a transaction leaves a hot journal that recovery must see; only ``-shm`` files
are left out, since SQLite rebuilds them. A file that has not changed is not read again (git's index has the idea,
and the rule for files too young to tell).
"""

import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..values.errors import ChaosError
from .replacing import Replacing
from .sqlite_rows import SUFFIXES

Key = tuple[int, str]
Signature = tuple[int, int, int, int]
Known = tuple[Signature | None, "RawEntry"]

_SIBLINGS = ("-wal", "-journal")
_RACY_NS = 20_000_000
"""Kernel timestamps move in steps of up to 10 ms: a younger file may change again without a new one."""
_KERNEL_CLOCK: int = getattr(time, "CLOCK_REALTIME_COARSE", 5 if os.uname().sysname == "Linux" else time.CLOCK_REALTIME)
"""The clock that stamps files; no library that mocks the time replaces it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A path that is external state, or the agent's own where `private`; `ignore` are globs of what is not compared."""

    path: Path
    name: str
    private: bool
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RawEntry:
    """One path as it lies on disk; the content of a link is its target. Equality leaves the time out."""

    kind: Literal["file", "dir", "link"]
    mode: int
    content: bytes
    mtime_ns: int = field(compare=False)


@dataclass(frozen=True)
class DiskState:
    """All sources at one moment, by the index of the source and the posix path below it.

    ``""`` is the source itself, missing where it did not exist; for a source that is a file, ``"-wal"`` and
    ``"-journal"`` are the files beside it. `described` is where `describe.world_of` keeps what it worked out.
    """

    files: Mapping[Key, RawEntry]
    described: dict[object, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class _Scan:
    """What a walk over the sources found: entries, where each lies, and what has no place in a state."""

    forced: bool
    now_ns: int
    files: dict[Key, RawEntry] = field(default_factory=dict)
    paths: dict[Key, str] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)
    known: dict[str, Known] = field(default_factory=dict)


class Disk:
    """The paths of `sources`; a source below another one belongs to itself only."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)
        self._roots = [os.path.abspath(source.path) for source in sources]
        self._nested = {root for root in self._roots if any(root.startswith(other + os.sep) for other in self._roots)}
        self._known: dict[str, Known] = {}

    def capture(self) -> DiskState:
        """Return what is there now; raises ChaosError ``unreadable`` for a path that cannot be read."""
        return DiskState(self._scan(forced=False).files)

    def restore(self, state: DiskState) -> None:
        """Make the sources exactly what they were in `state`, touching only what differs."""
        found, wanted = self._scan(forced=True), state.files
        if not found.strays and len(found.files) == len(wanted):
            get = found.files.get
            if all(get(key) is entry for key, entry in wanted.items()):
                return
        replacing = Replacing(found.strays)
        for key in found.files.keys() - wanted.keys():
            replacing.drops.append(found.paths[key])
        for key, goal in wanted.items():
            path = found.paths.get(key) or self.path_of(key, wanted)
            replacing.plan(path, found.files.get(key), goal)
            self._known[path] = (self._known[path][0] if found.files.get(key) == goal else None, goal)
        replacing.run()

    def path_of(self, key: Key, files: Mapping[Key, RawEntry]) -> str:
        """Return where `key` lies in a state that has these files."""
        index, relative = key
        root = self._roots[index]
        if not relative:
            return root
        own = files.get((index, ""))
        return f"{root}/{relative}" if own is not None and own.kind == "dir" else root + relative

    def _scan(self, forced: bool) -> _Scan:
        scan = _Scan(forced, time.clock_gettime_ns(_KERNEL_CLOCK))
        for index, root in enumerate(self._roots):
            if self._note(scan, (index, ""), root) == "dir":
                self._walk(scan, index, root, "")
                continue
            for suffix in _SIBLINGS:
                self._note(scan, (index, suffix), root + suffix)
            if os.path.lexists(root + "-shm"):
                scan.strays.append(root + "-shm")
        self._known = scan.known
        return scan

    def _note(self, scan: _Scan, key: Key, path: str) -> str:
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        return self._enter(scan, key, path, status)

    def _walk(self, scan: _Scan, index: int, folder: str, prefix: str) -> None:
        inner = []
        for item, status in _list(folder, scan.forced):
            name, path = item.name, item.path
            if self._nested and self._elsewhere(path):
                continue
            if name.endswith("-shm") and _is_shared_memory(path):
                scan.strays.append(path)
                continue
            relative = prefix + name
            if self._enter(scan, (index, relative), path, status) == "dir":
                inner.append((path, relative + "/"))
        for path, below in inner:
            self._walk(scan, index, path, below)

    def _elsewhere(self, path: str) -> bool:
        """Say whether `path` is a source of its own, or lies beside one as a part of its database."""
        if path in self._nested:
            return True
        base = path.rpartition("-")[0]
        return base in self._nested and path[len(base) :] in ("-wal", "-journal", "-shm") and not os.path.isdir(base)

    def _enter(self, scan: _Scan, key: Key, path: str, status: os.stat_result) -> str:
        """Put what lies at `path` into the scan and return its kind; "" for what a state cannot hold."""
        ctime_ns = status.st_ctime_ns
        signature = (status.st_ino, status.st_size, status.st_mtime_ns, ctime_ns)
        known = self._known.get(path)
        if known is None or known[0] != signature:
            entry = _read(path, status, scan.forced)
            if entry is None:
                scan.strays.append(path)
                return ""
            if known is not None and entry == known[1] and entry.mtime_ns == known[1].mtime_ns:
                entry = known[1]
            known = (signature if scan.now_ns - ctime_ns > _RACY_NS else None, entry)
        scan.known[path] = known
        scan.files[key] = known[1]
        scan.paths[key] = path
        return known[1].kind


def _list(folder: str, forced: bool) -> Iterator[tuple["os.DirEntry[str]", os.stat_result]]:
    """List a folder without following links; with `forced`, open up one that the agent closed."""
    try:
        items = os.scandir(folder)
    except PermissionError as error:
        if not forced:
            raise _unreadable(folder, error) from error
        os.chmod(folder, 0o700)
        items = os.scandir(folder)
    with items:
        for item in items:
            try:
                status = item.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except PermissionError as error:
                if not forced:
                    raise _unreadable(item.path, error) from error
                os.chmod(folder, 0o700)
                status = item.stat(follow_symlinks=False)
            yield item, status


def _is_shared_memory(path: str) -> bool:
    """Say whether ``…-shm`` belongs to a database: SQLite rebuilds it, and a stale one would mislead it."""
    base = path[: -len("-shm")]
    return base.endswith(SUFFIXES) or os.path.lexists(base) or os.path.lexists(base + "-wal")


def _read(path: str, status: os.stat_result, forced: bool) -> RawEntry | None:
    """Read one path; None for a socket, a pipe or a device, and, with `forced`, for what cannot be read."""
    mode, mtime_ns = status.st_mode, status.st_mtime_ns
    if stat.S_ISDIR(mode):
        return RawEntry("dir", stat.S_IMODE(mode), b"", mtime_ns)
    try:
        if stat.S_ISREG(mode):
            return RawEntry("file", stat.S_IMODE(mode), _content(path, status.st_size), mtime_ns)
        if stat.S_ISLNK(mode):
            return RawEntry("link", stat.S_IMODE(mode), os.fsencode(os.readlink(path)), mtime_ns)
    except OSError as error:
        if not forced:
            raise _unreadable(path, error) from error
    return None


def _content(path: str, size: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        content = os.read(descriptor, size + 1)
        if len(content) == size:
            return content
        parts = [content]
        while part := os.read(descriptor, 1 << 20):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _unreadable(path: str, error: OSError) -> ChaosError:
    return ChaosError(
        "unreadable",
        f"{path} is watched or private and cannot be read: {error.strerror}",
        "let the agent keep its files readable for its own user, or watch a folder without this path",
    )
