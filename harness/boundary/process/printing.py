"""The output of an agent's process: it leads nowhere, or into a file that the parent reads; never to the terminal.

Python's streams need not lead where the descriptors 1 and 2 lead: pytest's write into files of its own, loggers keep
streams that were replaced since, and to write past its capture pytest puts descriptors back that it had set aside. So
every descriptor that leads to one of these places is cut.
"""

import faulthandler
import fcntl
import io
import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress

_DESCRIPTORS = "/dev/fd"
_KEPT_BYTES = 1 << 20


class Printed:
    """A file without a name that processes print into, one at a time."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        self.descriptor = self._file.fileno()
        # Several processes may print at once, and `take` empties the file: each write must go to its end.
        flags = fcntl.fcntl(self.descriptor, fcntl.F_GETFL)
        fcntl.fcntl(self.descriptor, fcntl.F_SETFL, flags | os.O_APPEND)

    def take(self) -> str:
        """Return the text that was printed since the last call; of a long one the last MiB."""
        size = os.fstat(self.descriptor).st_size
        text = os.pread(self.descriptor, _KEPT_BYTES, max(0, size - _KEPT_BYTES))
        os.ftruncate(self.descriptor, 0)
        return text.decode(errors="replace")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def outlets(further: Iterable[int]) -> list[int]:
    """Return all descriptors that lead to the same files as the standard streams, or as `further`."""
    standard = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    streams = [stream.fileno() for stream in standard if stream is not None and _has_descriptor(stream)]
    places = {place for fd in (1, 2, *streams, *further) if (place := _place(fd)) is not None}
    places.discard(_place_of(os.devnull))
    return sorted({1, 2, *(fd for fd in map(int, os.listdir(_DESCRIPTORS)) if _place(fd) in places)})


def redirect(descriptors: Sequence[int], target: int | None) -> None:
    """Redirect these descriptors to `target`, or nowhere, and cut the standard input."""
    sink = os.open(os.devnull, os.O_RDWR)
    os.dup2(sink, 0)
    for fd in descriptors:
        os.dup2(sink if target is None else target, fd, inheritable=fd in (1, 2))
    if sink > 2:
        os.close(sink)
    if faulthandler.is_enabled():
        # pytest has let it write to a copy of the terminal's descriptor.
        faulthandler.enable(2)
    if target is not None:
        _show_streams()


def flush() -> None:
    """Flush the streams: our processes end by `os._exit`, which does not."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()


def _show_streams() -> None:
    """Write Python's streams, and the logging that pytest captures in memory, to the descriptors at once."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if _has_descriptor(stream) and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
        else:
            text = io.TextIOWrapper(io.FileIO(fd, "w", closefd=False), errors="backslashreplace", write_through=True)
            setattr(sys, name, text)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and isinstance(handler.stream, io.StringIO):
            handler.stream = sys.stderr
            return  # the others keep the same once more


def _has_descriptor(stream: object) -> bool:
    try:
        return stream.fileno() >= 0  # type: ignore[attr-defined,no-any-return]
    except (AttributeError, OSError, ValueError):
        return False


def _place(descriptor: int) -> tuple[int, int] | None:
    """Return device and inode of the file that a descriptor leads to; None for a closed one."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _place_of(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino
