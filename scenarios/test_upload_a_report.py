"""An agent uploads a report to a drive that keeps what it gets as it comes, and the network breaks in the middle."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from rollproof import Chaos

REPORT = "".join(f"{month:02},{month * 731 % 997}\n" for month in range(1, 400)).encode()


class Drive(BaseHTTPRequestHandler):
    """A shared drive over HTTP: PUT, GET and MOVE of files. Half an upload is half a file."""

    folder: Path

    def do_PUT(self) -> None:
        """Write the file as its bytes come."""
        left = int(self.headers["content-length"])
        with (self.folder / self.path[1:]).open("wb", buffering=0) as file:
            while left and (part := self.rfile.read1(min(left, 1 << 16))):
                left -= len(part)
                file.write(part)
        self.answer(400 if left else 201)

    def do_GET(self) -> None:
        """Say what is in the file."""
        path = self.folder / self.path[1:]
        self.answer(200, path.read_bytes()) if path.exists() else self.answer(404)

    def do_MOVE(self) -> None:
        """Rename a file in one step."""
        path = self.folder / self.path[1:]
        if not path.exists():
            self.answer(404)
            return
        path.replace(self.folder / self.headers["destination"][1:])
        self.answer(201)

    def answer(self, status: int, body: bytes = b"") -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """What the drive keeps."""
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


@pytest.fixture
def drive(shared: Path) -> Iterator[str]:
    """A drive that runs; gives its ``host:port``."""
    handler = type("OwnDrive", (Drive,), {"folder": shared})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def publish(url: str) -> str:
    """Upload beside the place, look at what arrived, and only then move it there."""
    if digest(url, "report.csv") == sha256(REPORT).hexdigest():
        return "published"
    requests.put(f"{url}/report.csv.part", data=REPORT, timeout=10).raise_for_status()
    if digest(url, "report.csv.part") != sha256(REPORT).hexdigest():
        raise OSError("the drive has something else than what was sent")
    headers = {"Destination": "/report.csv"}
    requests.request("MOVE", f"{url}/report.csv.part", headers=headers, timeout=10).raise_for_status()
    return "published"


def digest(url: str, name: str) -> str:
    """Return the digest of a file on the drive, or of nothing."""
    answer = requests.get(f"{url}/{name}", timeout=10)
    if answer.status_code == 404:
        return ""
    answer.raise_for_status()
    return sha256(answer.content).hexdigest()


@pytest.mark.chaos(epic="Publishing", feature="Upload over a real network")
def test_half_an_upload_is_never_the_report(chaos: Chaos, shared: Path, drive: str) -> None:
    """The report is on the drive as a whole, or it is not there; wherever the network breaks."""
    chaos.watch(shared)
    url = chaos.network("drive", drive).url

    chaos.explore(run=lambda: publish(url))

    assert [path.name for path in shared.iterdir()] == ["report.csv"]
