"""The server's end of a connection in memory: HTTP/1.1, read and written by h11."""

import h11

from ...values.http import HttpRequest, HttpResponse

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Http1Server:
    """Reads the requests of one connection, one after the other, and writes their answers.

    Args:
        base: scheme and authority of the server, as `base_of` returns them.
    """

    def __init__(self, base: str) -> None:
        self._base = base
        self._server = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = b""

    def receive(self, data: bytes) -> HttpRequest | None:
        """Take bytes that the client writes; returns the request once it is complete.

        That of a tunnel, CONNECT, has host and port as its URL.
        """
        if self._server.our_state is h11.DONE and self._server.their_state is h11.DONE:
            self._server.start_next_cycle()
        self._server.receive_data(bytes(data))
        while (event := self._server.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Request):
                self._request, self._body = event, b""
            elif isinstance(event, h11.Data):
                self._body += event.data
            else:
                return self._whole() if isinstance(event, h11.EndOfMessage) else None
        return None

    @property
    def is_asked_to_go_on(self) -> bool:
        """Return whether the client sends the body of its request only when it is told to."""
        return self._server.they_are_waiting_for_100_continue

    def go_on(self) -> bytes:
        """Return the bytes of the interim answer (100) that tells the client to send the body."""
        return self._server.send(h11.InformationalResponse(status_code=100, headers=[], reason="Continue")) or b""

    def said(self, answer: HttpResponse) -> bytes:
        """Return the bytes of an answer; of a broken one they are chunks without the last, so the client knows."""
        headers = [(name, value) for name, value in answer.header_lines if name.lower() != "content-length"]
        framing = ("transfer-encoding", "chunked") if answer.broken else ("content-length", str(len(answer.body)))
        head = h11.Response(status_code=answer.status, headers=[*headers, framing])
        parts = [self._server.send(head)]
        if not self._is_without_body(answer):
            parts.append(self._server.send(h11.Data(data=answer.body)))
        if not answer.broken:
            parts.append(self._server.send(h11.EndOfMessage()))
        return b"".join(part for part in parts if part)

    def _is_without_body(self, answer: HttpResponse) -> bool:
        return answer.status in (204, 304) or (self._request is not None and self._request.method == b"HEAD")

    def _whole(self) -> HttpRequest:
        asked = self._request
        assert asked is not None
        target = asked.target.decode()
        whole = asked.method == b"CONNECT" or target.startswith(("http://", "https://"))  # to, or for, a proxy
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in asked.headers}
        return HttpRequest(asked.method.decode(), target if whole else self._base + target, headers, self._body)


def base_of(scheme: str, host: str, port: int | None) -> str:
    """Return scheme and authority of a server as they stand in a URL, without the usual port."""
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" if port in (None, _DEFAULT_PORTS[scheme]) else f"{scheme}://{shown}:{port}"
