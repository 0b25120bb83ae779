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

from ...values.rare import rare
from ...values.trees import Tree
from .contents import Contents, is_fixed
from .folders import Folders, moved
from .notices import Identity, Notices
from .paths import (
    KERNEL_CLOCK,
    RACY_NS,
    attributes_of,
    is_fixed_folder,
    is_shared_memory,
    mounted,
    of_age,
    once_more,
    opened,
    status_of,
    unreadable,
)
from .raw import SIBLINGS, Key, Place, RawEntry, folder_of

Signature = tuple[int, int, int, int]
Known = tuple[Signature | None, Key, RawEntry]

_LARGE_BYTES = 4 << 20
_OTHERS = {stat.S_IFSOCK: b"socket", stat.S_IFIFO: b"pipe", stat.S_IFCHR: b"device", stat.S_IFBLK: b"device"}
_WHOLE_AT_FIRST, _WHOLE_EACH = 48, 16
"""So many walks go through all folders, and each such one after them: what Linux tells of is compared with them."""


@dataclass(slots=True)
class _Listing:
    """One folder: what is known of each name, and the part of a state that comes of it.

    Attributes:
        folders: names of the folders in it.
        linked: whether it has hard links.
    """

    known: dict[str, Known] = field(default_factory=dict)
    files: dict[Key, RawEntry] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    linked: bool = False

    def __post_init__(self) -> None:
        self.folders = tuple(_name(key) for key, entry in self.files.items() if entry.kind == "dir")
        self.linked = any(entry.names > 1 for entry in self.files.values())


@dataclass(slots=True)
class Scan:
    """The result of a walk: entries, files that have no place in a state, and those that nobody could put back.

    Attributes:
        forced: folders that the agent closed are opened up, and what cannot be read is a stray.
        first: nothing has been changed yet.
        whole: all folders are looked at, whatever the system tells.
        others: whether there are sockets, pipes or devices.
        changed: whether anything differs from the walk before.
    """

    folders: Folders
    forced: bool
    first: bool
    whole: bool
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


class _Within(NamedTuple):
    """A folder that a walk comes to.

    Attributes:
        parent: the open folder that it is in; None where nobody had to open that one.
        prefix: what stands before the names in it: its path below the source, and a slash.
        identity: device and inode; None where its parent is as it was, so that it is the one that is known.
    """

    parent: int | None
    name: str
    path: str
    prefix: str
    identity: Identity | None


class Scanner:
    """Walks over the sources; a file that has not changed since the last walk is not read again, and a folder that
    nobody has touched is not listed again.
    """

    def __init__(self, places: tuple[Place, ...], contents: Contents) -> None:
        self._places, self._contents = places, contents
        self._nested = {place.root for place in places if not place.spelled}
        self._order = sorted(range(len(places)), key=lambda index: len(places[index].root))
        self._listings: dict[Key, _Listing] = {}
        self._notices: Notices | None = None
        self._walks = 0

    def scan(self, folders: Folders, *, forced: bool, first: bool = False) -> Scan:
        """Return the present entries; raises ChaosError for a path that cannot be read, or is no part of the source."""
        whole = self._walks < _WHOLE_AT_FIRST or not self._walks % _WHOLE_EACH
        scan = Scan(folders, forced, first, whole, time.clock_gettime_ns(KERNEL_CLOCK))
        if self._walks == 1:  # who looks once needs none
            self._notices = Notices()
        self._walks += 1
        if self._notices is not None:
            self._notices.begin()
            if forced:  # something is put back: whatever had a file open has ended
                self._notices.all_at_rest()
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
                if self._notices is not None:
                    self._notices.doubt(folder)
            listings[folder] = last
        self._listings = listings

    def know(self, key: Key, name: str, folder: int) -> None:
        """Look once at a large file that was just written, so that no walk reads it again."""
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        known = self._listings[folder_of(key)].known
        known[_name(key)] = (_signature(of_age(name, folder, status)[0]), *known[_name(key)][1:])

    def forget(self) -> None:
        """Forget all earlier walks."""
        self._listings = {}

    def close(self) -> None:
        """Ask the system for nothing any more."""
        if self._notices is not None:
            self._notices.close()

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
        status = status_of(name, folder)
        found: dict[str, Known] = {}
        kind = ""
        if status is not None:
            kind = self._enter(scan, found, (index, ""), _Seen(folder, name, place.root, status))
        self._keep(scan, (index, "/"), found)
        if status is not None and kind == "dir":
            if status.st_dev != place.root_device:
                raise moved(place.root)
            identity = (status.st_dev, status.st_ino)
            self._walk(scan, index, _Within(folder, name, place.root, "", identity))
            return
        found = {}
        for suffix in SIBLINGS:
            beside = status_of(name + suffix, folder)
            if beside is not None:
                self._enter(scan, found, (index, suffix), _Seen(folder, name + suffix, place.root + suffix, beside))
        self._keep(scan, (index, ""), found)
        if status_of(name + "-shm", folder) is not None:
            scan.strays.append(place.root + "-shm")

    def _walk(self, scan: Scan, index: int, at: _Within) -> None:
        here, notices = (index, at.prefix[:-1]), self._notices
        last = self._listings.get(here)
        untouched = notices is not None and last is not None and notices.is_as_it_was(here, at.identity)
        if last is not None and untouched and not scan.whole:
            scan.listings[here] = last
            for name in last.folders:
                self._walk(scan, index, _Within(None, name, f"{at.path}/{name}", f"{at.prefix}{name}/", None))
            return
        parent = _parent_of(scan, at)
        folder = opened(at.name, parent, at.path, scan.forced)
        try:
            if notices is not None:
                notices.watch(here, folder)
            found, inner, all_told = self._listed(scan, index, folder, at._replace(parent=parent))
            self._keep(scan, here, found)
            if untouched and scan.listings.get(here) is not last:
                self._compare(here)
            elif notices is not None and all_told and here in scan.listings and not scan.listings[here].linked:
                notices.looked_at(here)
            for each in inner:
                self._walk(scan, index, each)
        finally:
            os.close(folder)

    def _listed(self, scan: Scan, index: int, folder: int, at: _Within) -> tuple[dict[str, Known], list[_Within], bool]:
        """Return what is in a folder, the folders in it, and whether the system would tell of each change in it."""
        here = (index, at.prefix[:-1])
        last = self._listings.get(here)
        known, all_told = last.known if last is not None else {}, True
        found, inner = dict[str, Known](), list[_Within]()
        with os.scandir(folder) as items:
            for item in items:
                name = item.name
                try:
                    status = item.stat(follow_symlinks=False)
                except OSError as error:
                    again = once_more(error, item, at.path, at.name, at.parent if scan.forced else None)
                    if again is None:
                        continue
                    status = again
                if self._nested and self._elsewhere(f"{at.path}/{name}"):
                    all_told = False
                    continue
                if name.endswith("-shm") and stat.S_ISREG(status.st_mode) and is_shared_memory(name, folder):
                    scan.strays.append(f"{at.path}/{name}")
                    all_told = False
                    continue
                before = known.get(name)
                signature = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
                if before is not None and before[0] == signature:
                    found[name] = before
                    kind: str = before[2].kind
                    if kind == "file":
                        continue
                else:
                    seen = _Seen(folder, name, f"{at.path}/{name}", status)
                    kind = self._enter(scan, found, (index, at.prefix + name), seen)
                    all_told = all_told and name in found and found[name][0] is not None
                if kind == "dir":
                    if status.st_dev != self._places[index].root_device:
                        raise mounted(f"{at.path}/{name}")
                    identity = (status.st_dev, status.st_ino)
                    inner.append(_Within(folder, name, f"{at.path}/{name}", f"{at.prefix}{name}/", identity))
                elif kind == "other":
                    scan.others, all_told = True, False
        return found, inner, all_told

    def _compare(self, folder: Key) -> None:
        """Look at all folders from now on where one has changed that the system told nothing of until now."""
        assert self._notices is not None
        if not self._notices.told_of(folder):
            rare("a folder has changed that the system told nothing of")
            self._notices.close()

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
                status, now_ns = of_age(name, folder, status)
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
            known = (_signature(status) if now_ns - status.st_ctime_ns > RACY_NS else None, key, entry)
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
            if scan.first and is_fixed_folder(name, folder):
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


def _parent_of(scan: Scan, at: _Within) -> int:
    if at.parent is not None:
        return at.parent
    try:
        return scan.folders.at(at.path.rpartition(os.sep)[0])
    except OSError as error:
        raise unreadable(at.path, error) from error


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
