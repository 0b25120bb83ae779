"""Linux tells which folders somebody touches (inotify): the others need no look.

It tells of each write, new name, removed name and changed attribute, whichever process it is of, before the system call
of that returns. It does not tell of what is written through a memory map, or by another name of a file that lies
elsewhere. So a folder counts as touched from when a file in it is opened until it is put back, as one that has files
with several names always does; and who asks compares with a whole walk again and again.
"""

import ctypes
import os
import struct
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress

from .raw import Key, folder_of

Identity = tuple[int, int]
"""Device and inode."""

_MODIFY, _ATTRIB, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x4, 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _OPEN, _ONLY_FOLDERS = 0x400, 0x800, 0x20, 0x01000000
_LOST, _IGNORED, _IS_FOLDER = 0x4000, 0x8000, 0x40000000
_ALL = (
    _MODIFY | _ATTRIB | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF | _OPEN | _ONLY_FOLDERS
)
_ONLY_CONTENT = _MODIFY | _OPEN
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_EVENT = struct.Struct("iIII")
_READ_BYTES = 1 << 16


class Notices:
    """Which folders are as they were when they were looked at last; none where the system does not tell that.

    Attributes:
        tells: whether the system tells of all folders that it was asked about.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
        self._descriptor = -1 if self._libc is None else self._libc.inotify_init1(_FLAGS)
        self.tells = self._descriptor >= 0
        self._close: Callable[[], object] = weakref.finalize(self, _close, self._descriptor, os.getpid())
        self._watched: dict[Key, tuple[int, Identity]] = {}
        self._keys: dict[int, Key] = {}
        self._quiet: set[Key] = set()
        self._opened: set[Key] = set()
        self._changed: set[Key] = set()
        self._lost = False

    def close(self) -> None:
        """Tell of no folder any more that it is as it was."""
        self.tells = False
        self._quiet.clear()
        self._close()

    def begin(self) -> None:
        """Take in what the system has to tell before a walk."""
        self._changed.clear()
        self._hear()

    def told_of(self, folder: Key) -> bool:
        """Return whether a change in a folder was told since the walk began; the walk itself only opens files."""
        self._hear()
        return folder in self._changed

    def _hear(self) -> None:
        while self.tells:
            try:
                told = os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                return self.close()
            at = 0
            while at < len(told):
                number, what, _, length = _EVENT.unpack_from(told, at)
                at += _EVENT.size + length
                self._note(number, what)

    def all_at_rest(self) -> None:
        """Take no file for open any more: the processes that opened them are gone."""
        self._opened.clear()
        self._lost = False

    def watch(self, folder: Key, descriptor: int) -> None:
        """Ask to be told of a folder that is open, before it is looked at."""
        status = os.fstat(descriptor)
        identity = (status.st_dev, status.st_ino)
        known = self._watched.get(folder)
        if not self.tells or self._libc is None or (known is not None and known[1] == identity):
            return
        self._quiet.discard(folder)
        number = self._libc.inotify_add_watch(self._descriptor, b"/proc/self/fd/%d" % descriptor, _ALL)
        if number < 0:
            return self.close()  # there is a limit to how many
        self._watched[folder] = number, identity
        self._keys[number] = folder

    def is_as_it_was(self, folder: Key, identity: Identity | None = None) -> bool:
        """Return whether nobody touched a folder since it was looked at; `identity` is what stands in its place."""
        if folder not in self._quiet or folder in self._opened or self._lost:
            return False
        return identity is None or self._watched[folder][1] == identity

    def looked_at(self, folder: Key) -> None:
        """Take a folder for as it is now until something is told of it."""
        if self.tells and folder in self._watched:
            self._quiet.add(folder)

    def doubt(self, folder: Key) -> None:
        """Have a folder looked at again."""
        self._quiet.discard(folder)

    def _note(self, number: int, what: int) -> None:
        if what & _LOST:
            self._quiet.clear()
            self._lost = True
        folder = self._keys.get(number)
        if folder is None or (what & _OPEN and what & _IS_FOLDER):
            return
        self._quiet.discard(folder)
        if what & _OPEN:
            self._opened.add(folder)
        else:
            self._changed.add(folder)
        if not what & _ONLY_CONTENT:
            self._changed.add(folder_of(folder))
            self._quiet.discard(folder_of(folder))  # its own attributes stand there
        if what & _IGNORED:
            del self._keys[number]
            if self._watched.get(folder, (0,))[0] == number:
                del self._watched[folder]


def _close(descriptor: int, owner: int) -> None:
    if descriptor >= 0 and os.getpid() == owner:  # not a child that was forked meanwhile
        with suppress(OSError):
            os.close(descriptor)
