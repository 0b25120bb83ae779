"""An agent keeps one connection to an order desk for all it does; the other end vanishes without a word."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rollproof import Chaos

ORDERS = {"order-1": "panel", "order-2": "cable"}


class Desk(socketserver.StreamRequestHandler):
    """Keeps each order under its number: ``PUT number what``; the same number again changes nothing."""

    folder: Path

    def handle(self) -> None:
        """Serve one connection, line by line; half a line is no order."""
        while (line := self.rfile.readline()).endswith(b"\n"):
            _, number, what = line.decode().split()
            (self.folder / number).write_text(what)
            self.wfile.write(f"kept {number}\n".encode())


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """What the desk keeps."""
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


@pytest.fixture
def desk(shared: Path) -> Iterator[str]:
    """A desk that is open; gives its ``host:port``."""
    handler = type("OwnDesk", (Desk,), {"folder": shared})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class Line:
    """One connection, made anew when it is found dead: nothing heard in ten seconds is dead."""

    def __init__(self, desk: tuple[str, int]) -> None:
        self._desk = desk
        self._socket: socket.socket | None = None

    def ask(self, text: str) -> str:
        """Return the answer; asks once more, over a new connection, where none came."""
        try:
            return self._once(text)
        except OSError:
            self.close()
            return self._once(text)

    def _once(self, text: str) -> str:
        if self._socket is None:
            self._socket = socket.create_connection(self._desk, timeout=10)
        self._socket.sendall(f"{text}\n".encode())
        answer = b""
        while not answer.endswith(b"\n"):
            part = self._socket.recv(4096)
            if not part:
                raise ConnectionError("the desk hung up in the middle of an answer")
            answer += part
        return answer.decode().rstrip()

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def order(desk: tuple[str, int]) -> str:
    """Order all that is wanted, each under its number."""
    with closing(Line(desk)) as line:
        for number, what in ORDERS.items():
            if line.ask(f"PUT {number} {what}") != f"kept {number}":
                raise OSError(f"{number} was not kept")
    return "ordered"


@pytest.mark.chaos(epic="Orders", feature="Half-open connection")
def test_a_connection_that_is_dead_and_does_not_say_so(chaos: Chaos, shared: Path, desk: str) -> None:
    """Everything is ordered once, though nobody can tell an answer that is late from one that never comes."""
    chaos.watch(shared)
    network = chaos.network("desk", desk)

    chaos.explore(run=lambda: order((network.host, network.port)))

    assert {path.name: path.read_text() for path in shared.iterdir()} == ORDERS
