"""The seam answers real clients of httpx and httpx2, and lives beside a user's own respx mocks."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import httpx2
import openai
import pytest
import respx
from respx.mocks import Mocker
from rollproof.boundary.media import respx_seam
from rollproof.values.http import HttpRequest, HttpResponse

Serve = Callable[[Callable[[HttpRequest], HttpResponse]], None]
URL = "https://api.test/things?colour=red"


def echo(request: HttpRequest) -> HttpResponse:
    """Answer with what arrived."""
    document = {"method": request.method, "url": request.url, "body": request.body.decode(), **request.headers}
    return HttpResponse.of_json(201, document, {"X-Seen": "yes"})


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> ModuleType:
    """Each client library in turn."""
    module: ModuleType = request.param
    return module


def test_a_sync_client_is_answered(library: ModuleType, serve: Serve) -> None:
    """Method, URL, headers in lower case and body arrive; status, headers and body come back."""
    serve(echo)
    with library.Client() as client:
        response = client.post(URL, json={"a": 1}, headers={"X-Mine": "M"})
    assert response.status_code == 201
    assert response.headers["x-seen"] == "yes"
    assert response.json()["url"] == URL
    assert response.json()["method"] == "POST"
    assert response.json()["x-mine"] == "M"
    assert response.json()["body"] == '{"a":1}'


@pytest.mark.parametrize("url", ["https://API.test:443/a", "http://api.test:80/a", "http://api.test:8080/a?b=c%20d"])
def test_urls_arrive_as_clients_write_them(library: ModuleType, serve: Serve, url: str) -> None:
    """Host in lower case, no default port, other ports and the query as they are: what `Twin.base_url` looks like."""
    serve(echo)
    plain = url.replace("API", "api").replace(":443", "").replace(":80/", "/")
    assert library.get(url).json()["url"] == plain


def test_an_async_client_is_answered(library: ModuleType, serve: Serve) -> None:
    """Async clients are answered by the same function."""
    serve(echo)

    async def ask() -> str:
        async with library.AsyncClient() as client:
            response = await client.put(URL, content=b"hello")
            return str(response.json()["body"])

    assert asyncio.run(ask()) == "hello"


def test_streamed_request_bodies_are_read(library: ModuleType, serve: Serve) -> None:
    """A body that the client produces bit by bit arrives whole, sync and async."""
    serve(echo)

    def parts() -> Iterator[bytes]:
        yield from (b"one ", b"two")

    async def async_parts() -> AsyncIterator[bytes]:
        for part in parts():
            yield part

    async def ask() -> str:
        async with library.AsyncClient() as client:
            return str((await client.post(URL, content=async_parts())).json()["body"])

    assert library.post(URL, content=parts()).json()["body"] == "one two"
    assert asyncio.run(ask()) == "one two"


def test_a_response_can_be_streamed(library: ModuleType, serve: Serve) -> None:
    """A client that reads the answer as a stream gets all of it."""
    serve(lambda request: HttpResponse(200, {}, b"a\nb\n"))
    with library.Client() as client, client.stream("GET", URL) as response:
        assert list(response.iter_lines()) == ["a", "b"]


@pytest.mark.parametrize(("broken", "error"), [("cut", "RemoteProtocolError"), ("stalled", "ReadTimeout")])
def test_a_body_that_breaks_raises_the_clients_own_error(
    library: ModuleType, serve: Serve, broken: Any, error: str
) -> None:
    """After the part that came, sync and async, streamed or read as a whole."""
    serve(lambda request: HttpResponse(200, {}, b"a\nb", broken))
    came: list[bytes] = []

    async def ask() -> None:
        async with library.AsyncClient() as client, client.stream("GET", URL) as response:
            async for part in response.aiter_raw():
                came.append(part)

    with pytest.raises(getattr(library, error)):
        asyncio.run(ask())
    with pytest.raises(getattr(library, error)), library.stream("GET", URL) as response:
        came.extend(response.iter_raw())
    with pytest.raises(getattr(library, error)):
        library.get(URL)
    assert came[0] == b"a\nb"


def test_an_empty_answer(library: ModuleType, serve: Serve) -> None:
    """204 has no body."""
    serve(lambda request: HttpResponse(204))
    assert library.delete(URL).status_code == 204
    assert library.delete(URL).content == b""


class Odd(BaseException):
    """Not even an Exception."""


@pytest.mark.parametrize("error", [ConnectionResetError("gone"), ValueError("bad"), Odd("odd")])
def test_what_the_answer_raises_arrives_unchanged(library: ModuleType, serve: Serve, error: BaseException) -> None:
    """The very object arrives, sync and async, with nothing chained to it."""

    def fail(request: HttpRequest) -> HttpResponse:
        raise error

    async def ask() -> None:
        async with library.AsyncClient() as client:
            await client.get(URL)

    serve(fail)
    with pytest.raises(type(error)) as sync:
        library.get(URL)
    with pytest.raises(type(error)) as asynchronous:
        asyncio.run(ask())
    assert sync.value is asynchronous.value is error
    assert error.__cause__ is None


def test_uninstalled_means_gone(library: ModuleType) -> None:
    """After uninstalling nothing of respx is left in the libraries, and no router."""
    targets = [mocker for name in ("httpcore", "httpcore2") for mocker in [Mocker.registry[name]]]
    before = [_patched(library) for library in ("httpcore", "httpcore2")]
    uninstall = respx_seam.install(echo)
    assert [_patched(name) for name in ("httpcore", "httpcore2")] != before
    uninstall()
    assert [_patched(name) for name in ("httpcore", "httpcore2")] == before
    assert all(not mocker.routers for mocker in targets)


def _patched(name: str) -> object:
    return __import__(name).ConnectionPool.handle_request


def test_of_two_seams_the_first_answers(serve: Serve) -> None:
    """A second seam does not disturb the first; it takes over when the first is gone."""
    uninstall = respx_seam.install(lambda request: HttpResponse(201))
    serve(lambda request: HttpResponse(202))
    assert httpx.get(URL).status_code == 201
    uninstall()
    assert httpx.get(URL).status_code == 202


def test_nothing_is_recorded(library: ModuleType, serve: Serve) -> None:
    """A thousand requests leave no memory behind: respx keeps no calls of ours."""
    serve(lambda request: HttpResponse(200, {}, b"x" * 1000))
    with library.Client() as client:

        def ask(times: int) -> int:
            for _ in range(times):
                client.post(URL, content=b"y" * 1000)
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            first = ask(50)
            grown = ask(500) - first
        finally:
            tracemalloc.stop()
    assert grown < 100_000


@pytest.mark.parametrize("order", ["mock first", "seam first"])
def test_a_users_own_mock_goes_first_where_its_routes_match(serve: Serve, order: str) -> None:
    """Their routes answer, whichever was started first; what they do not know arrives here; assertions still work."""
    with respx.mock(assert_all_called=True) if order == "mock first" else _after(serve) as mock:
        if order == "mock first":
            serve(echo)
        route = mock.get("https://mine.test/a").respond(418)
        assert httpx.get("https://mine.test/a").status_code == 418
        assert httpx.get(URL).status_code == 201
        assert _get_async("https://mine.test/a") == 418
        assert _get_async(URL) == 201
        assert route.call_count == 2
    assert httpx.get("https://mine.test/a").status_code == 201


def _after(serve: Serve) -> respx.MockRouter:
    serve(echo)
    return respx.mock(assert_all_called=True)


def _get_async(url: str) -> int:
    async def ask() -> int:
        async with httpx.AsyncClient() as client:
            return (await client.get(url)).status_code

    return asyncio.run(ask())


def test_a_users_mock_can_serve_httpx2_too(serve: Serve) -> None:
    """Our mocker is registered with respx, so `using="httpcore2"` works in a user's test."""
    serve(echo)
    with respx.mock(using="httpcore2") as mock:
        mock.get("https://mine.test/a").respond(418)
        assert httpx2.get("https://mine.test/a").status_code == 418
        assert httpx2.get(URL).status_code == 201


def test_a_transport_of_ones_own_is_left_alone(library: ModuleType, serve: Serve) -> None:
    """A client whose transport the user gave never touches the network and never comes here."""
    serve(echo)
    transport = library.MockTransport(lambda request: library.Response(299))
    assert library.Client(transport=transport).get(URL).status_code == 299


def test_proxies_are_answered_too(library: ModuleType, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy from the environment the request still arrives, once."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    seen: list[HttpRequest] = []

    def answer(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse(200)

    serve(answer)
    assert library.get(URL).status_code == 200
    assert [request.url for request in seen] == [URL]


def test_the_sdk_gets_errors_of_its_own_classes(serve: Serve) -> None:
    """An error status reaches the openai SDK as its own exception, with headers and body."""
    body = {"error": {"message": "slow", "code": "rate_limit_exceeded"}}
    refusal = HttpResponse.of_json(429, body, {"Retry-After": "1"})
    serve(lambda request: refusal)
    client = openai.OpenAI(api_key="sk-1", max_retries=0)
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["retry-after"] == "1"
