"""Signals that end a session: they come as exceptions, and not while something is half done.

SIGTERM and SIGHUP would end this process at once. Here they interrupt what it does as Ctrl-C does, so that what is
watched can be put back and what was found be told; after that the process ends as it would have.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ...values.rare import rare

_ENDING = (signal.SIGTERM, signal.SIGHUP) if sys.platform != "win32" else ()
_ALSO = (signal.SIGINT, signal.SIGALRM) if sys.platform != "win32" else ()
"""Their handlers raise what interrupts already: Ctrl-C, and a timeout of pytest-timeout."""


class Interrupted(KeyboardInterrupt):
    """The session was interrupted: by SIGTERM, by SIGHUP, or by another thread.

    Attributes:
        why: the name of the signal, or what was said.
    """

    def __init__(self, why: str) -> None:
        super().__init__(f"interrupted by {why}")
        self.why = why


class _Interrupts:
    """The installed signal handlers, whether a signal may interrupt now, and which one has."""

    def __init__(self) -> None:
        self.previous: dict[int, Any] = {}
        self.came: set[int] = set()
        self.shields = self.waiting = self.interrupted = 0
        self.raised = False  # whether an exception is under way in this block
        self.said, self._pid = "", os.getpid()

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Raise for a signal, or postpone it while shielded.

        A signal that comes a second time acts as before the harness.
        """
        # A second one is meant: nobody who sends it wants to wait any longer.
        if number in self.came or os.getpid() != self._pid:  # in a fork, before `finish` was called there
            signal.signal(number, self.previous.get(number, signal.SIG_DFL))
            signal.raise_signal(number)
            return
        if number != signal.SIGALRM:
            self.came.add(number)
        if self.interrupted:
            return
        if self.shields:
            self.waiting = number
        else:
            self.deliver(number, frame)

    def deliver(self, number: int, frame: FrameType | None = None) -> None:
        """Raise `Interrupted` for a signal that would end this process; call the earlier handler of any other."""
        self.waiting = 0
        if number != signal.SIGALRM:
            self.interrupted = signal.SIGINT if self.said else number
        self.raised = number != signal.SIGALRM
        if number in _ENDING:
            raise Interrupted(self.said or signal.Signals(number).name)
        self.previous[number](number, frame)


_now = _Interrupts()


@contextmanager
def as_exceptions(*, exploring: bool = True) -> Iterator[None]:
    """Turn signals that end the session into exceptions in this block; does nothing in a thread.

    While `exploring`, those that raise already may be held up by `shielded`, too. Once one has come, others change
    nothing any more, until `finish`: what was found is still to be told.
    """
    installed = []
    _now.raised = False
    if threading.current_thread() is threading.main_thread():
        for number in (*_ENDING, *(_ALSO if exploring else ())):
            handler = signal.getsignal(number)
            if handler == _now.handle or not (callable(handler) or (number in _ENDING and handler is signal.SIG_DFL)):
                continue
            _now.previous[number] = handler
            signal.signal(number, _now.handle)
            installed.append(number)
    try:
        yield
    finally:
        _now.raised = False
        if not _now.interrupted:
            _restore(installed)


@contextmanager
def shielded() -> Iterator[None]:
    """Postpone signals until the end of the block, whose work must not be left half done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _now.shields += 1
    try:
        yield
    finally:
        _now.shields -= 1
        if _now.waiting and not _now.shields:
            _now.deliver(_now.waiting)


def check() -> None:
    """Raise the interruption again, if it was swallowed and the block goes on.

    An exception that comes in a finalizer, or in a callback of the garbage collector, is swallowed there.
    """
    if _now.raised:
        rare("an interruption that somebody swallowed comes again")
        number = _now.interrupted
        raise Interrupted(_now.said or signal.Signals(number).name) if number in _ENDING else KeyboardInterrupt


def interrupt(why: str) -> bool:
    """Interrupt the main thread from another one; returns False where it would end this process at once."""
    if not _now.previous or _now.came:
        return False
    rare("another thread interrupts an exploration")
    _now.said = why
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    return True


def _restore(numbers: Iterable[int]) -> None:
    """Restore the earlier handlers of these signals."""
    for number in numbers:
        handler = _now.previous.get(number)
        if handler is not None and signal.getsignal(number) == _now.handle:
            signal.signal(number, handler)
        _now.previous.pop(number, None)


def interrupted() -> int:
    """Return the signal that interrupted, or 0."""
    return _now.interrupted


def end_as_before() -> None:
    """Restore the handlers, and send this process the signal that interrupted once more; Ctrl-C was raised already."""
    if (number := finish()) in _ENDING:
        sys.stdout.flush()
        sys.stderr.flush()
        signal.raise_signal(number)


def finish() -> int:
    """Restore the earlier signal handlers; returns the number of the signal that interrupted, or 0."""
    global _now
    _restore(tuple(_now.previous))
    over, _now = _now, _Interrupts()
    return over.interrupted


if sys.platform != "win32":
    os.register_at_fork(after_in_child=finish)  # what a fork does with signals is its own affair
