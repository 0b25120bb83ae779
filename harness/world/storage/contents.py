"""Keep contents on disk, once each: a store for what is too large to be held in memory.

A copy shares its blocks with the original where the file system can do that (reflink), and has holes where that has
them. Blocks of zeros count as holes, so that a file is the same whether they were written or not.
"""

import errno
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator
from hashlib import blake2b

try:
    import fcntl
except ImportError:  # Windows: nothing is explored there
    fcntl = None  # type: ignore[assignment]

from ...values.contents import SMALL_BYTES, Content, Stored
from ...values.errors import ChaosError
from ...values.owners import temporary_folder
from .remembering import Remembered

_BLOCK_BYTES = 1 << 20
_SHARED_BYTES = 16 << 20
_ZEROS = bytes(_BLOCK_BYTES)
_FICLONE = 0x40049409
_FS_IOC_GETFLAGS, _IMMUTABLE, _APPEND_ONLY = 0x80086601, 0x10, 0x20
_NOT_HERE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.ETXTBSY)
_IN_MEMORY = ("tmpfs", "ramfs")


class Contents:
    """A private folder that keeps each distinct large content once; removed by `close`, or with the process."""

    def __init__(self) -> None:
        self._folder = ""
        self._known: dict[tuple[str, int], Stored] = {}
        self._small: Remembered[bytes, bytes] = Remembered(_SHARED_BYTES)
        self._remove: Callable[[], object] = lambda: None

    def read(self, descriptor: int, size: int) -> Content:
        """Return the content of an open file of about `size` bytes: itself where it is small, else where it is kept."""
        if size <= SMALL_BYTES:
            content = _all(descriptor, size)
            if len(content) <= SMALL_BYTES:
                # Each execution writes what others wrote: thousands of states share one copy of a database.
                return self._small.get(content, lambda: content, len)
        try:
            return self._store(descriptor)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise ChaosError(
                "no-room",
                f"{self._folder} has no room for a copy of what is watched: {error.strerror}",
                "watch less (a smaller folder), or let TMPDIR be a folder on a larger disk",
            ) from error

    def close(self) -> None:
        """Remove the stored contents; none can be read afterwards."""
        self._remove()

    def _store(self, descriptor: int) -> Stored:
        known = self._known.get(_digest(descriptor))
        if known is not None:
            return known
        path = os.path.join(self._made(), "new")
        copied = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            copy(descriptor, copied)
            digest, size = _digest(copied)  # of the copy: who changes the original meanwhile cannot make it a lie
        except BaseException:
            os.unlink(path)
            raise
        finally:
            os.close(copied)
        kept = os.path.join(self._folder, f"{digest}-{size}")
        os.rename(path, kept)
        self._known[digest, size] = stored = Stored(digest, size, kept)
        return stored

    def _made(self) -> str:
        if not self._folder:
            self._folder = temporary_folder("contents", _on_disk())
            self._remove = weakref.finalize(self, _remove, self._folder, os.getpid())
        return self._folder


def write(path: str, content: Content, folder: int | None = None) -> None:
    """Make a new file of this content; `path` is relative to an open folder where one is given."""
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        fill(target, content)
    finally:
        os.close(target)


def fill(target: int, content: Content) -> None:
    """Write a content into an open file that is empty."""
    if isinstance(content, Stored):
        source = os.open(content.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            copy(source, target)
        finally:
            os.close(source)
        return
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(target, rest) :]


def copy(source: int, target: int) -> None:
    """Give the empty open file `target` the content of `source`: its blocks shared, or its data alone copied."""
    if fcntl is not None:
        try:
            fcntl.ioctl(target, _FICLONE, source)
            return
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
    size = os.fstat(source).st_size
    for start, end in _data(source, size):
        _copy_range(source, target, start, end)
    os.ftruncate(target, size)


def is_fixed(descriptor: int) -> bool:
    """Return whether a file can be neither removed nor rewritten: immutable, or append-only (``chattr``)."""
    if fcntl is None:
        return False
    try:
        flags = int.from_bytes(fcntl.ioctl(descriptor, _FS_IOC_GETFLAGS, bytes(8))[:4], sys.byteorder)
    except OSError:
        return False  # a file system without such
    return bool(flags & (_IMMUTABLE | _APPEND_ONLY))


def _copy_range(source: int, target: int, start: int, end: int) -> None:
    in_kernel = hasattr(os, "copy_file_range")
    while start < end:
        if in_kernel:
            try:
                copied = os.copy_file_range(source, target, end - start, start, start)
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                in_kernel = False
                continue
        else:
            copied = os.pwrite(target, os.pread(source, min(_BLOCK_BYTES, end - start), start), start)
        if not copied:
            return  # it was cut short meanwhile
        start += copied


def _digest(descriptor: int) -> tuple[str, int]:
    """Return a hash of the blocks that are not all zeros, and the size."""
    size, digest = os.fstat(descriptor).st_size, blake2b(digest_size=20)
    at = 0
    for start, end in _data(descriptor, size):
        at = max(at, start - start % _BLOCK_BYTES)
        while at < end:
            block = os.pread(descriptor, _BLOCK_BYTES, at)
            if not block:
                break
            if block != (_ZEROS if len(block) == _BLOCK_BYTES else bytes(len(block))):
                digest.update(b"%d " % at)
                digest.update(block)
            at += _BLOCK_BYTES
    return digest.hexdigest(), size


def _data(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield from where to where there is something other than holes."""
    at = 0
    while at < size:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # a file system without holes: all is data
                yield at, size
            return
        at = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, min(at, size)


def _all(descriptor: int, size: int) -> bytes:
    """Read a small file; one that grew meanwhile up to where it is no longer small."""
    content = os.read(descriptor, size + 1)
    if len(content) == size:
        return content
    parts, read = [content], len(content)
    while read <= SMALL_BYTES and (part := os.read(descriptor, SMALL_BYTES + 1 - read)):
        parts.append(part)
        read += len(part)
    return b"".join(parts)


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not a child that was forked meanwhile
        shutil.rmtree(folder, ignore_errors=True)


def _on_disk() -> str:
    """Return a folder for temporary files that is not in memory, where there is one."""
    usual = tempfile.gettempdir()
    folders = [usual, *(each for each in ("/var/tmp", "/tmp") if os.access(each, os.W_OK | os.X_OK))]
    kinds = _mounts()
    return next((each for each in folders if _mount_of(each, kinds) not in _IN_MEMORY), usual)


def _mounts() -> dict[str, str]:
    """Return the kind of file system by the folder it is mounted at."""
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
            return {fields[1]: fields[2] for line in file if len(fields := line.split()) > 2}
    except OSError:
        return {}


def _mount_of(path: str, kinds: dict[str, str]) -> str:
    path = os.path.realpath(path)
    while path not in kinds and path != os.sep:
        path = os.path.dirname(path)
    return kinds.get(path, "")
