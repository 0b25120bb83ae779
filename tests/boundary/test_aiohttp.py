"""aiohttp: every request to a twin is a point, answered in process, and a fault is aiohttp's own error."""

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import httpx
import pytest
from rollproof.boundary.late_imports import when_imported
from rollproof.boundary.resolved import Limits
from rollproof.chaos import Chaos
from rollproof.twins.handled import HandledService
from rollproof.twins.llm import ModelTwin
from rollproof.twins.rest import RestTwin
from rollproof.values.errors import ChaosError
from rollproof.values.options import Options

from ..exploring import causes, explored, only, options
from .stage import Stage, short

BASE = "https://api.mail.test"
POST = "http.post:api.mail.test/mails#1"
GET = "http.get:api.mail.test/mails#1"


def _said(request: Any, state: Any) -> Any:
    """Answer with what came; set a cookie, lead elsewhere, or refuse, where the path says so."""
    path = request.path.rpartition("/")[2]
    if path == "moved":
        return 302, None, {"location": "/here", "set-cookie": "seen=yes; Path=/"}
    if path == "gone":
        return 410, "gone"
    if path == "lines":
        return "one\ntwo\nthree\n"
    form = request.form() if "form" in request.headers.get("content-type", "") else {}
    body = "" if form else request.body.decode()
    return {
        "path": path,
        "query": request.query,
        "body": body,
        "form": form,
        "cookie": request.headers.get("cookie", ""),
    }


async def _pieces() -> Any:
    yield b"in "
    yield b"pieces"


async def _told(answer: Any) -> Any:
    async with answer as response:
        return {name: value for name, value in (await response.json()).items() if value}


async def _everything() -> dict[str, Any]:
    """Use what a session can do, and return what came of it."""
    form = aiohttp.FormData({"name": "ada"})
    form.add_field("file", b"text", filename="a.txt")
    async with aiohttp.ClientSession(BASE, trust_env=True) as session:
        told = {
            "json": await _told(session.post("/a", json={"to": "ada"}, params={"page": "2"})),
            "data": await _told(session.put("/b", data={"to": "ada"})),
            "form": await _told(session.post("/c", data=form)),
            "pieces": await _told(session.post("/d", data=_pieces(), chunked=True)),
            "asked to go on": await _told(session.post("/e", data=b"large", expect100=True)),
            "moved": await _told(session.get("/moved")),
            "cookies": await _told(session.get("/f", cookies={"more": "1"})),
        }
        with pytest.raises(aiohttp.ClientResponseError, match="410"):
            await session.get("/gone", raise_for_status=True)
        async with session.get("/lines") as response:
            told["lines"] = [await response.content.readline(), *[line async for line in response.content]]
        async with session.get("/lines") as response:
            told["chunks"] = [chunk async for chunk in response.content.iter_chunked(8)]
        async with session.get("/lines") as response:
            told["any"] = b"".join([chunk async for chunk in response.content.iter_any()])
        async with session.head("/a") as response:
            told["head"] = response.status
        assert len(session.connector._conns) == 1  # one connection, used again and again
    with pytest.raises(RuntimeError, match="Session is closed"):
        await session.get("/a")
    return told


def test_a_session_does_what_it_always_does(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Base URL, bodies of all kinds, cookies, redirects, streams, proxies of the environment: each request a point."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    stage.twins = [HandledService(BASE, _said)]
    process = stage.run_process(_everything)
    assert process.outcome.value == {
        "json": {"path": "a", "query": {"page": "2"}, "body": '{"to": "ada"}'},
        "data": {"path": "b", "form": {"to": "ada"}},
        "form": {"path": "c", "form": {"name": "ada", "file": "text"}},
        "pieces": {"path": "d", "body": "in pieces"},
        "asked to go on": {"path": "e", "body": "large"},
        "moved": {"path": "here", "cookie": "seen=yes"},
        "cookies": {"path": "f", "cookie": "more=1; seen=yes"},
        "lines": [b"one\n", b"two\n", b"three\n"],
        "chunks": [b"one\ntwo\n", b"three\n"],
        "any": b"one\ntwo\nthree\n",
        "head": 200,
    }, process.outcome.traceback
    assert process.unintercepted == []
    paths = ["post a", "put b", "post c", "post d", "post e", "get moved", "get here", "get f", "get gone"]
    paths += ["get lines"] * 3 + ["head a"]
    assert short([str(point) for point in process.points]) == [p.replace(" ", " api.mail.test/") for p in paths]


@pytest.fixture
def mail(stage: Stage) -> RestTwin:
    """A service that the agent sends mails to."""
    twin = RestTwin(BASE)
    stage.twins = [twin]
    return twin


def _within(**seconds: float | None) -> Callable[[], Awaitable[Any]]:
    async def post() -> Any:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(**seconds)) as session:
            return await _told(session.post(f"{BASE}/mails", json={"to": "ada"}))

    return post


async def _by_a_deadline_of_its_own() -> Any:
    async with asyncio.timeout(2), aiohttp.ClientSession() as session:
        return await _told(session.post(f"{BASE}/mails", json={"to": "ada"}))


CALM = _within(total=5)
ERRORS: dict[str, tuple[Callable[[], Awaitable[Any]], str, str, float]] = {
    "http.refused@POST:before": (CALM, "ClientConnectorError", "Cannot connect to host api.mail.test:443", 0),
    "http.reset@POST:before": (CALM, "ClientOSError", "Connection reset by peer", 0),
    "http.reset@POST:after": (CALM, "ClientOSError", "Connection reset by peer", 0),
    "http.timeout@POST:before": (CALM, "TimeoutError", "", 5),
    "http.timeout@POST:after": (_within(sock_read=3), "SocketTimeoutError", "Timeout on reading data", 3),
    "http.timeout~lasting@POST:after": (_within(), "ClientOSError", "Connection timed out", 600),
    "http.timeout~lasting@POST:before": (_by_a_deadline_of_its_own, "TimeoutError", "", 2),
}


@pytest.mark.parametrize("token", ERRORS)
def test_a_fault_is_an_error_of_aiohttp(token: str, mail: RestTwin, stage: Stage) -> None:
    """Of the class that a real network makes, at the virtual time at which the client's patience ends."""
    way, name, text, seconds = ERRORS[token]

    async def run() -> tuple[str, str, bool, float]:
        began = asyncio.get_running_loop().time()
        with pytest.raises((aiohttp.ClientError, TimeoutError)) as caught:
            await way()
        ended = asyncio.get_running_loop().time()
        return type(caught.value).__name__, str(caught.value), isinstance(caught.value, OSError), ended - began

    told, shown, is_os_error, took = stage.returned(run, token.replace("POST", POST))
    assert (told, is_os_error) == (name, True)
    assert text in shown
    assert seconds <= took < seconds + 2
    assert len(mail.resources("mails")) == token.endswith("after")


async def _beside_a_ticking_task(asking: Awaitable[Any]) -> str:
    async def tick() -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 1)

    ticking = asyncio.create_task(tick())
    with pytest.raises((aiohttp.ClientError, TimeoutError, httpx.TimeoutException)) as caught:
        await asking
    ticking.cancel()
    return type(caught.value).__name__


async def _httpx_within(seconds: float) -> None:
    async with httpx.AsyncClient(timeout=seconds) as client:
        await client.post(f"{BASE}/mails", json={})


@pytest.mark.parametrize(
    ("ask", "error"),
    [(_within(total=300), "TimeoutError"), (lambda: _httpx_within(300), "ReadTimeout")],
    ids=["aiohttp", "httpx"],
)
def test_patience_is_no_run_without_end(
    ask: Callable[[], Awaitable[Any]], error: str, mail: RestTwin, stage: Stage
) -> None:
    """A task that ticks each second, as a library's own does, ticks 300 times until the client gives up."""
    stage.limits = Limits(calls=60, polls=60, effects=200)
    assert stage.returned(lambda: _beside_a_ticking_task(ask()), f"http.timeout@{POST}:before") == error


def test_a_request_that_aiohttp_repeats_by_itself_is_a_point_more(mail: RestTwin, stage: Stage) -> None:
    """As after a real reset of an idempotent one."""

    async def run() -> int:
        async with aiohttp.ClientSession() as session, session.get(f"{BASE}/mails") as response:
            return response.status

    process = stage.run_process(run, f"http.reset@{GET}:before")
    assert process.outcome.value == 200, process.outcome.traceback
    assert [str(point) for point in process.points if point.kind == "http"] == [GET, GET.replace("#1", "#2")]


QUESTION = {"model": "gpt", "stream": True, "messages": [{"role": "user", "content": "question"}]}


async def _streamed() -> tuple[int, str, str]:
    """Read a model's stream line by line: how many came, the error, and its text."""
    came = 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(sock_read=4)) as session:
        headers = {"authorization": "Bearer sk-test-0123456789abcdef"}
        async with session.post("https://api.openai.com/v1/chat/completions", json=QUESTION, headers=headers) as answer:
            try:
                async for line in answer.content:
                    came += line.startswith(b"data: ")
            except (aiohttp.ClientError, TimeoutError) as error:
                return came, type(error).__name__, str(error)
    return came, "", ""


def test_a_stream_ends_in_the_middle(stage: Stage) -> None:
    """The client has what came before, and then its own error: at once, or when its patience ends."""
    stage.twins = [ModelTwin({"question": "an answer of several words"})]
    whole = stage.run_process(_streamed)
    point = str(whole.points[0])
    count, error, _ = whole.outcome.value
    assert (error, count > 2) == ("", True)
    broken = {}
    for fault in ("llm.cut_stream", "llm.stalled_stream", "llm.closed_stream"):
        came, error, text = stage.returned(_streamed, f"{fault}@{point}:after")
        assert 0 < came < count
        broken[error] = text
    assert list(broken) == ["ClientPayloadError", "SocketTimeoutError", ""]
    assert "not completed" in broken["ClientPayloadError"]


async def _websocket() -> None:
    async with aiohttp.ClientSession() as session:
        await session.get(f"{BASE}/mails")  # whose connection would be used again
        await session.ws_connect("wss://api.mail.test/mails")


@pytest.mark.parametrize("explores", [True, False])
def test_a_websocket_is_refused_with_how_it_could_be(explores: bool) -> None:
    """Whatever the agent makes of it."""
    chaos = Chaos(options() if explores else Options())
    chaos.api(BASE)

    async def run() -> None:
        with pytest.raises(aiohttp.ClientOSError):
            await _websocket()

    with pytest.raises(ChaosError, match="takes requests and no websockets") as caught:
        chaos.explore(run=run)
    with pytest.raises(ChaosError, match="takes requests and no websockets"):
        asyncio.run(_websocket())
    chaos.close()
    assert "test_aiohttp.py:" in caught.value.message
    assert "chaos.network(" in caught.value.hint
    assert "chaos.serve(" in caught.value.hint


async def _by_aiohttp(shared: Path) -> str:
    async with aiohttp.ClientSession(BASE, timeout=aiohttp.ClientTimeout(total=5)) as session:
        for attempt in range(2):
            try:
                async with session.post("/mails", json={"to": "ada"}) as answer:
                    answer.raise_for_status()
                    break
            except (aiohttp.ClientConnectionError, TimeoutError):
                if attempt:
                    raise
    (shared / "done").touch()
    return "sent"


async def _by_httpx(shared: Path) -> str:
    async with httpx.AsyncClient(base_url=BASE, timeout=5) as client:
        for attempt in range(2):
            try:
                (await client.post("/mails", json={"to": "ada"})).raise_for_status()
                break
            except httpx.TransportError:
                if attempt:
                    raise
    (shared / "done").touch()
    return "sent"


def test_what_is_found_is_what_is_found_with_httpx(tmp_path: Path) -> None:
    """The same agent has the same points, verdicts and findings."""
    found = {}
    for way in (_by_httpx, _by_aiohttp):

        def explore(chaos: Any, folder: Path, way: Any = way) -> None:
            chaos.watch(folder)
            chaos.api(BASE)
            chaos.explore(run=lambda: way(folder), retry=False)

        names = ("http.refused", "http.timeout", "process.cancel")
        result = explored(SimpleNamespace(explore=explore), tmp_path / way.__name__, **only(*names))
        cells = [(cell.point, cell.fault, cell.verdict) for cell in result.cells]
        told = [text.replace(way.__name__, "it") for text in causes(result)]
        found[way] = (result.points, cells, told, result.schedules)
    assert found[_by_aiohttp] == found[_by_httpx]
    assert found[_by_httpx][2] == ["twice: http.post:api.mail.test/mails in it"]


LATE = """
import sys

async def work():
    import aiohttp

    async with aiohttp.ClientSession() as session, session.get("https://api.mail.test/mails") as answer:
        return await answer.json()

def test_it(chaos):
    chaos.api("https://api.mail.test")
    assert "aiohttp" not in sys.modules
    assert chaos.explore(run=work).result == []
"""


def test_an_agent_that_imports_it_late_is_seen(pytester: pytest.Pytester) -> None:
    """Nothing imports it for the agent, and its connections are answered all the same."""
    pytester.makepyfile(LATE)
    pytester.runpytest_subprocess("--chaos", "--chaos-faults=http.refused").assert_outcomes(passed=1)


def test_acting_when_a_module_has_been_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is whole; all who wait for it, the first first; and each undoes what it did."""
    monkeypatch.syspath_prepend(tmp_path)
    done: list[str] = []
    finders = list(sys.meta_path)
    for name in ("wanted_late", "wanted_never"):
        (tmp_path / f"{name}.py").write_text("whole = True")
    undone = [when_imported("wanted_late", _noting(name, done)) for name in ("first", "second")]
    never = when_imported("wanted_never", _noting("never", done))
    never()
    for name in ("wanted_late", "wanted_never"):
        assert importlib.import_module(name).whole
    when_imported("wanted_late", _noting("at once", done))
    assert done == ["first", "second", "at once"]
    for undo in reversed(undone):
        undo()
    assert done[3:] == ["no second", "no first"]
    assert sys.meta_path == finders
    for name in ("wanted_late", "wanted_never"):
        monkeypatch.delitem(sys.modules, name)


def _noting(name: str, done: list[str]) -> Callable[[], Callable[[], None]]:
    def act() -> Callable[[], None]:
        assert name == "never" or sys.modules["wanted_late"].whole
        done.append(name)
        return lambda: done.append(f"no {name}")

    return act
