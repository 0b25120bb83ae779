"""A host that the test permits is reached; everything else stays refused, and nothing is called exhaustive.

A host that is offline is refused, and all is as if it were not asked.
"""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
from rollproof.chaos import Chaos
from rollproof.values.errors import ChaosError
from rollproof.values.exploration import Exploration
from rollproof.values.options import Options

from ..exploring import options


async def _text(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.text()


CLIENTS = {
    "httpx": lambda url: httpx.get(url).text,
    "httpx2": lambda url: httpx2.get(url).text,
    "requests": lambda url: requests.get(url).text,
}


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
    clients = [*CLIENTS.values(), lambda url: asyncio.run(_text(url))]
    assert chaos.explore(run=lambda: [get(url) for url in asked for get in clients]).result == [
        *["/hello"] * len(clients),
        *["[]"] * len(clients),
    ]


@pytest.mark.parametrize("call", ["allow_network", "offline"])
@pytest.mark.parametrize("host", ["", "https://api.example.com", "api.example.com:443", None])
def test_what_is_no_host(host: Any, call: str) -> None:
    """The value is named, and what to write."""
    with pytest.raises(ChaosError, match=f"bad-host|chaos.{call}"):
        getattr(Chaos(Options()), call)(host)


def _sent(data: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(data, ("pypi.org", 53))


ASKED_IN_VAIN: dict[str, tuple[Callable[[], Any], type[Exception]]] = {
    "httpx": (lambda: httpx.get("https://pypi.org/x"), httpx.ConnectError),
    "httpx post": (lambda: httpx.post("https://PyPI.org/x"), httpx.ConnectError),
    "httpx2": (lambda: httpx2.put("https://pypi.org/x"), httpx2.ConnectError),
    "aiohttp": (lambda: asyncio.run(_text("https://pypi.org/x")), aiohttp.ClientConnectorError),
    "requests": (lambda: requests.post("https://pypi.org/x"), requests.ConnectionError),
    "a socket": (lambda: socket.create_connection(("pypi.org", 443)), socket.gaierror),
    "a name": (lambda: socket.gethostbyname("pypi.org"), socket.gaierror),
    "a datagram": (lambda: _sent(b"x"), ConnectionRefusedError),
}


@pytest.mark.parametrize("way", ASKED_IN_VAIN)
def test_an_offline_host_is_refused_and_no_error(way: str, tmp_path: Path) -> None:
    """By whatever way it is asked, as where the network is down; the claim stays whole, and nothing is said of it."""
    ask, expected = ASKED_IN_VAIN[way]
    found: list[Exploration] = []
    chaos = Chaos(options(faults=(options().known["process.kill"],)), "test_it", found.append)
    chaos.watch(tmp_path)
    chaos.offline("pypi.org")

    def run() -> str:
        (tmp_path / "said").write_text("x")
        with pytest.raises(expected):
            ask()
        return (tmp_path / "said").read_text()

    chaos.explore(run=run)
    assert "exhaustive: " in found[0].statement
    assert "pypi" not in found[0].statement


@pytest.mark.parametrize("twin", [True, False])
@pytest.mark.parametrize("way", [way for way in ASKED_IN_VAIN if way.startswith(("httpx", "requests"))])
def test_an_offline_host_without_chaos(way: str, twin: bool, server: str) -> None:
    """It is refused in an ordinary run too; without twins nothing else is."""
    ask, expected = ASKED_IN_VAIN[way]
    chaos = Chaos(Options())
    chaos.offline("pypi.org")
    if twin:
        chaos.api("https://api.mail.test")

    def run() -> str:
        with pytest.raises(expected):
            ask()
        return "" if twin else str(httpx.get(f"{server}/hello").text + requests.get(f"{server}/hello").text)

    result = chaos.explore(run=run)
    assert result.result == ("" if twin else "/hello/hello")
    assert "pypi" not in result.statement


def test_a_host_that_is_offline_and_is_not() -> None:
    """Declared, or allowed, before or after: contradictory, with what is."""
    for declare, why in ((Chaos.allow_network, "permits it"), (Chaos.mailbox, "has a twin")):
        chaos = Chaos(Options())
        chaos.offline("mail.example.com")
        declare(chaos, "mail.example.com")
        with pytest.raises(ChaosError, match=f"'mail.example.com'.*{why}"):
            chaos.explore(run=list)
    chaos = Chaos(Options())
    chaos.api("https://api.example.com/v1")
    chaos.offline("API.example.com")
    with pytest.raises(ChaosError, match="contradictory"):
        chaos.explore(run=list)
