"""The seam under httpx and httpx2: every request is answered by one function instead of the network.

It stands where respx stands, in the connection pools of httpcore and httpcore2, so clients of all kinds, sync and
async, run unmodified; a client with a ``transport=`` of its own never comes here. Ours are routers without routes, so
respx records nothing and memory does not grow.

A respx mock of the user's own goes first, started before or after ours: a request that one of its routes answers never
arrives here, and is no point. A route that passes through goes to the network. A request without a route arrives here,
unless that mock says ``assert_all_mocked=False``: then respx itself answers it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import httpx

from ...values.errors import Permitted
from ...values.http import HttpRequest, HttpResponse
from ..adapters.respx_mocks import ROUTING, AllMockedAssertionError, HTTPCoreMocker, Mocker, PassThrough, Route, Router

Answer = Callable[[HttpRequest], HttpResponse]
Later = Callable[[HttpRequest], Awaitable[HttpResponse]]
Answers = Callable[[str], bool]

if ROUTING.works and find_spec("httpcore2") and "httpcore2" not in Mocker.registry:
    import httpcore2

    class Httpcore2Mocker(HTTPCoreMocker):
        """The mocker of httpx2, as `HTTPCoreMocker` is that of httpx; respx finds it by its `name`, like a user's."""

        name = "httpcore2"
        targets = [target.replace("httpcore.", "httpcore2.") for target in HTTPCoreMocker.targets]  # noqa: RUF012

        @classmethod
        def from_sync_httpx_response(
            cls, httpx_response: httpx.Response, target: object, **kwargs: Any
        ) -> httpcore2.Response:
            """Build the response that httpx2 reads."""
            return httpcore2.Response(
                status=httpx_response.status_code,
                headers=httpx_response.headers.raw,
                content=httpx_response.stream,
                extensions=httpx_response.extensions,
            )

        @classmethod
        async def from_async_httpx_response(
            cls, httpx_response: httpx.Response, target: object, **kwargs: Any
        ) -> httpcore2.Response:
            """Build the response that httpx2 reads."""
            return cls.from_sync_httpx_response(httpx_response, target, **kwargs)


def install(answer: Answer, later: Later | None = None, answers: Answers | None = None) -> Callable[[], None]:
    """Send every request of httpx and, if it is installed, httpx2 to `answer`; returns a function that undoes it.

    `answer` is called in the thread that asks; an async client awaits `later` instead, where there is one. What they
    raise goes to the client library as it is. With `answers`, only URLs that it accepts are answered; all others are
    requested as if nothing were installed.
    """
    if not ROUTING.works:
        return lambda: None
    mockers = [Mocker.registry[name] for name in ("httpcore", "httpcore2") if name in Mocker.registry]
    seams = [
        (mocker, _Answering(answer, later, mocker) if answers is None else _AnsweringSome(answer, answers, mocker))
        for mocker in mockers
    ]
    for mocker, router in seams:
        mocker.register(router)
        mocker.start()

    def uninstall() -> None:
        for mocker, router in seams:
            mocker.unregister(router)
            mocker.stop()

    return uninstall


class _Answering(Router):
    """Answers whatever respx asks it, after all routers that the user started later."""

    def __init__(self, answer: Answer, later: Later | None, mocker: type[Mocker]) -> None:
        super().__init__()
        self._answer, self._answer_later = answer, later
        self._mocker = mocker

    def handler(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of a sync client."""
        for router in self._later():
            try:
                return router.handler(request)
            except AllMockedAssertionError:
                continue
        with _passing(request):
            return self._response(self._answer(_asked(request)))

    async def async_handler(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of an async client."""
        for router in self._later():
            try:
                return await router.async_handler(request)
            except AllMockedAssertionError:
                continue
        with _passing(request):
            if self._answer_later is not None:
                return self._response(await self._answer_later(_asked(request)))
            return self._response(self._answer(_asked(request)))

    def _later(self) -> list[Router]:
        routers = self._mocker.routers
        return [router for router in routers[routers.index(self) + 1 :] if not isinstance(router, _Answering)]

    def _response(self, said: HttpResponse) -> httpx.Response:
        if not said.broken:
            return httpx.Response(said.status, headers=said.header_lines, content=said.body)
        error, text = _ERRORS[said.broken]
        broken = _BrokenBody(said.body, getattr(import_module(self._mocker.name), error)(text))
        return httpx.Response(said.status, headers=said.header_lines, stream=broken)


class _AnsweringSome(_Answering):
    """Answers some requests, and leaves the others to a mock, an exploration, or the network."""

    def __init__(self, answer: Answer, answers: Answers, mocker: type[Mocker]) -> None:
        super().__init__(answer, None, mocker)
        self._answers = answers

    def handler(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of a sync client."""
        self._leave_to_others(request)
        return super().handler(request)

    async def async_handler(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of an async client."""
        self._leave_to_others(request)
        return await super().async_handler(request)

    def _leave_to_others(self, request: httpx.Request) -> None:
        if self._answers(str(request.url)):
            return
        if self._mocker.routers != [self]:
            raise AllMockedAssertionError(f"RESPX: {request!r} not mocked!")
        raise PassThrough("not a twin's", request=request, origin=Route())


def _asked(request: httpx.Request) -> HttpRequest:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return HttpRequest(request.method, str(request.url), headers, request.content)


@contextmanager
def _passing(request: httpx.Request) -> Iterator[None]:
    """Pass a request to the network where that is permitted."""
    try:
        yield
    except Permitted:
        raise PassThrough("permitted", request=request, origin=Route()) from None


# What httpcore raises while a body is read, by `HttpResponse.broken`; the clients translate it into their own classes.
_ERRORS = {
    "cut": ("RemoteProtocolError", "peer closed connection without sending complete message body"),
    "stalled": ("ReadTimeout", "The read operation timed out"),
}


class _BrokenBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes in part, and then the connection's error instead of the rest."""

    def __init__(self, part: bytes, error: Exception) -> None:
        self._part, self._error = part, error

    def __iter__(self) -> Iterator[bytes]:
        yield self._part
        raise self._error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._part
        raise self._error
