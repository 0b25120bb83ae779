"""What the test itself asks: of its twins it is answered by them, and all else of its process works as ever."""

import asyncio
import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
import respx
from rollproof.chaos import Chaos
from rollproof.values.errors import ChaosError
from rollproof.values.options import Options

from ..exploring import options

URL = "https://api.x.test/things"


def _by_http_client() -> Any:
    connection = http.client.HTTPSConnection("api.x.test")
    connection.request("GET", "/things")
    return json.loads(connection.getresponse().read())


async def _by_async() -> Any:
    async with httpx.AsyncClient() as client:
        return (await client.get(URL)).json()


async def _by_aiohttp() -> Any:
    async with aiohttp.ClientSession() as session, session.get(URL) as answer:
        return await answer.json()


CLIENTS: dict[str, Callable[[], Any]] = {
    "httpx": lambda: httpx.get(URL).json(),
    "httpx async": lambda: asyncio.run(_by_async()),
    "httpx2": lambda: httpx2.get(URL).json(),
    "aiohttp": lambda: asyncio.run(_by_aiohttp()),
    "requests": lambda: requests.get(URL, timeout=5).json(),
    "http.client": _by_http_client,
}
HOW = {"--chaos": lambda: options(faults=(options().known["process.kill"],)), "ordinary": Options}


@pytest.fixture
def server(server: str) -> str:
    """A page of a real server on this machine."""
    return f"{server}/hello"


@pytest.fixture(params=HOW)
def chaos(request: pytest.FixtureRequest) -> Iterator[Chaos]:
    """What a test is given, with and without ``--chaos``."""
    made = Chaos(HOW[request.param]())
    yield made
    made.close()


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_a_twin_answers_the_test(client: Callable[[], Any], chaos: Chaos, server: str) -> None:
    """Before, between and after explorations; what it created is there, and a real server is as real as ever."""
    twin = chaos.api("https://api.x.test")

    def run() -> None:
        httpx.post(URL, json={"by": "run"}, headers={"Idempotency-Key": "run"})

    assert client() == []
    for count in (1, 1):
        chaos.explore(run=run, retry=False)
        assert [thing["by"] for thing in client()] == ["run"] * count
    httpx.post(URL, json={"by": "test"})
    assert [thing["by"] for thing in client()] == ["run", "test"]
    assert len(twin.resources("things")) == 2
    assert (httpx.get(server).text, requests.get(server, timeout=5).text) == ("/hello", "/hello")


def test_what_a_check_asks_while_exploring(server: str) -> None:
    """An invariant runs in the test's process: twins, servers and certificates are there for it as for the test."""
    chaos = Chaos(options(faults=(options().known["process.kill"],)))
    chaos.api("https://api.x.test")
    authorities = len(ssl.create_default_context().get_ca_certs())
    seen: set[Any] = set()

    @chaos.invariant
    def look(world: object) -> None:
        seen.add((httpx.get(server).text, requests.get(server, timeout=5).text))
        seen.update(type(client()) for client in CLIENTS.values())
        seen.add(len(ssl.create_default_context().get_ca_certs()))
        socket.create_connection(("127.0.0.1", int(server.split(":")[2].partition("/")[0]))).close()

    chaos.explore(run=lambda: httpx.post(URL, json={}, headers={"Idempotency-Key": "1"}), retry=False)
    chaos.close()
    assert seen == {("/hello", "/hello"), list, authorities}


def test_the_rest_of_a_twins_host_is_not_the_real_one(chaos: Chaos) -> None:
    """A path that no twin stands for is an error that says so, and no request that leaves this machine."""
    chaos.api("https://api.x.test/v1")
    for ask in (CLIENTS["httpx"], CLIENTS["requests"], CLIENTS["http.client"]):
        with pytest.raises(ChaosError, match=r"the test calls GET https://api\.x\.test/things"):
            ask()


def test_a_mock_of_the_tests_own(chaos: Chaos) -> None:
    """It goes first, and refuses what it does not know as if no twin were there."""
    chaos.api("https://api.x.test")
    with respx.mock(assert_all_called=False) as mock:
        mock.get("https://mocked.test/").respond(text="mocked")
        mock.get("https://api.x.test/mocked").respond(text="mocked too")
        assert httpx.get("https://mocked.test/").text == "mocked"
        assert httpx.get("https://api.x.test/mocked").text == "mocked too"
        assert CLIENTS["httpx"]() == []
        with pytest.raises(AssertionError, match="not mocked"):
            httpx.get("https://unknown.test/")


def test_nothing_is_left_when_the_test_has_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The clients are what they were; also where somebody has replaced them meanwhile and puts ours back."""
    chaos = Chaos(Options())
    before = http.client.HTTPConnection.connect, requests.adapters.HTTPAdapter.send
    chaos.api("http://api.x.test")
    ours = http.client.HTTPConnection.connect
    chaos.close()
    assert (http.client.HTTPConnection.connect, requests.adapters.HTTPAdapter.send) == before
    reached: list[Any] = []
    monkeypatch.setattr(socket, "create_connection", lambda address, *args, **kwargs: reached.append(address))
    with pytest.raises(AttributeError):
        ours(http.client.HTTPConnection("api.x.test"))
    assert reached == [("api.x.test", 80)]


def test_a_connection_that_the_test_had_open_is_the_agents_in_its_process(tmp_path: Path) -> None:
    """What the agent sends through it is a point, and no secret of the copy that its process has of the twin."""
    chaos = Chaos(options(faults=(options().known["http.refused"],)))
    try:
        api = chaos.api("https://api.x.test")
        chaos.watch(tmp_path)
        session = requests.Session()
        assert session.get("https://api.x.test/things").json() == []

        def run() -> str:
            keyed = {"Idempotency-Key": "a"}
            session.post("https://api.x.test/things", json={"name": "a"}, headers=keyed).raise_for_status()
            return "done"

        result = chaos.explore(run=run)
        assert (result.points, len(api.resources("things"))) == (1, 1)
    finally:
        chaos.close()
