"""Walk over the sources and return their entries; a file that has not changed is not read again.

Git's index has the idea, and the rule for files too young to tell.
"""

import errno
import os
import stat
import time
from collections.abc import Container
from dataclasses import dataclass, field
from typing import NamedTuple

from ...values.errors import ChaosError
from ...values.rare import rare
from ...values.trees import Tree
from .contents import Contents, is_fixed
from .folders import Folders, change_mode, moved
from .raw import SIBLINGS, Key, Place, RawEntry, folder_of
from .sqlite_rows import SUFFIXES

Signature = tuple[int, int, int, int]
Known = tuple[Signature | None, Key, RawEntry]

_LARGE_BYTES = 4 << 20
_RACY_NS = 20_000_000
"""Kernel timestamps move in steps of up to 10 ms: a younger file may change again without a new one."""
_KERNEL_CLOCK: int = getattr(time, "CLOCK_REALTIME_COARSE", 5 if os.uname().sysname == "Linux" else time.CLOCK_REALTIME)
"""The clock that stamps files; no library that mocks the time replaces it."""
_sleep = time.sleep
_OTHERS = {stat.S_IFSOCK: b"socket", stat.S_IFIFO: b"pipe", stat.S_IFCHR: b"device", stat.S_IFBLK: b"device"}
_NOT_OURS = ("security.selinux", "security.ima", "security.evm")  # the system's own, which it gives anew


@dataclass(slots=True)
class _Listing:
    """One folder: what is known of each name, the part of a state that comes of it, whether it has hard links."""

    known: dict[str, Known] = field(default_factory=dict)
    files: dict[Key, RawEntry] = field(default_factory=dict)
    linked: bool = False

    def __post_init__(self) -> None:
        self.linked = any(entry.names > 1 for entry in self.files.values())


@dataclass(slots=True)
class Scan:
    """The result of a walk: entries, files that have no place in a state, and those that nobody could put back.

    Attributes:
        forced: folders that the agent closed are opened up, and what cannot be read is a stray.
        first: nothing has been changed yet.
        others: whether there are sockets, pipes or devices.
        changed: whether anything differs from the walk before.
    """

    folders: Folders
    forced: bool
    first: bool
    now_ns: int
    listings: dict[Key, _Listing] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)
    others: bool = False
    changed: bool = False

    @property
    def linked(self) -> bool:
        """Return whether there are files with several names."""
        return any(listing.linked for listing in self.listings.values())

    @property
    def files(self) -> Tree[Key, RawEntry]:
        """The entries, folder by folder."""
        return Tree({folder: listing.files for folder, listing in self.listings.items()}, folder_of)


class _Seen(NamedTuple):
    """An item that a walk meets: the open folder that it is in, its name there, its path, and its status."""

    folder: int
    name: str
    path: str
    status: os.stat_result


class Scanner:
    """Walks over the sources; a file that has not changed since the last walk is not read again."""

    def __init__(self, places: tuple[Place, ...], contents: Contents) -> None:
        self._places, self._contents = places, contents
        self._nested = {place.root for place in places if not place.spelled}
        self._order = sorted(range(len(places)), key=lambda index: len(places[index].root))
        self._listings: dict[Key, _Listing] = {}

    def scan(self, folders: Folders, *, forced: bool, first: bool = False) -> Scan:
        """Return the present entries; raises ChaosError for a path that cannot be read, or is no part of the source."""
        scan = Scan(folders, forced, first, time.clock_gettime_ns(_KERNEL_CLOCK))
        for index in self._order:
            self._look_at(scan, index, self._places[index])
        scan.changed = scan.changed or len(scan.listings) != len(self._listings)
        self._listings = scan.listings
        return scan

    def adopt(self, files: Tree[Key, RawEntry], changed: Container[Key]) -> None:
        """Take `files` for the present entries; those in `changed` are looked at again before that is believed."""
        listings = {}
        for folder, part in files.parts.items():
            assert isinstance(folder, tuple)
            last = self._listings.get(folder)
            if last is None or last.files is not part:
                before = last.known if last is not None else {}
                last = _Listing(
                    {(name := _name(key)): _still(before.get(name), key, part[key], changed) for key in part}, part
                )
            listings[folder] = last
        self._listings = listings

    def know(self, key: Key, name: str, folder: int) -> None:
        """Look once at a large file that was just written, so that no walk reads it again."""
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        known = self._listings[folder_of(key)].known
        known[_name(key)] = (_signature(_of_age(name, folder, status)[0]), *known[_name(key)][1:])

    def forget(self) -> None:
        """Forget all earlier walks."""
        self._listings = {}

    def _look_at(self, scan: Scan, index: int, place: Place) -> None:
        above, _, name = place.root.rpartition(os.sep)
        try:
            folder = scan.folders.at(above or os.sep)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            if error.errno == errno.ELOOP:
                return
            raise unreadable(above, error) from error
        status = _status(name, folder)
        found: dict[str, Known] = {}
        kind = ""
        if status is not None:
            kind = self._enter(scan, found, (index, ""), _Seen(folder, name, place.root, status))
        self._keep(scan, (index, "/"), found)
        if status is not None and kind == "dir":
            if status.st_dev != place.root_device:
                raise moved(place.root)
            self._walk(scan, index, folder, name, place.root, "")
            return
        found = {}
        for suffix in SIBLINGS:
            beside = _status(name + suffix, folder)
            if beside is not None:
                self._enter(scan, found, (index, suffix), _Seen(folder, name + suffix, place.root + suffix, beside))
        self._keep(scan, (index, ""), found)
        if _status(name + "-shm", folder) is not None:
            scan.strays.append(place.root + "-shm")

    def _walk(self, scan: Scan, index: int, parent: int, own_name: str, path: str, prefix: str) -> None:
        inner = []
        folder = _opened(own_name, parent, path, scan.forced)
        device, here = self._places[index].root_device, (index, prefix[:-1])
        last = self._listings.get(here)
        known, found = last.known if last is not None else {}, dict[str, Known]()
        try:
            with os.scandir(folder) as items:
                for item in items:
                    name = item.name
                    try:
                        status = item.stat(follow_symlinks=False)
                    except OSError as error:
                        again = _once_more(error, item, parent, own_name, path, scan.forced)
                        if again is None:
                            continue
                        status = again
                    if self._nested and self._elsewhere(f"{path}/{name}"):
                        continue
                    if name.endswith("-shm") and stat.S_ISREG(status.st_mode) and _is_shared_memory(name, folder):
                        scan.strays.append(f"{path}/{name}")
                        continue
                    before = known.get(name)
                    signature = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
                    if before is not None and before[0] == signature:
                        found[name] = before
                        kind: str = before[2].kind
                        if kind == "file":
                            continue
                    else:
                        seen = _Seen(folder, name, f"{path}/{name}", status)
                        kind = self._enter(scan, found, (index, prefix + name), seen)
                    if kind == "dir":
                        if status.st_dev != device:
                            raise _mounted(f"{path}/{name}")
                        inner.append(name)
                    elif kind == "other":
                        scan.others = True
            self._keep(scan, here, found)
            for name in inner:
                self._walk(scan, index, folder, name, f"{path}/{name}", f"{prefix}{name}/")
        finally:
            os.close(folder)

    def _keep(self, scan: Scan, folder: Key, found: dict[str, Known]) -> None:
        """Put a folder into the scan; where it is as before, the very part of the state that it was."""
        last = self._listings.get(folder)
        if not found:
            return
        if last is not None and len(last.files) == len(found):
            get = last.files.get
            if all(get(key) is entry for _, key, entry in found.values()):
                last.known = found
                scan.listings[folder] = last
                return
        scan.changed = True
        scan.listings[folder] = _Listing(found, {key: entry for _, key, entry in found.values()})

    def _elsewhere(self, path: str) -> bool:
        """Return whether `path` is a source of its own, or lies beside one as a part of its database."""
        if path in self._nested:
            return True
        base = path.rpartition("-")[0]
        return base in self._nested and path[len(base) :] in (*SIBLINGS, "-shm") and not os.path.isdir(base)

    def _enter(self, scan: Scan, found: dict[str, Known], key: Key, seen: _Seen) -> str:
        """Scan one entry and return its kind; "" where it cannot be read."""
        folder, name, path, status = seen
        listing = self._listings.get(folder_of(key))
        known = listing.known.get(_name(key)) if listing is not None else None
        if known is None or known[0] is None or known[0] != _signature(status):
            now_ns = scan.now_ns
            if stat.S_ISREG(status.st_mode) and status.st_size > _LARGE_BYTES:
                status, now_ns = _of_age(name, folder, status)
            try:
                entry = self._read(scan, _Seen(folder, name, path, status))
            except OSError as error:
                if not scan.forced:
                    raise unreadable(path, error) from error
                rare("what cannot be read is removed to be put back")
                scan.strays.append(path)
                return ""
            if known is not None and _is_same(entry, known[2]):
                key, entry = known[1:]
            known = (_signature(status) if now_ns - status.st_ctime_ns > _RACY_NS else None, key, entry)
        found[_name(key)] = known
        return known[2].kind

    def _read(self, scan: Scan, seen: _Seen) -> RawEntry:
        folder, name, path, status = seen
        mode, bits, mtime_ns = status.st_mode, stat.S_IMODE(status.st_mode), status.st_mtime_ns
        owner = (status.st_uid, status.st_gid)
        if stat.S_ISLNK(mode):
            return RawEntry("link", bits, os.fsencode(os.readlink(name, dir_fd=folder)), mtime_ns, owner)
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return RawEntry(
                "other", bits, _OTHERS.get(stat.S_IFMT(mode), b"device"), mtime_ns, owner, (), status.st_ino
            )
        if stat.S_ISDIR(mode):
            if scan.first and _is_fixed_folder(name, folder):
                scan.fixed.append(path)
            return RawEntry("dir", bits, b"", mtime_ns, owner, attributes_of(f"/proc/self/fd/{folder}/{name}"))
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            if scan.first and is_fixed(descriptor):
                scan.fixed.append(path)
            content = self._contents.read(descriptor, status.st_size)
            inode = status.st_ino if status.st_nlink > 1 else 0
            return RawEntry("file", bits, content, mtime_ns, owner, attributes_of(descriptor), inode, status.st_nlink)
        finally:
            os.close(descriptor)


def _name(key: Key) -> str:
    return key[1].rpartition("/")[2]


def _still(before: Known | None, key: Key, entry: RawEntry, changed: Container[Key]) -> Known:
    """Return signature, key and entry of a path that is there; None as signature if it was changed."""
    as_before = before is not None and key not in changed and (before[2] is entry or _is_same(before[2], entry))
    return (before[0] if before is not None and as_before else None), key, entry


def _is_same(one: RawEntry, other: RawEntry) -> bool:
    return one == other and one.stamp() == other.stamp() and (one.inode, one.names) == (other.inode, other.names)


def _signature(status: os.stat_result) -> Signature:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _of_age(name: str, folder: int, status: os.stat_result) -> tuple[os.stat_result, int]:
    """Wait until a change of the file would show in its time: to read a large one again takes longer."""
    for _ in range(50):
        now_ns = time.clock_gettime_ns(_KERNEL_CLOCK)
        if not 0 <= now_ns - status.st_ctime_ns <= _RACY_NS:
            break
        _sleep(0.002)
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return status, now_ns


def _status(name: str, folder: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _opened(name: str, parent: int, path: str, forced: bool) -> int:
    """Open a folder to list it; with `forced` also one that the agent closed."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=parent)
    except OSError as error:
        if not forced:
            raise unreadable(path, error) from error
        change_mode(name, 0o700, parent)
        return os.open(name, flags, dir_fd=parent)


def _once_more(
    error: OSError, item: "os.DirEntry[str]", parent: int, own_name: str, path: str, forced: bool
) -> os.stat_result | None:
    """Look at an item that could not be looked at: it is gone, or, with `forced`, its folder is opened up."""
    if isinstance(error, FileNotFoundError):
        return None
    if not forced:
        raise unreadable(f"{path}/{item.name}", error) from error
    change_mode(own_name, 0o700, parent)
    return item.stat(follow_symlinks=False)


def _is_shared_memory(name: str, folder: int) -> bool:
    """Return whether ``…-shm`` belongs to a database: SQLite rebuilds it, and a stale one would mislead it."""
    base = name[: -len("-shm")]
    return base.endswith(SUFFIXES) or any(_status(each, folder) is not None for each in (base, base + "-wal"))


def _is_fixed_folder(name: str, folder: int) -> bool:
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


def _mounted(path: str) -> ChaosError:
    return ChaosError(
        "mounted",
        f"{path} is another file system, mounted within what is watched or private: it was not read or put back",
        "watch the mounted folder itself, or one without it",
    )
