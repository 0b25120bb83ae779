"""Both ends of a connection through a proxy: a service that writes down what comes, and a client that does too."""

import contextlib
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .servers import Server

PATIENCE_S = 10.0
_NUMBERS = itertools.count(1)


@dataclass
class Visit:
    """One connection as the service saw it; `ended` is ``eof`` or ``reset`` when it is over."""

    socket: socket.socket
    read: bytearray = field(default_factory=bytearray)
    ended: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> str:
        """Wait until it is over, and return how it ended."""
        assert self.over.wait(PATIENCE_S), "the service's connection is still open"
        return self.ended

    def wait_for(self, size: int) -> bytes:
        """Wait until so many bytes came."""
        until = time.monotonic() + PATIENCE_S
        while len(self.read) < size and time.monotonic() < until:
            self.over.wait(0.005)
        return bytes(self.read)

    def send(self, data: bytes) -> None:
        """Say something to the client, if it still is there."""
        with contextlib.suppress(OSError):
            self.socket.sendall(data)

    def reset(self) -> None:
        """Break the connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.shutdown(socket.SHUT_RD)
        self.socket.close()


Manner = Callable[[Visit, bytes], None]
"""What the service does with what it has just read."""


def silent(visit: Visit, data: bytes) -> None:
    """Only listen."""


def echo(visit: Visit, data: bytes) -> None:
    """Say it back."""
    visit.send(data)


def says(answer: bytes, close: bool = False) -> Manner:
    """Answer the first words with this, and close then or wait for the client to do so."""

    def manner(visit: Visit, data: bytes) -> None:
        if len(visit.read) == len(data):
            visit.send(answer)
            if close:
                visit.socket.shutdown(socket.SHUT_WR)

    return manner


class Service:
    """A TCP server in threads of this process."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self.visits: list[Visit] = []
        self._came = threading.Condition()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def visit(self, number: int = 1) -> Visit:
        """Wait for the n-th connection."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.visits) >= number, PATIENCE_S), "nobody came"
            return self.visits[number - 1]

    def close(self) -> None:
        """End all connections and threads."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for visit in self.visits:
            with contextlib.suppress(OSError):
                visit.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()
        for visit in self.visits:
            visit.socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                visit = Visit(self._listener.accept()[0])
                self._threads.append(threading.Thread(target=self._listen, args=[visit]))
                self._threads[-1].start()
                with self._came:
                    self.visits.append(visit)
                    self._came.notify_all()

    def _listen(self, visit: Visit) -> None:
        try:
            while data := visit.socket.recv(1 << 20):
                visit.read += data
                self._manner(visit, data)
            visit.ended = "eof"
        except OSError:
            visit.ended = "reset"
        with contextlib.suppress(OSError):
            visit.socket.shutdown(socket.SHUT_RDWR)
        visit.over.set()


@contextmanager
def serving(manner: Manner) -> Iterator[Service]:
    """Run a service."""
    service = Service(manner)
    try:
        yield service
    finally:
        service.close()


class Proxied:
    """A proxy to a port, by the bare API."""

    def __init__(self, server: Server, port: int) -> None:
        self._server = server
        self.name = f"p{next(_NUMBERS)}"
        self._path = f"/proxies/{self.name}"
        wanted = {"name": self.name, "upstream": f"127.0.0.1:{port}", "listen": "127.0.0.1:0"}
        self.port = int(server.json("POST", "/proxies", wanted)["listen"].rpartition(":")[2])

    def toxic(
        self, type: str, stream: str = "downstream", name: str = "", toxicity: float = 1, **attributes: int
    ) -> str:
        """Add a toxic, and return its name."""
        wanted = {"type": type, "stream": stream, "name": name, "toxicity": toxicity, "attributes": attributes}
        return str(self._server.json("POST", f"{self._path}/toxics", wanted)["name"])

    def change(self, toxic: str, **attributes: int) -> None:
        """Change a toxic."""
        self._server.json("POST", f"{self._path}/toxics/{toxic}", {"attributes": attributes})

    def remove(self, toxic: str) -> None:
        """Take a toxic out."""
        self._server.json("DELETE", f"{self._path}/toxics/{toxic}")

    def update(self, **changes: object) -> Any:
        """Change the proxy."""
        return self._server.json("POST", self._path, changes)

    def delete(self) -> None:
        """Remove the proxy."""
        self._server.json("DELETE", self._path)


class Client:
    """A connection of one's own, and how it ended: ``eof``, ``reset`` or ``silence``."""

    def __init__(self, port: int) -> None:
        self.began = time.monotonic()
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> "Client":
        """Say something."""
        self.socket.sendall(data)
        return self

    def read(self, size: int) -> bytes:
        """Return so many bytes, or fewer where it ends before."""
        found = bytearray()
        with contextlib.suppress(OSError):
            while len(found) < size and (data := self.socket.recv(size - len(found))):
                found += data
        return bytes(found)

    def rest(self, silence_s: float = PATIENCE_S) -> tuple[bytes, str]:
        """Read to the end, or until nothing comes for so long; returns what came and the end."""
        self.socket.settimeout(silence_s)
        found = bytearray()
        try:
            while data := self.socket.recv(1 << 20):
                found += data
        except TimeoutError:
            return bytes(found), "silence"
        except OSError:
            return bytes(found), "reset"
        return bytes(found), "eof"

    @property
    def spent_s(self) -> float:
        """Return how long ago it was opened."""
        return time.monotonic() - self.began

    def close(self) -> None:
        """Leave."""
        self.socket.close()
