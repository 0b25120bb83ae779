"""HTTP: every request of httpx and httpx2 is a point, and a fault is the client library's own error."""

import asyncio
import contextlib
import http.client
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import httpx2
import openai
import pytest
import requests
from rollproof.twins.llm import ModelTwin
from rollproof.twins.rest import RestTwin
from rollproof.values.errors import ChaosError

from .stage import Stage

URL = "https://api.mail.test/mails"
POST = "http.post:api.mail.test/mails#1"
LIBRARIES = {"httpx": httpx, "httpx2": httpx2}


@pytest.fixture
def mail(stage: Stage) -> RestTwin:
    """A service that the agent sends mails to."""
    twin = RestTwin("https://api.mail.test")
    stage.twins = [twin]
    return twin


async def _with_client(library: Any) -> Any:
    async with library.AsyncClient() as client:
        return await client.post(URL, json={"to": "a"})


def _shared_client(library: Any) -> Any:
    with library.Client() as client:
        return client.post(URL, json={"to": "a"})


REQUESTS: dict[str, Callable[[Any], Any]] = {
    "function": lambda library: library.post(URL, json={"to": "a"}),
    "client": _shared_client,
    "async client": lambda library: asyncio.run(_with_client(library)),
    "base url": lambda library: library.Client(base_url="https://api.mail.test").post("/mails", json={"to": "a"}),
    "stream": lambda library: _streamed(library),
}


def _streamed(library: Any) -> Any:
    with library.stream("POST", URL, json={"to": "a"}) as response:
        response.read()
        return response


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("way", REQUESTS)
def test_every_request_is_a_point(way: str, library: str, mail: RestTwin, stage: Stage) -> None:
    """One post, one resource, the answer of the library's own type."""

    def run() -> tuple[int, str]:
        response = REQUESTS[way](LIBRARIES[library])
        assert isinstance(response, LIBRARIES[library].Response)
        return response.status_code, response.json()["to"]

    process = stage.run_process(run)
    assert process.outcome.value == (201, "a"), process.outcome.traceback
    assert list(map(str, process.points)) == [POST]
    assert len(mail.resources("mails")) == 1


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_client_is_used_again(library: str, mail: RestTwin, stage: Stage) -> None:
    """Several calls, also from a client that is older than the exploration."""
    old = LIBRARIES[library].Client()

    def run() -> None:
        for _ in range(2):
            old.post(URL, json={})
        old.get(URL)

    assert stage.points(run) == [POST, POST.replace("#1", "#2"), POST.replace("post", "get")]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("way", ["function", "client", "async client", "stream"])
@pytest.mark.parametrize(
    ("fault", "when", "error", "sent"),
    [
        ("http.refused", "before", "ConnectError", 0),
        ("http.timeout", "before", "ReadTimeout", 0),
        ("http.timeout", "after", "ReadTimeout", 1),
    ],
)
def test_a_transport_fault_is_the_librarys_own_error(
    fault: str, when: str, error: str, sent: int, way: str, library: str, mail: RestTwin, stage: Stage
) -> None:
    """A timeout after the service acted is the ambiguous one: the error is the same, the mail is out."""
    module: Any = LIBRARIES[library]

    def run() -> str:
        with pytest.raises(module.TransportError) as caught:
            REQUESTS[way](module)
        assert type(caught.value).__module__.partition(".")[0] == library
        assert str(caught.value.request.url) == URL
        return type(caught.value).__name__

    assert stage.returned(run, f"{fault}@{POST}:{when}") == error
    assert len(mail.resources("mails")) == sent


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("http.server_error", 500),
        ("http.unavailable", 503),
        ("http.rate_limited", 429),
    ],
)
def test_a_service_that_refuses_has_done_nothing(fault: str, status: int, mail: RestTwin, stage: Stage) -> None:
    """Its status, and the next try works."""
    run = lambda: [httpx.post(URL, json={}).status_code for _ in range(2)]  # noqa: E731
    assert stage.returned(run, f"{fault}@{POST}:before") == [status, 201]
    assert len(mail.resources("mails")) == 1


@pytest.fixture
def model(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> ModelTwin:
    """A model that answers one question."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
    twin = ModelTwin({"question": "answer"})
    stage.twins = [twin]
    return twin


QUESTION: Any = {"model": "gpt", "messages": [{"role": "user", "content": "question"}]}


def _asked() -> Any:
    return openai.OpenAI().chat.completions.create(**QUESTION).choices[0].message.content


async def _asked_async() -> Any:
    async with openai.AsyncOpenAI() as client:
        return (await client.chat.completions.create(**QUESTION)).choices[0].message.content


@pytest.mark.parametrize("ask", [_asked, _asked_async])
def test_the_openai_sdk_is_seen(ask: Callable[[], Any], model: ModelTwin, stage: Stage) -> None:
    """Sync and async."""
    process = stage.run_process(ask)
    assert process.outcome.value == "answer", process.outcome.traceback
    assert [(point.kind, point.verb) for point in process.points] == [("llm", "chat")]


@pytest.mark.parametrize("ask", [_asked, _asked_async])
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_sdks_own_retries_are_points(when: str, ask: Callable[[], Any], model: ModelTwin, stage: Stage) -> None:
    """Two timeouts in a row would be two points; one is answered by the SDK's second try, after a virtual pause."""
    point = str(stage.run_process(ask).points[0])
    process = stage.run_process(ask, f"llm.timeout@{point}:{when}")
    assert process.outcome.value == "answer", process.outcome.traceback
    assert [str(p) for p in process.points if p.kind == "llm"] == [point, point.replace("#1", "#2")]


@pytest.mark.parametrize("ask", [_asked, _asked_async])
def test_a_lasting_timeout_is_the_sdks_own_error(ask: Callable[[], Any], model: ModelTwin, stage: Stage) -> None:
    """After its last retry."""
    point = str(stage.run_process(ask).points[0])
    process = stage.run_process(ask, f"llm.timeout~lasting@{point}:before")
    assert process.outcome.error.startswith("APITimeoutError")
    assert [p.kind for p in process.points if p.kind != "clock"] == ["llm"] * 3


async def _through_async() -> None:
    async with httpx2.AsyncClient() as client:
        await client.get("https://unknown.test/x")


def _looked_up_before() -> Any:
    with contextlib.suppress(OSError):
        socket.getaddrinfo("unknown.test", 443)
    return httpx.get("https://unknown.test/x")


async def _through_aiohttp() -> None:
    async with aiohttp.ClientSession() as session:
        await session.get("https://unknown.test/x")


ADDRESS = "192.0.2.1"
LOOKS: dict[str, tuple[Callable[[], Any], type[Exception]]] = {
    "httpx": (lambda: httpx.get("https://unknown.test/x"), httpx.ConnectError),
    "httpx2": (lambda: httpx2.get("https://unknown.test/x"), httpx2.ConnectError),
    "httpx2 async": (lambda: asyncio.run(_through_async()), httpx2.ConnectError),
    "aiohttp": (lambda: asyncio.run(_through_aiohttp()), aiohttp.ClientConnectorError),
    "requests": (lambda: requests.head("https://unknown.test/x", timeout=5), requests.ConnectionError),
    "urllib": (lambda: urllib.request.urlopen("http://unknown.test/x"), urllib.error.URLError),
    "http.client": (lambda: http.client.HTTPConnection("unknown.test").request("GET", "/x"), ConnectionRefusedError),
    "looked up before": (lambda: _looked_up_before(), httpx.ConnectError),
}
UNKNOWN: dict[str, Callable[[], Any]] = {
    **{way: look for way, (look, _) in LOOKS.items()},
    "httpx post": lambda: httpx.post("https://unknown.test/x"),
    "requests delete": lambda: requests.delete("https://unknown.test/x", timeout=5),
    "a subdomain of a declared host": lambda: httpx.get("https://new.unknown.test.api.mail.test/x"),
    "another path of a declared host": lambda: httpx.get("http://api.mail.test/unknown.test"),
    "socket": lambda: socket.create_connection(("unknown.test", 80)),
    "lookup": lambda: socket.gethostbyname("unknown.test"),
    "datagram": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (ADDRESS, 53)),
    "connect_ex": lambda: socket.socket().connect_ex((ADDRESS, 80)),
}


@pytest.mark.parametrize(
    ("way", "swallows"),
    [(way, False) for way in UNKNOWN] + [(way, True) for way in UNKNOWN if way not in LOOKS],
)
def test_a_host_without_a_twin_is_one_clear_error(way: str, swallows: bool, mail: RestTwin, stage: Stage) -> None:
    """It names the host and the agent's line; where the agent swallows the exception, too, if it did not just look."""

    def run() -> None:
        try:
            UNKNOWN[way]()
        except Exception:
            if not swallows:
                raise

    with pytest.raises(ChaosError) as caught:
        stage.run_process(run)
    assert caught.value.code == "no-twin"
    assert any(host in caught.value.message for host in ("unknown.test", ADDRESS, "api.mail.test"))
    assert "test_http.py:" in caught.value.message


@pytest.mark.parametrize("way", LOOKS)
def test_a_look_that_the_agent_survives_is_no_error(way: str, mail: RestTwin, stage: Stage) -> None:
    """It meets what a client says when the network is down, and goes on; host and line are noted."""
    look, expected = LOOKS[way]

    def run() -> str:
        with pytest.raises(expected) as caught:
            look()
        return type(caught.value).__name__

    process = stage.run_process(run)
    assert process.outcome.value == expected.__name__, process.outcome.traceback
    assert process.points == ()
    assert len(process.asked) == 1
    assert process.asked[0].startswith("unknown.test\ntest_http.py:")


def test_a_name_is_looked_up_in_vain(mail: RestTwin, stage: Stage) -> None:
    """As where the network is down; alone it is an error all the same, since nobody sees what was to follow."""

    def run() -> None:
        with pytest.raises(socket.gaierror):
            socket.getaddrinfo("unknown.test", 443)

    with pytest.raises(ChaosError, match=r"unknown\.test \(test_http\.py:\d+ in "):
        stage.run_process(run)
