"""A host that the test permits is reached; everything else stays refused, and nothing is called exhaustive."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import requests
from rollproof.chaos import Chaos
from rollproof.values.errors import ChaosError
from rollproof.values.exploration import Exploration
from rollproof.values.options import Options

from ..exploring import options

CLIENTS = {
    "httpx": lambda url: httpx.get(url).text,
    "httpx2": lambda url: httpx2.get(url).text,
    "requests": lambda url: requests.get(url).text,
}


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


def reading(url: str, client: Any, folder: Path) -> Exploration:
    """Explore an agent that writes down what a real server said."""
    found: list[Exploration] = []
    chaos = Chaos(options(faults=(options().known["process.kill"],)), "test_it", found.append)
    chaos.watch(folder)
    chaos.api("https://api.mail.test")
    chaos.allow_network("127.0.0.1")

    def run() -> str:
        (folder / "said").write_text(client(f"{url}/hello"))
        return (folder / "said").read_text()

    chaos.explore(run=run)
    return found[0]


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_a_permitted_host_is_reached(server: str, client: Any, tmp_path: Path) -> None:
    """By every client, in every process; the statement names it and claims less."""
    result = reading(server, client, tmp_path)
    assert result.result == "/hello"
    assert result.violations == ()
    assert "network permitted: 127.0.0.1" in result.statement
    assert "exhaustive" not in result.statement


def test_another_host_stays_refused(server: str, tmp_path: Path) -> None:
    """Permission is for one host."""
    with pytest.raises(ChaosError, match=r"api\.other\.test"):
        reading(server, lambda url: httpx.get("https://api.other.test/").text, tmp_path)


def test_without_chaos_too(server: str) -> None:
    """In an ordinary run the twin and the permitted host answer side by side."""
    chaos = Chaos(Options())
    chaos.api("https://api.mail.test")
    chaos.allow_network("127.0.0.1")
    asked = [f"{server}/hello", "https://api.mail.test/mails"]
    assert chaos.explore(run=lambda: [get(url) for url in asked for get in CLIENTS.values()]).result == [
        *["/hello"] * 3,
        *["[]"] * 3,
    ]


@pytest.mark.parametrize("host", ["", "https://api.example.com", "api.example.com:443"])
def test_what_is_no_host(host: str) -> None:
    """The value is named, and what to write."""
    with pytest.raises(ChaosError, match="bad-host"):
        Chaos(Options()).allow_network(host)
