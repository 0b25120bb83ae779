"""A small outside for one test."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from .stage import Stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A watched folder, a private one, one that is neither, and somebody who runs agents there."""
    monkeypatch.chdir(tmp_path)
    return Stage(tmp_path)


class _Says(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer with what was asked for."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """A real server on this machine."""
    with HTTPServer(("127.0.0.1", 0), _Says) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
