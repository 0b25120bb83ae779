"""``http.client`` and what stands on it (requests, urllib3, urllib): a connection is a line to one function, in memory.

The clients run unmodified above their own ``connect``.
"""

import http.client
import io
import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ...values.http import HttpRequest, HttpResponse
from ..adapters import python_http, urllib3_connections
from .http1 import Http1Server, base_of
from .transport import TransportFault, socket_error

Answer = Callable[[HttpRequest], HttpResponse]
Permits = Callable[[str, int | None], bool]


class MemorySocket:
    """Stands for the connected socket of a client; `refused` makes its own error for a connection that is refused."""

    def __init__(self, base: str, answer: Answer, refused: Callable[[], Exception]) -> None:
        self._answer, self._refused = answer, refused
        self._server = Http1Server(base)
        self._reply = b""
        self._error: Exception | None = None
        self._pipe: tuple[int, int] | None = None
        self._readable = False

    def sendall(self, data: bytes) -> None:
        """Take bytes that the client writes; a complete request is answered at once."""
        request = self._server.receive(data)
        if request is not None:
            if self._readable:
                os.read(self.fileno(), 1)
                self._readable = False
            self._ask(request)
        elif self._server.is_asked_to_go_on:
            self._reply, self._readable = self._server.go_on(), True
            os.write(self._ends()[1], b".")

    def makefile(self, mode: str = "rb", *args: Any, **kwargs: Any) -> io.BufferedReader:
        """Return a file that yields the answer to the last request, then the end or the error of the connection."""
        return io.BufferedReader(_Incoming(self._reply, self._error))

    def fileno(self) -> int:
        """Return a descriptor that has something to read where the client is told to send the body of its request.

        Otherwise it never has, as that of an idle connection.
        """
        return self._ends()[0]

    def close(self) -> None:
        """Hang up."""
        for fd in self._pipe or ():
            os.close(fd)
        self._pipe = None

    def settimeout(self, value: float | None) -> None:
        """Ignore the timeout: no call of this socket waits."""

    def setsockopt(self, *args: Any) -> None:
        """Ignore the option: there is no real socket."""

    def shutdown(self, how: int) -> None:
        """Do nothing: no bytes are on their way."""

    def _ends(self) -> tuple[int, int]:
        if self._pipe is None:
            self._pipe = os.pipe()
        return self._pipe

    def _ask(self, request: HttpRequest) -> None:
        if request.method == "CONNECT":  # through a proxy
            self._server = Http1Server(f"https://{request.url.removesuffix(':443')}")
            self._reply = b"HTTP/1.1 200 OK\r\n\r\n"
            return
        self._reply, self._error = b"", None
        try:
            answer = self._answer(request)
        except TransportFault as fault:
            if fault.reason == "refused":
                refused = self._refused()
                fault.becomes(refused)
                raise refused from None
            self._error = socket_error(fault.reason)
            fault.becomes(self._error)
            return
        self._reply = self._server.said(answer)
        self._error = socket_error("timeout") if answer.broken == "stalled" else None


class _Incoming(io.RawIOBase):
    """The bytes of an answer, and after them an error, or the end."""

    def __init__(self, data: bytes, error: Exception | None) -> None:
        self._data, self._error = data, error

    def readable(self) -> bool:
        """Return true: the stream is there to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the bytes that are there; raise the error by which the connection died."""
        if not self._data and self._error is not None:
            raise self._error
        count = min(len(buffer), len(self._data))
        buffer[:count], self._data = self._data[:count], self._data[count:]
        return count


def _connection_refused() -> Exception:
    return socket_error("refused")


def install(answer: Answer, permits: Permits) -> Callable[[], None]:
    """Answer every request of these clients by `answer`; returns a function that undoes it.

    Connections to a host and port that `permits` names are real.
    """
    undo = [_standard_library(answer, permits)]
    if find_spec("urllib3") is not None:
        undo.append(_urllib3(answer, permits))

    def uninstall() -> None:
        for step in reversed(undo):
            step()

    return uninstall


def _replaced(owner: Any, name: str, replacement: Any) -> Callable[[], None]:
    original = getattr(owner, name)
    setattr(owner, name, replacement)
    return lambda: setattr(owner, name, original)


def _standard_library(answer: Answer, permits: Permits) -> Callable[[], None]:
    def connecting(scheme: str, plain: Callable[[Any], None]) -> Callable[[Any], None]:
        def connect(self: Any) -> None:
            if permits(self.host, self.port):
                plain(self)
                return
            self.sock = MemorySocket(base_of(scheme, self.host, self.port), answer, _connection_refused)
            python_http.through_proxy(self)

        return connect

    plain_http, https = http.client.HTTPConnection, http.client.HTTPSConnection
    undo = [
        _replaced(https, "connect", connecting("https", https.connect)),
        _replaced(plain_http, "connect", connecting("http", plain_http.connect)),
    ]

    def uninstall() -> None:
        for step in undo:
            step()

    return uninstall


def _urllib3(answer: Answer, permits: Permits) -> Callable[[], None]:
    exceptions: Any = import_module("urllib3.exceptions")

    def connect(connection: Any, scheme: str, dial: Callable[[], Any]) -> Any:
        if permits(connection.host, connection.port):
            return dial()

        def refused() -> Exception:
            text = f"Failed to establish a new connection: {_connection_refused()}"
            error: Exception = exceptions.NewConnectionError(connection, text)
            return error

        return MemorySocket(base_of(scheme, connection.host, connection.port), answer, refused)

    return urllib3_connections.connect_by(connect, lambda sock: isinstance(sock, MemorySocket))
