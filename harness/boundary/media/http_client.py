"""``http.client`` and what stands on it (requests, urllib3, urllib): a connection is a line to one function, in memory.

The clients run unmodified above their own ``connect``; HTTP/1.1 on the line is read and written by h11.
"""

import errno
import http.client
import io
import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import h11

from ...values.http import HttpRequest, HttpResponse
from ..adapters import python_http, urllib3_connections
from .transport import TransportFault

Answer = Callable[[HttpRequest], HttpResponse]
Permits = Callable[[str, int | None], bool]
_DEFAULT_PORTS = {"http": 80, "https": 443}


class MemorySocket:
    """Stands for the connected socket of a client; `refused` makes its own error for a connection that is refused."""

    def __init__(self, scheme: str, host: str, port: int, answer: Answer, refused: Callable[[], Exception]) -> None:
        shown = f"[{host}]" if ":" in host else host
        authority = shown if port == _DEFAULT_PORTS[scheme] else f"{shown}:{port}"
        self._base, self._answer, self._refused = f"{scheme}://{authority}", answer, refused
        self._server = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = b""
        self._reply = b""
        self._error: Exception | None = None
        self._pipe: tuple[int, int] | None = None

    def sendall(self, data: bytes) -> None:
        """Take bytes that the client writes; a complete request is answered at once."""
        if self._server.our_state is h11.DONE and self._server.their_state is h11.DONE:
            self._server.start_next_cycle()
        self._server.receive_data(bytes(data))
        while (event := self._server.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Request):
                self._request, self._body = event, b""
            elif isinstance(event, h11.Data):
                self._body += event.data
            elif isinstance(event, h11.EndOfMessage):
                self._ask()
                return
            else:
                return

    def makefile(self, mode: str = "rb", *args: Any, **kwargs: Any) -> io.BufferedReader:
        """Return a file that yields the answer to the last request, then the end or the error of the connection."""
        return io.BufferedReader(_Incoming(self._reply, self._error))

    def fileno(self) -> int:
        """Return a descriptor that never has anything to read, as that of an idle connection."""
        if self._pipe is None:
            self._pipe = os.pipe()
        return self._pipe[0]

    def close(self) -> None:
        """Hang up."""
        for fd in self._pipe or ():
            os.close(fd)
        self._pipe = None

    def settimeout(self, value: float | None) -> None:
        """Nothing waits here."""

    def setsockopt(self, *args: Any) -> None:
        """There are no options."""

    def shutdown(self, how: int) -> None:
        """Nothing is on its way."""

    def _ask(self) -> None:
        asked = self._request
        assert asked is not None
        target = asked.target.decode()
        if asked.method == b"CONNECT":  # through a proxy
            self._base, self._reply = f"https://{target.removesuffix(':443')}", b"HTTP/1.1 200 OK\r\n\r\n"
            self._server = h11.Connection(h11.SERVER)
            return
        url = target if target.startswith(("http://", "https://")) else self._base + target
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in asked.headers}
        self._reply, self._error = b"", None
        try:
            answer = self._answer(HttpRequest(asked.method.decode(), url, headers, self._body))
        except TransportFault as fault:
            if fault.reason == "refused":
                refused = self._refused()
                fault.becomes(refused)
                raise refused from None
            self._error = _timed_out() if fault.reason == "timeout" else _reset()
            fault.becomes(self._error)
            return
        self._say(answer)

    def _say(self, answer: HttpResponse) -> None:
        headers = [(name, value) for name, value in answer.header_lines if name.lower() != "content-length"]
        if answer.broken:
            # In chunks, of which the last is missing: so the client knows that the body was cut.
            head = h11.Response(status_code=answer.status, headers=[*headers, ("transfer-encoding", "chunked")])
            self._error = _timed_out() if answer.broken == "stalled" else None
        else:
            head = h11.Response(
                status_code=answer.status, headers=[*headers, ("content-length", str(len(answer.body)))]
            )
        parts = [self._server.send(head), self._server.send(h11.Data(data=answer.body))]
        if not answer.broken:
            parts.append(self._server.send(h11.EndOfMessage()))
        self._reply = b"".join(part for part in parts if part)


class _Incoming(io.RawIOBase):
    """The bytes of an answer, and after them an error, or the end."""

    def __init__(self, data: bytes, error: Exception | None) -> None:
        self._data, self._error = data, error

    def readable(self) -> bool:
        """It is only read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the bytes that are there; raise the error by which the connection died."""
        if not self._data and self._error is not None:
            raise self._error
        count = min(len(buffer), len(self._data))
        buffer[:count], self._data = self._data[:count], self._data[count:]
        return count


def _timed_out() -> Exception:
    return TimeoutError("timed out")


def _reset() -> Exception:
    return ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")


def _connection_refused() -> Exception:
    return ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


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
            self.sock = MemorySocket(scheme, self.host, self.port, answer, _connection_refused)
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

        return MemorySocket(scheme, connection.host, connection.port or _DEFAULT_PORTS[scheme], answer, refused)

    return urllib3_connections.connect_by(connect, lambda sock: isinstance(sock, MemorySocket))
