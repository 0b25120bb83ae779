"""The handle on a guardian in the process that it guards."""

import atexit
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..values.errors import ChaosError
from ..values.owners import Owner, remove_temporary_folders, temporary_places
from ..values.rare import rare
from ..world.storage.raw import DiskState, Source
from . import record
from .places import places
from .session import Session

_LOOK_EVERY_S = 0.001
_guards: dict[tuple[int, Path], "Guard"] = {}


def guard(where: Sequence[Path] = (), sources: Sequence[Source] = (), lives_with: int = 0) -> "Guard":
    """Return the guardian of this process, started where there is none yet.

    Args:
        where: its folder may be there; the first one that is not watched itself and can be written to. Empty for those
            that `places` names.
        lives_with: the pid of a process that this one must not outlive, or 0.

    Raises:
        ChaosError: ``no-record`` where none of the places will do.
    """
    where = where or places()
    for place in where:
        if any(place.resolve().is_relative_to(os.path.realpath(source.path)) for source in sources):
            continue
        with suppress(OSError):
            known = _guards.get((os.getpid(), place))
            if known is None or not known.stands:
                known = _guards[os.getpid(), place] = Guard(place, lives_with)
            known.check()
            return known
    tried = ", ".join(map(str, where))
    text = f"how what is watched lay before cannot be written anywhere (tried: {tried})"
    raise ChaosError("no-record", text, "let XDG_STATE_HOME name a folder that can be written to and is not watched")


class Guard:
    """A guardian, and the folder that it looks at."""

    def __init__(self, place: Path, lives_with: int = 0) -> None:
        self._made = [folder for folder in (place, *place.parents) if not folder.exists()]
        self._session = Session.make(place)
        self._owner, self._lives_with, self._count = os.getpid(), lives_with, 0
        self._start()

    @property
    def stands(self) -> bool:
        """Return whether its folder is there: somebody may have removed all of pytest's cache."""
        return self._session.heartbeat.exists()

    def hold(self, sources: Sequence[Source], state: DiskState) -> "Held":
        """Write a record of `state`; whatever ends this process from now on, the sources become that again."""
        self.check()
        self._count += 1
        folder = self._session.records / str(self._count)
        record.write(folder, sources, state)
        self.tidy()
        return Held(self, folder)

    def tidy(self) -> None:
        """Tell the guardian of a record more, or less."""
        with suppress(BrokenPipeError):
            os.write(self._line, b".")

    def note(self, pid: int) -> None:
        """Note a process that must have ended before anything is put back."""
        self._session.note(pid)

    def forget(self, pid: int) -> None:
        """Forget a process that has ended."""
        self._session.forget(pid)

    def check(self) -> None:
        """Start the guardian again if it was killed: this process may be killed next."""
        if not self.guardian.is_alive and self.stands:
            rare("a guardian that was killed is started again")
            os.close(self._line)
            self._start()

    def close(self) -> None:
        """End the guardian, unless there is something to put back when this process has ended."""
        if os.getpid() != self._owner or not self.guardian.is_alive:
            return
        with suppress(FileNotFoundError):
            if self._session.kept():
                return
            self._session.discard()
        with suppress(ProcessLookupError):
            os.kill(self.guardian.pid, signal.SIGKILL)
        os.close(self._line)
        while self.guardian.is_alive:
            time.sleep(_LOOK_EVERY_S)
        with suppress(OSError):  # somebody else uses it by now
            for folder in self._made:
                folder.rmdir()

    def _start(self) -> None:
        also = [str(self._lives_with)] if self._lives_with else []
        # -P: a file of the user's in the working directory is never taken for a module of Python's.
        command = [sys.executable, "-P", "-m", "rollproof.guard.guardian", str(self._session.folder), *also]
        theirs, self._line = os.pipe()
        self.guardian = Owner.of(_apart(command, theirs))
        os.close(theirs)


def _apart(command: Sequence[str], line: int) -> int:
    """Start a process that is no child of this one, and return its pid: a test may wait for all children it has.

    It has a session of its own: what ends the group of this process does not end it.
    """
    answer, told = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12+, of threads: this fork only starts a program
        between = os.fork()
    if between == 0:
        try:
            null = subprocess.DEVNULL
            process = subprocess.Popen(command, stdin=line, stdout=null, stderr=null, start_new_session=True)
            os.write(told, str(process.pid).encode())
        finally:
            os._exit(0)
    os.close(told)
    with open(answer, "rb") as file:
        pid = file.read()
    os.waitpid(between, 0)
    if not pid:
        raise ChaosError("no-guardian", "what puts back what is watched could not be started", "is there room for it?")
    return int(pid)


class Held:
    """A record on disk, kept until its content was put back."""

    def __init__(self, guard: Guard, folder: Path) -> None:
        self._guard, self._folder = guard, folder
        self._noted: list[int] = []

    @property
    def stands(self) -> bool:
        """Return whether the record is there: somebody may have removed all of pytest's cache."""
        return self._folder.exists()

    def check(self) -> None:
        """Make sure that the guardian runs."""
        self._guard.check()

    def taken_over_by(self, other: "Held") -> "Held":
        """Put another record in the place of this one, which is gone, and return it."""
        for pid in self._noted:
            other.note(pid)
        return other

    def note(self, pid: int) -> None:
        """Note a process that must have ended before anything is put back."""
        self._noted.append(pid)
        self._guard.note(pid)

    def release(self) -> None:
        """Remove the record: everything is where it belongs, and the processes have ended."""
        record.remove(self._folder)
        self._guard.tidy()
        for pid in self._noted:
            self._guard.forget(pid)


def close_all(*, last: bool = False) -> None:
    """End the guardians of this process; at its exit also remove records that were never completed."""
    while _guards:
        _guards.popitem()[1].close()
    if last:
        remove_temporary_folders(Owner.of(os.getpid()), temporary_places())


atexit.register(close_all, last=True)
