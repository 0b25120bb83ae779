"""The two servers that tests compare, and plain HTTP to their API."""

import http.client
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollproof.network.launching import Helper

BINARY = shutil.which("toxiproxy-server")
RECORDED = Path(__file__).parent / "recorded"
KINDS = ("embedded", "real")


@dataclass(frozen=True)
class Server:
    """A running server; `port` is its API's."""

    kind: str
    port: int
    pid: int

    def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] = {}
    ) -> tuple[int, str | None, bytes]:
        """Send one request; a body that is no bytes goes as JSON. Returns status, media type and body."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest(method, path)
            for name, value in {"Content-Length": str(len(data or b"")), **headers}.items():
                connection.putheader(name, value)
            connection.endheaders(data)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type"), answer.read()
        finally:
            connection.close()

    def json(self, method: str, path: str, body: object = None) -> Any:
        """Send a request that has to succeed, and return its JSON."""
        status, _, answer = self.request(method, path, body)
        assert status < 300, (method, path, status, answer)
        return json.loads(answer) if answer else None

    def clear(self) -> None:
        """Remove all proxies that can be removed: one with a slash in its name cannot."""
        for name in self.json("GET", "/proxies"):
            self.request("DELETE", f"/proxies/{http_quoted(name)}")


@contextmanager
def started(kind: str) -> Iterator[Server]:
    """Run one of the servers."""
    assert kind == "embedded" or BINARY
    helper = Helper.embedded("0") if kind == "embedded" else Helper.binary(str(BINARY))
    try:
        yield Server(kind, helper.port(), helper.pid)
    finally:
        helper.end()


def http_quoted(name: str) -> str:
    """Return a name as a part of a path."""
    from urllib.parse import quote

    return quote(name, safe="")


def shown(answer: tuple[int, str | None, bytes], ports: Mapping[str, str]) -> list[object]:
    """Return an answer with everything taken out that no two servers share."""
    status, media_type, body = answer
    text = body.decode()
    for port, name in ports.items():
        text = re.sub(rf"\b{port}\b", name, text)
    text = re.sub(r"(127\.0\.0\.1|\[::1\]):\d+", r"\1:PORT", text)
    text = re.sub(r'bad request body: (?:[^"\\]|\\.)*', "bad request body: …", text)
    text = re.sub(r'"version": "[^"]*"', '"version": "…"', text)
    try:
        document: object = _without_logger(json.loads(text))
    except ValueError:
        document = text
    return [status, media_type, document, text.endswith("\n")]


def _without_logger(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_logger(one) for key, one in value.items() if key != "Logger"}
    return [_without_logger(one) for one in value] if isinstance(value, list) else value


def processes_below(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for children in listed for child in children.read_text().split()]
