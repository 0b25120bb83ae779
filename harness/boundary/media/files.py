"""Files: every effect on a watched or private path passes the gate, whichever module of Python makes it.

Real ``BufferedWriter`` and ``TextIOWrapper`` objects stand over a ``FileIO`` subclass, so types stay true and a write
is a point when it reaches the operating system.
"""

import builtins
import functools
import io
import os
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from typing import Any, NamedTuple

from ...values.actions import Fail
from ...values.exploration import counted
from .. import patching
from ..adapters import python_files, python_random
from ..gate import Gate
from .opening import call_of, layers
from .reads import CONTENT, Reads
from .scope import Scope, is_sqlite_side_file, path_of_descriptor

_real_utime, _real_stat = os.utime, os.stat
_WRITING = os.O_WRONLY | os.O_RDWR
_CREATING = os.O_CREAT | os.O_TRUNC


class _Function(NamedTuple):
    """A function of `os`: the verb of its points, and where among its arguments stands the path that names them."""

    verb: str
    name: str
    position: int
    keyword: str
    dir_fd: str  # the keyword of its directory descriptor


_SIMPLE = (
    _Function("remove", "remove", 0, "path", "dir_fd"),
    _Function("remove", "unlink", 0, "path", "dir_fd"),
    _Function("rmdir", "rmdir", 0, "path", "dir_fd"),
    _Function("mkdir", "mkdir", 0, "path", "dir_fd"),
    _Function("chmod", "chmod", 0, "path", "dir_fd"),
    _Function("chmod", "fchmod", 0, "fd", ""),
    _Function("truncate", "truncate", 0, "path", ""),
    _Function("truncate", "ftruncate", 0, "fd", ""),
    _Function("symlink", "symlink", 1, "dst", "dir_fd"),
    _Function("link", "link", 1, "dst", "dst_dir_fd"),
    _Function("write", "posix_fallocate", 0, "fd", ""),
    _Function("write", "sendfile", 0, "out_fd", ""),
    _Function("write", "copy_file_range", 1, "dst", ""),
)
_OTHERS = {"rename", "replace", "open", "write", "pwrite", "writev", "fsync", "fdatasync"}
_ORIGINALS = sorted({function.name for function in _SIMPLE} | _OTHERS)


def originals() -> list[object]:
    """Return the functions that agents may have imported by name."""
    return [builtins.open, *(getattr(os, name) for name in _ORIGINALS if hasattr(os, name))]


def install(gate: Gate, scope: Scope, reads: Reads) -> None:
    """Put the gate before every effect on files. For a child process: there is no way back."""
    for function in _SIMPLE:
        patching.replace(os, function.name, functools.partial(_simple, gate, scope, function))
    for name in ("rename", "replace"):
        patching.replace(os, name, functools.partial(_moving, gate, scope, name))
    patching.replace(os, "open", functools.partial(_os_open, gate, scope))
    for name, kind in (("write", _os_write), ("pwrite", _os_pwrite), ("writev", _os_writev)):
        patching.replace(os, name, functools.partial(kind, gate, scope))
    for name in ("fsync", "fdatasync"):
        patching.replace(os, name, functools.partial(_syncing, gate, scope))
    watched_file = _file_class(gate, scope, reads)
    opened = _open(gate, scope, reads, watched_file, builtins.open)
    patching.replace(builtins, "open", lambda original: opened)
    python_files.open_with(opened)
    # A copy that the kernel makes passes no write, and could not be torn.
    python_files.copy_by_writing()

    def drawn(name: str) -> None:
        if gate.active:
            gate.drawn.add(name)
            gate.note("name", name)

    python_random.on_temporary_name(drawn)


def _simple(gate: Gate, scope: Scope, function: _Function, original: Callable[..., Any]) -> Callable[..., Any]:
    verb, _, position, keyword, dir_fd = function

    @functools.wraps(original)
    def effect(*args: Any, **kwargs: Any) -> Any:
        path = args[position] if len(args) > position else kwargs.get(keyword)
        name = scope.name(path, kwargs.get(dir_fd)) if gate.active else None
        if name is None:
            return original(*args, **kwargs)
        with gate.crossing("file", verb, name):
            result = original(*args, **kwargs)
            _stamp(gate, verb, path, kwargs.get(dir_fd))
            return result

    return effect


def _moving(gate: Gate, scope: Scope, verb: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def effect(src: Any, dst: Any, *, src_dir_fd: Any = None, dst_dir_fd: Any = None) -> None:
        def act() -> None:
            original(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

        name = (scope.name(dst, dst_dir_fd) or scope.name(src, src_dir_fd)) if gate.active else None
        if name is None:
            act()
        else:
            with gate.crossing("file", verb, name):
                act()
                for path, directory in ((src, src_dir_fd), (dst, dst_dir_fd)):
                    _stamp(gate, verb, path, directory)

    return effect


def _syncing(gate: Gate, scope: Scope, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def effect(fd: Any) -> None:
        number = fd if isinstance(fd, int) else fd.fileno()
        name = scope.name(number) if gate.active else None
        if name is None:
            original(fd)
        else:
            with gate.crossing("file", "fsync", name):
                pass  # a killed process loses nothing that reached the operating system: no need to wait for the disk

    return effect


def _stamp(gate: Gate, verb: str, path: Any, dir_fd: int | None = None) -> None:
    """Set the virtual time on what an effect changed: the file, and the folder in which a name was added or removed."""
    if verb in ("truncate", "write", "mkdir"):
        _touch(gate, path, dir_fd)
    if verb not in ("truncate", "write", "chmod"):
        text = os.fsdecode(path)
        _touch(gate, os.path.dirname(os.path.abspath(text) if dir_fd is None else text) or ".", dir_fd)


def _touch(gate: Gate, path: Any, dir_fd: int | None = None) -> None:
    """Give a file the virtual time, so that an agent that compares ages sees one clock."""
    now = int(gate.now() * 1e6 - 1) * 1000  # a microsecond ago: as floats, a file is never newer than now
    with suppress(OSError, TypeError):
        _real_utime(path, ns=(now, now), dir_fd=dir_fd)


def _os_open(gate: Gate, scope: Scope, original: Callable[..., int]) -> Callable[..., int]:
    @functools.wraps(original)
    def effect(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        name = scope.name(path, dir_fd, follow=True) if gate.active and flags & (_WRITING | _CREATING) else None
        if name is None:
            return original(path, flags, mode, dir_fd=dir_fd)
        # Opening an existing file changes nothing: no point, and no crash state of its own.
        change = _change(path, flags, dir_fd)
        if not change:
            with gate.untraced():
                fd = original(path, flags, mode, dir_fd=dir_fd)
            gate.owed.pop((name, fd), None)
            return fd
        with gate.crossing("file", "open", name) as crossing:
            crossing.outcome = change
            fd = original(path, flags, mode, dir_fd=dir_fd)
            _touch(gate, fd)
            _stamp(gate, "open", path, dir_fd)
            gate.owed.pop((name, fd), None)
        return fd

    return effect


def _change(path: Any, flags: int, dir_fd: int | None = None) -> str:
    """Return how opening changes the outside: "created" for a new file, "emptied" for lost content, "" for neither."""
    try:
        size = _real_stat(path, dir_fd=dir_fd).st_size
    except OSError:
        return "created" if flags & os.O_CREAT else ""
    return "emptied" if flags & os.O_TRUNC and size > 0 else ""


def _os_write(gate: Gate, scope: Scope, original: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
    @functools.wraps(original)
    def effect(fd: int, data: Any) -> int:
        name = scope.name(fd) if gate.active else None
        if name is None:
            return original(fd, data)
        return torn_write(gate, name, memoryview(data), lambda part: original(fd, part), fd)

    return effect


def _os_pwrite(gate: Gate, scope: Scope, original: Callable[[int, Any, int], int]) -> Callable[[int, Any, int], int]:
    @functools.wraps(original)
    def effect(fd: int, data: Any, offset: int) -> int:
        name = scope.name(fd) if gate.active else None
        if name is None:
            return original(fd, data, offset)
        position = offset

        def write(part: memoryview) -> int:
            nonlocal position
            done = original(fd, part, position)
            position += done
            return done

        return torn_write(gate, name, memoryview(data), write, fd)

    return effect


def _os_writev(gate: Gate, scope: Scope, original: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
    @functools.wraps(original)
    def effect(fd: int, buffers: Any) -> int:
        name = scope.name(fd) if gate.active else None
        if name is None:
            return original(fd, buffers)
        # The kernel writes them as one.
        joined = b"".join(bytes(buffer) for buffer in buffers)
        return torn_write(gate, name, memoryview(joined), lambda part: original(fd, [part]), fd)

    return effect


def torn_write(gate: Gate, name: str, data: memoryview, write: Callable[[memoryview], int], fd: int) -> int:
    """Write `data` as one point; in two parts if the parent looks, or a fault fires, in the middle.

    A disk that fills up answers as a kernel does: a short count first, the error when the rest is written. A caller
    that never writes the rest gets no error.
    """
    with gate.holding_token("file", "write", name):
        return _torn_write(gate, name, data.cast("B"), write, fd)


def _torn_write(gate: Gate, name: str, data: memoryview, write: Callable[[memoryview], int], fd: int) -> int:
    # The rest of a write that a full disk cut short comes with the same length: now the error is due.
    owed = gate.owed.pop((name, fd), None)
    if owed is not None and owed[0] == len(data):
        raise owed[1]
    crossing = gate.arrive("file", "write", name, len(data))
    crossing.phase("before")
    done = 0
    if crossing.tears:
        with gate.untraced():
            done = write(crossing.first_part(data))
            _touch(gate, fd)
        resolved = crossing.phase("middle")
        if resolved is not None and isinstance(resolved.action, Fail):
            # Raised here, Python's buffer would write the first part once more when the file is closed.
            gate.owe(name, fd, len(data) - done, resolved)
            crossing.ends(f"{done} of {len(data)} bytes")
            return done
    with gate.untraced():
        done += write(data[done:])
        _touch(gate, fd)
    crossing.outcome = counted(done, "byte")
    crossing.phase("after")
    return done


def _file_class(gate: Gate, scope: Scope, reads: Reads) -> Any:
    class WatchedFile(io.FileIO):
        """A raw file whose writes are points.

        Below a buffer, a write that failed goes on failing until the file is closed.
        """

        buffered = appends = False
        failed: OSError | None = None

        def __repr__(self) -> str:
            return super().__repr__().replace("<FileIO", "<_io.FileIO", 1)  # from 3.13 on it shows the class's own name

        def write(self, data: Any) -> int:
            name = scope.name(self.fileno()) if gate.active else None
            if name is None:
                return super().write(data)
            if self.failed is not None:
                raise copy(self.failed)
            try:
                return torn_write(gate, name, memoryview(data), super().write, self.fileno())
            except OSError as error:
                # Closing flushes the buffer again: a disk that was full must not be empty then.
                self.failed = error if self.buffered else None
                raise

        def tell(self) -> int:
            self._sized()
            return super().tell()

        def seek(self, position: int, whence: int = os.SEEK_SET, /) -> int:
            self._sized()
            return super().seek(position, whence)

        def _sized(self) -> None:
            if self.appends and gate.active:
                reads.ask("stat", ("size",), self.fileno())

        def truncate(self, size: int | None = None) -> int:
            name = scope.name(self.fileno()) if gate.active else None
            if name is None:
                return super().truncate(size)
            reads.ask("read", CONTENT if size != 0 else ("presence",), self.fileno())
            with gate.crossing("file", "truncate", name):
                return super().truncate(size)

    # Agents, and libraries, print and compare types; ours must look like the one it stands for.
    WatchedFile.__name__ = WatchedFile.__qualname__ = "FileIO"
    WatchedFile.__module__ = "_io"
    return WatchedFile


_FLAGS = {"r": 0, "w": os.O_CREAT | os.O_TRUNC, "x": os.O_CREAT | os.O_EXCL, "a": os.O_CREAT | os.O_APPEND}


def _open(gate: Gate, scope: Scope, reads: Reads, raw_class: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def opened(file: Any, *args: Any, **kwargs: Any) -> Any:
        mode = args[0] if args else kwargs.get("mode", "r")
        writes = gate.active and isinstance(mode, str) and set(mode) & set("wxa+")
        name = scope.name(file, follow=True) if writes else None
        call = None if name is None or is_sqlite_side_file(str(file)) else call_of(args, kwargs)
        if name is None or call is None:
            return original(file, *args, **kwargs)
        file = file if isinstance(file, int) else os.fspath(file)
        raw_mode, closefd, opener = call.raw_mode, call.closefd, call.opener
        kind = raw_mode[0]
        reads.opened(file, _FLAGS[kind] | (os.O_RDWR if "+" in mode else os.O_WRONLY))
        with gate.untraced():
            change = _change(file, _FLAGS[kind]) if opener is None and not isinstance(file, int) else ""
        if not change:
            with gate.untraced():  # an opener is the agent's own and makes its own points
                raw = raw_class(file, raw_mode, closefd, opener and gate.user_callback(opener))
        else:
            with gate.crossing("file", "open", name) as crossing:
                crossing.outcome = change
                raw = raw_class(file, raw_mode, closefd)
                _touch(gate, raw.fileno())
                _stamp(gate, "open", file)
        # Opening to append reads nothing of a file until somebody asks where it ends.
        raw.buffered, raw.appends = call.buffering != 0, raw_mode == "a"
        # The number of a descriptor is used again: what its last file still owed is not this one's.
        gate.owed.pop((name, raw.fileno()), None)
        _note_way_out(gate, scope, raw.fileno())
        with gate.untraced():  # the layers ask where the file ends, the agent does not
            return layers(raw, call)

    return opened


def _note_way_out(gate: Gate, scope: Scope, fd: int) -> None:
    """Note a file as unwatched that was opened by a link within a watched folder, and lies outside of it."""
    path = path_of_descriptor(fd)
    if path is not None and scope.name(path) is None:
        gate.note("unwatched", path)
