"""The guardian of a process that explores: waits for its end and, where it left records, puts them back.

    python -m rollproof.guard.guardian FOLDER [WITH]

Something on its standard input says that there is a record more, or less.
FOLDER is that of a `Session`. WITH is the pid of a process that the owner must not outlive: the controller of a worker.
A process of its own, in a session of its own, which hears no signal: what ends the test's process does not reach it.
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from ..values.owners import Owner
from ..values.rare import rare
from . import record
from .session import BEAT_S, Session

_ENDING_S = 5.0
_LOOK_EVERY_S = 0.01


def main(folder: Path, lives_with: Owner | None) -> None:
    """Guard until the owner has ended, or does not need it any more."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    session = Session(folder)
    with suppress(FileNotFoundError), session.locked() as there:
        if there:
            _wait(session, lives_with)
            end_processes(session)
            for kept in session.kept():
                rare("a guardian puts a record back")
                record.put_back(kept)
            session.remove()


def _wait(session: Session, lives_with: Owner | None) -> None:
    owner = session.owner
    watched = _Watched(owner, *([lives_with] if lives_with is not None else []))
    while owner.is_alive:
        session.beat()
        if watched.wait(BEAT_S):
            with suppress(OSError):
                record.tidy(session.records)
        if lives_with is not None and not lives_with.is_alive:
            rare("a guardian ends a worker whose controller is gone")
            with suppress(ProcessLookupError):
                os.kill(owner.pid, signal.SIGKILL)
            watched = _Watched(owner)


class _Watched:
    """Processes of which one may end, and the standard input, where the owner speaks."""

    def __init__(self, *owners: Owner) -> None:
        self._poll, self._count = select.poll(), 0
        for owner in owners:
            with suppress(AttributeError, OSError):  # not Linux, or before 5.3; or it has ended
                self._poll.register(os.pidfd_open(owner.pid), select.POLLIN)
                self._count += 1
        self._wanted = len(owners)
        self._poll.register(0, select.POLLIN)

    def wait(self, at_most_s: float) -> bool:
        """Wait until one of them may have ended, or the owner has spoken; returns whether it has."""
        complete = self._count == self._wanted
        ready = [fd for fd, _ in self._poll.poll(1000 * (at_most_s if complete else _LOOK_EVERY_S))]
        if 0 not in ready:
            return False
        if not os.read(0, 4096):
            self._poll.unregister(0)
        return True


def end_processes(session: Session) -> None:
    """Wait for the processes that the owner noted, and kill those that do not end."""
    until = time.monotonic() + _ENDING_S
    for process in session.noted():
        while process.is_alive and time.monotonic() < until:
            time.sleep(_LOOK_EVERY_S)
        _end_family(process)


def _end_family(process: Owner) -> None:
    """Kill a process and its descendants, the oldest first."""
    if not process.is_alive:
        return
    rare("a guardian ends a process that did not end")
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGSTOP)
    for child in _children(process.pid):
        _end_family(child)
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    while process.is_alive:
        time.sleep(_LOOK_EVERY_S)


def _children(pid: int) -> list[Owner]:
    found: list[Owner] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [Owner.of(int(child)) for child in path.read_text(encoding="ascii").split()]
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), Owner.of(int(sys.argv[2])) if len(sys.argv) > 2 else None)
