"""Connections to the real hosts that a test permits: whether one of them may still bring something.

The kernel tells what no wrapper of ours sees, whoever the client is: the state of a connection, and for how long both
sides have been silent (``TCP_INFO``).
"""

import os
import socket
import struct
import sys
import time
from collections.abc import Callable

from ...values.real_time import REAL_SERVER_S

# The agent's clock and files are ours by the time that these are called.
_real_fstat, _real_monotonic = os.fstat, time.monotonic
_Socket = socket.SocketType
_LOOKING_UP = getattr(socket.getaddrinfo, "__code__", None)
_TCP_INFO = getattr(socket, "TCP_INFO", 11)
_CONNECTING = 2
_OPEN = (1, 4, 5)  # connected; and two states in which only our side has said that it will send no more
_TOLD = struct.Struct("=B43xI4xII")
"""The head of ``struct tcp_info``: state; milliseconds since data was sent, received and acknowledged."""


class RealConnections:
    """Tells whether a real server may still be at work on an answer, which comes in real time.

    Args:
        others: says whether any other thread of the process does more than wait for a lock, a signal or work.
        decided: is told, in words, where a server was silent for so long that it is not waited for any more.

    Attributes:
        permitted: whether the agent may reach any real host; nothing is looked at otherwise.
    """

    def __init__(self, others: Callable[[], bool], decided: Callable[[str], object]) -> None:
        self._others, self._decided = others, decided
        self._begun: dict[int, tuple[int, float]] = {}
        self.permitted = False

    def begin(self, fd: int) -> None:
        """Note that a socket is about to connect to a permitted host."""
        # The client may give the descriptor to another object (for TLS), or close it: its inode tells which.
        self._begun[fd] = _real_fstat(fd).st_ino, _real_monotonic()

    def expecting(self, sleeps: Callable[[], bool]) -> bool:
        """Say whether a name is looked up, or a server was asked, or heard of, within REAL_SERVER_S real seconds.

        Whether what came was the whole answer is not known: an idle connection counts so long, too, but where nobody
        can wait for it. `sleeps` says whether the current thread waits for nothing but a time.
        """
        if not self.permitted or (sleeps() and not self._others()):
            return False
        if any(frame.f_code is _LOOKING_UP for frame in sys._current_frames().values()):
            return True
        silent = [self._silent_s(fd, *begun) for fd, begun in list(self._begun.items())]
        silent_s = min((seconds for seconds in silent if seconds is not None), default=None)
        if silent_s is not None and silent_s >= REAL_SERVER_S:
            self._decided(f"a real server that is silent for more than {REAL_SERVER_S:g} s")
        return silent_s is not None and silent_s < REAL_SERVER_S

    def _silent_s(self, fd: int, inode: int, begun: float) -> float | None:
        """Return for how many seconds nothing was sent or received; None for a connection that is over."""
        try:
            gone = _real_fstat(fd).st_ino != inode
            state, sent_ms, received_ms, _ = _told(fd) if not gone else (0, 0, 0, 0)
        except OSError:
            gone, state = True, 0
        if gone:
            self._begun.pop(fd, None)
        if state == _CONNECTING:
            return _real_monotonic() - begun
        return min(sent_ms, received_ms) / 1000 if state in _OPEN else None


def _told(fd: int) -> tuple[int, ...]:
    borrowed = _Socket(fileno=fd)
    try:
        return _TOLD.unpack(borrowed.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _TOLD.size))
    finally:
        borrowed.detach()
