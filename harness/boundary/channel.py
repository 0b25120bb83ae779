"""What a child process and its parent say to each other: length-prefixed pickles over a socket pair."""

import os
import pickle
import select
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ..values.http import HttpRequest
from ..values.places import Place, Raised
from ..values.points import Doer, Flight, Point, When
from ..values.reads import EVERYTHING, Footprint
from .brief import Brief

_LENGTH = struct.Struct("!I")


class Reached(NamedTuple):
    """A point is reached. It is told before anything happens there: a process that is killed there cannot tell it.

    The first five fields are those of the point; `place` is the number of the place in the agent's code, `frames` the
    place itself where it is a new one.
    """

    kind: str
    verb: str
    target: str
    n: int
    task: str
    place: int
    frames: Place | None


@dataclass(frozen=True, slots=True)
class Crossed:
    """A point was reached (`when` "before") or left; the child waits until the parent has looked at the world.

    `by` says who is at it.
    """

    point: Point
    when: When
    clock: float
    size: int = 0
    by: Doer = "main"


@dataclass(frozen=True, slots=True)
class Act:
    """A request for a twin. `armed` is the position in the plan of a fault that changes the answer, or None."""

    point: Point
    request: HttpRequest
    clock: float
    armed: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The parent's reply where the harness itself cannot answer; ends the exploration."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Struck:
    """What became of the planned injection at this position.

    It is "due" when its point and phase are there, and "fired" when its action was carried out, which only the one that
    did so says. An order may turn out to have been held "in vain".
    """

    armed: int
    clock: float
    stage: Literal["due", "fired", "in vain"] = "fired"


@dataclass(frozen=True, slots=True)
class Noted:
    """Something the statement must know.

    `kind` is "unintercepted", "unwatched", "concurrent", "unheld", "unordered", "unsupported", "maps_memory",
    "unbounded" or "name"; of hosts that nobody declared, with the agent's line: "forbidden" and, of a declared one,
    "unseen" for what is an error, "asked" for what is none while the agent goes on, "needed" where it did not,
    "looked_up" for a name alone.
    """

    kind: str
    text: str
    place: Place = ()


@dataclass(frozen=True, slots=True)
class Damaged:
    """The process is about to damage a file where it lies, from `before` to `after`."""

    path: str
    before: bytes
    after: bytes

    def put_back(self) -> bool:
        """Make the file whole if the damage still stands at this path; says whether it did."""
        return self._replace(self.after, self.before)

    def repeat(self) -> None:
        """Damage the file again."""
        self._replace(self.before, self.after)

    def _replace(self, found: bytes, wanted: bytes) -> bool:
        """Write in place, under the same times; what was appended since stays."""
        try:
            with open(self.path, "r+b", buffering=0) as file:
                status, content = os.fstat(file.fileno()), file.read()
                cut = len(self.after) < len(self.before)
                if content != found and (cut or not content.startswith(found)):
                    return False
                file.seek(0)
                file.write(wanted)
                if cut:
                    file.truncate()
            os.utime(self.path, ns=(status.st_atime_ns, status.st_mtime_ns))
        except OSError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Started:
    """The agent starts another process at this place; told with the pid 0 before that can do anything, then again."""

    pid: int
    place: Place


@dataclass(frozen=True, slots=True)
class Connecting:
    """The process is about to connect to the relay of this name; the reply is an `Armed` or None."""

    name: str
    clock: float
    place: Place = ()


@dataclass(frozen=True, slots=True)
class Expecting:
    """Would the network bring something if the process waited? The reply is a bool."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The process came to its end by itself: kind is "returned" or "raised".

    `rests` says that it is as it was before, and waits for another order; `raised` where the exception came from.
    `waits` says that it waits to be called again, as it is; `leaves` that something is to be done before its end.
    """

    kind: str
    value: bytes
    error: str
    traceback: str
    clock: float
    calls: int
    polls: int
    late_modules: tuple[str, ...] = ()
    flights: tuple[Flight, ...] = ()
    rests: bool = False
    footprint: Footprint = EVERYTHING
    raised: Raised | None = None
    waits: bool = False
    leaves: bool = False


class Channel:
    """One end of the conversation."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._lock = Brief()
        self._rest = b""

    def tell(self, message: object) -> None:
        """Send a message that needs no reply."""
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        with self._lock:
            self._socket.sendall(_LENGTH.pack(len(data)) + data)

    def ask(self, message: object) -> Any:
        """Send a message and wait for its reply; threads take turns."""
        with self._lock:
            self.tell(message)
            return self.receive()

    def receive(self, timeout_s: float | None = None) -> Any:
        """Return the next message; raises EOFError when the other end is gone, TimeoutError when it is silent."""
        self._socket.settimeout(timeout_s)
        header = self._exactly(_LENGTH.size)
        return pickle.loads(self._exactly(_LENGTH.unpack(header)[0]))

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._socket.fileno()

    @property
    def has_message(self) -> bool:
        """Whether a whole message has been read already."""
        rest = self._rest
        return len(rest) >= _LENGTH.size and len(rest) >= _LENGTH.size + _LENGTH.unpack(rest[: _LENGTH.size])[0]

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            try:
                data = self._socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise EOFError
            self._rest += data
        data, self._rest = self._rest[:count], self._rest[count:]
        return data


def first_to_speak(channels: Sequence[Channel], timeout_s: float) -> Channel:
    """Return a channel that has a message, or has ended; raises TimeoutError when all are silent."""
    for channel in channels:
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
