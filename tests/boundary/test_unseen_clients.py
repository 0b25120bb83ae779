"""A client that Rollproof does not see never reaches the real host of a twin: it is refused, and told how it could."""

import asyncio
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import pytest
from rollproof.chaos import Chaos
from rollproof.values.errors import ChaosError
from rollproof.values.options import Options

from ..exploring import options


async def _aiohttp(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.post(url, json={}):
        pass


def _over_tls(host: str) -> None:
    with socket.create_connection((host, 443)) as plain:
        ssl.create_default_context().wrap_socket(plain, server_hostname=host)


UNSEEN: dict[str, Callable[[], Any]] = {
    "a stream of asyncio": lambda: asyncio.run(asyncio.open_connection("api.x.test", 443)),
    "a socket with TLS": lambda: _over_tls("api.x.test"),
    "a name": lambda: socket.getaddrinfo("API.x.test", "https"),
    "an address": lambda: socket.socket().connect(("192.0.2.7", 443)),
}


@pytest.mark.parametrize("explores", [True, False])
@pytest.mark.parametrize("swallows", [True, False])
@pytest.mark.parametrize("way", UNSEEN)
def test_it_is_refused_with_how_to_be_seen(way: str, swallows: bool, explores: bool) -> None:
    """With and without ``--chaos``, and whatever the agent makes of it."""
    chaos = Chaos(options() if explores else Options())
    chaos.api("https://192.0.2.7" if way == "an address" else "https://api.x.test")

    def run() -> None:
        try:
            UNSEEN[way]()
        except OSError:
            if not swallows:
                raise

    with pytest.raises(ChaosError) as caught:
        chaos.explore(run=run)
    assert caught.value.code == "unseen-client"
    assert "has a twin, but this client is not seen by Rollproof" in caught.value.message
    assert "chaos.serve(twin)" in caught.value.hint
    if explores:
        assert "test_unseen_clients.py:" in caught.value.message


def _accepting(server: socket.socket) -> None:
    accepted, _ = server.accept()
    accepted.close()


def test_an_ordinary_run_leaves_the_sockets_alone() -> None:
    """Of this machine only the port that a twin stands for is refused, and when the run is over nothing is."""
    with socket.create_server(("127.0.0.1", 0)) as twins, socket.create_server(("127.0.0.1", 0)) as other:
        chaos = Chaos(Options())
        chaos.api(f"http://127.0.0.1:{twins.getsockname()[1]}")
        thread = threading.Thread(target=_accepting, args=[other])
        thread.start()
        chaos.explore(run=lambda: socket.create_connection(other.getsockname()[:2]).close())
        thread.join()
        with pytest.raises(ChaosError, match="unseen-client"):
            chaos.explore(run=lambda: socket.create_connection(twins.getsockname()[:2]).close())
        socket.create_connection(twins.getsockname()[:2]).close()
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("api.x.invalid", 443)


def test_what_is_permitted_beside_a_twin_is_reached() -> None:
    """A host of which a part is a twin's, and that is allowed: the rest of it is real."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        chaos = Chaos(Options())
        chaos.api(f"http://127.0.0.1:{server.getsockname()[1]}/v1")
        chaos.allow_network("127.0.0.1")
        chaos.explore(run=lambda: socket.create_connection(server.getsockname()[:2]).close())


def test_a_twin_on_a_real_port_is_reached_by_it() -> None:
    """As the error says."""
    pytest.importorskip("uvicorn")
    chaos = Chaos(Options())
    twin = chaos.api("https://api.x.test")
    try:
        server = chaos.serve(twin)
        chaos.explore(run=lambda: _aiohttp(f"{server.url}/things"))
    finally:
        chaos.close()
    assert len(twin.resources("things")) == 1


def test_a_client_that_is_seen_opens_no_socket() -> None:
    """The hook is not met by it."""
    chaos = Chaos(Options())
    chaos.api("https://api.x.test")
    assert chaos.explore(run=lambda: httpx.get("https://api.x.test/things").json()).result == []
    assert not sys.modules["rollproof.boundary.media.refusing"]._in_force
