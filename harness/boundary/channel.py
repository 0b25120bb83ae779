"""The channel between a child process and its parent: length-prefixed pickles over a socket pair."""

import pickle
import select
import socket
import struct
from collections.abc import Sequence
from typing import Any

from .scheduling.critical_section import CriticalSection

_LENGTH = struct.Struct("!I")


class Channel:
    """One end of the conversation."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._lock = CriticalSection()
        self._rest = b""

    def tell(self, message: object) -> None:
        """Send a message that needs no reply."""
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        with self._lock:
            self._socket.sendall(_LENGTH.pack(len(data)) + data)

    def ask(self, message: object) -> Any:
        """Send a message and wait for its reply; one thread at a time."""
        with self._lock:
            self.tell(message)
            return self.receive()

    def receive(self, timeout_s: float | None = None) -> Any:
        """Return the next message; raises EOFError when the other end is gone, TimeoutError when it is silent."""
        self._socket.settimeout(timeout_s)
        # Nothing is taken away before the message is whole: after a TimeoutError its end may still come.
        self._fill(_LENGTH.size)
        end = _LENGTH.size + _LENGTH.unpack(self._rest[: _LENGTH.size])[0]
        self._fill(end)
        data, self._rest = self._rest[_LENGTH.size : end], self._rest[end:]
        return pickle.loads(data)

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._socket.fileno()

    @property
    def has_message(self) -> bool:
        """Return whether a whole message has been read already."""
        rest = self._rest
        return len(rest) >= _LENGTH.size and len(rest) >= _LENGTH.size + _LENGTH.unpack(rest[: _LENGTH.size])[0]

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _fill(self, count: int) -> None:
        """Read until so many bytes are there."""
        while len(self._rest) < count:
            try:
                data = self._socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise EOFError
            self._rest += data


def first_to_speak(channels: Sequence[Channel], timeout_s: float) -> Channel:
    """Return a channel that has a message, or has ended; raises TimeoutError when all are silent."""
    for channel in channels:
        # What has been read already is seen by no poll.
        if channel.has_message:
            return channel
    if len(channels) == 1:
        return channels[0]
    poll = select.poll()
    for channel in channels:
        poll.register(channel.fileno(), select.POLLIN)
    ready = [fd for fd, _ in poll.poll(timeout_s * 1000)]
    for channel in channels:
        if channel.fileno() in ready:
            return channel
    raise TimeoutError
