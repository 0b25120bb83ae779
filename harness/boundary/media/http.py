"""HTTP: twins answer every client, through respx or in memory; a fault is raised as the client library's own."""

import asyncio
import functools
import importlib
import importlib.util
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from types import ModuleType
from typing import Any, NoReturn, Protocol

from ...values.actions import Disconnect
from ...values.errors import ChaosError, Permitted
from ...values.http import HttpRequest, HttpResponse
from ...values.media import medium_of
from ...values.network import Reach
from ...values.points import Point
from ...values.protocol import Refusal, TwinRequest
from ...values.sources import Twin, twin_for
from ..adapters import python_asyncio
from ..crossing import Crossing
from ..gate import Gate
from ..process import callers
from ..resolved import ResolvedInjection
from . import aiohttp_seam, http_client, respx_seam
from .transport import FOR_EVER_S, TransportFault

CLIENTS = ("httpx", "httpx2")
Answer = Callable[[HttpRequest], HttpResponse]
Later = Callable[[HttpRequest], Awaitable[HttpResponse]]
Refuse = Callable[[HttpRequest], NoReturn]


class Own(Protocol):
    """Answers the test's own requests to its twins."""

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Return the answer of a twin."""
        ...

    def answers(self, url: str) -> bool:
        """Return whether a twin stands for the server of this URL."""
        ...

    def permits(self, host: str, port: int | None) -> bool:
        """Return whether no twin stands for this server."""
        ...


def import_clients() -> list[ModuleType]:
    """Import the client libraries that are installed; in the parent, so that every child finds them warm."""
    return [importlib.import_module(name) for name in CLIENTS if importlib.util.find_spec(name) is not None]


class Exchange:
    """Carries one request of the agent through the gate to the parent, where the twins live."""

    def __init__(self, gate: Gate, twins: Sequence[Twin], refuse: Refuse, reach: Reach) -> None:
        self._gate, self._twins, self._refuse, self.reach = gate, twins, refuse, reach

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer; a request that is no point of its own goes straight to its twin.

        Raises TransportFault where a fault fired, Permitted where the network answers, ChaosError where nobody can.
        """
        twin = twin_for(self._twins, request.url)
        if twin is None and self.reach.permits(request.hostname, request.port):
            raise Permitted
        if twin is None or request.opens_websocket:
            self._refuse(request)
        place = _place(twin, request)
        if not place[1]:
            return self._asked(
                TwinRequest(Point(twin.kind, request.method.lower(), place[2]), request, self._gate.now())
            )
        with self._gate.holding_token(*place):
            return self._exchanged(twin, request)

    async def later(self, request: HttpRequest) -> HttpResponse:
        """Return the answer to an async client; other tasks go on while it is on its way."""
        twin = twin_for(self._twins, request.url)
        if twin is None or not twin.verb(request):
            return self(request)
        # Before the gate: to wait within it would stop the loop, and all other tasks with it.
        await self._gate.before_await(*_place(twin, request))
        with self._gate.awaiting():
            response = self(request)
        await self._gate.after_await()
        return response

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Count a client, for the block, that waits for an answer which a fault keeps away."""
        self._gate.silences += 1
        try:
            yield
        finally:
            # Not below 0: one that was left open may be closed in the next run of this process, which began at 0.
            self._gate.silences = max(0, self._gate.silences - 1)

    def _exchanged(self, twin: Twin, request: HttpRequest) -> HttpResponse:
        crossing = self._gate.arrive(*_place(twin, request))
        before = crossing.phase("before")
        if before is not None and isinstance(before.action, Disconnect):
            self._gate.fired(before)
            raise TransportFault(before.action.reason)
        changed = before or crossing.changed_answer()
        act = TwinRequest(crossing.point, request, self._gate.now(), changed.position if changed else None)
        response = self._asked(act)
        medium = medium_of(crossing.point.kind)
        crossing.outcome = medium.done.get(crossing.point.verb, str(response.status))
        if before is not None:
            crossing.ends(crossing.outcome)
        after = self._answered(crossing, request) if before is None else None
        if after is not None and isinstance(after.action, Disconnect):
            self._gate.fired(after)
            raise TransportFault(after.action.reason)
        return response

    def _answered(self, crossing: Crossing, request: HttpRequest) -> ResolvedInjection | None:
        """Fire what is planned after the twin has acted. The call of a tool is cancelled in the task that awaits it."""
        try:
            return crossing.phase("after")
        except asyncio.CancelledError:
            if not medium_of(crossing.point.kind).cancels_caller or not callers.cancel_caller(request):
                raise
            return None

    def _asked(self, act: TwinRequest) -> HttpResponse:
        """Send a request to the parent, and return the twin's answer."""
        with self._gate.waiting_for_parent():
            response = self._gate.channel.ask(act)
        if isinstance(response, Refusal):
            raise ChaosError(response.code, response.message, response.hint)
        assert isinstance(response, HttpResponse)
        return response


def _place(twin: Twin, request: HttpRequest) -> tuple[str, str, str]:
    return twin.kind, twin.verb(request), twin.target(request)


async def _deadlines_first(request: Any) -> None:
    """End the client's wait for an answer if a timer of the agent's own ends before it."""
    with suppress(RuntimeError):
        loop: Any = asyncio.get_running_loop()
        patience_s = (request.extensions.get("timeout") or {}).get("read") or FOR_EVER_S
        until = loop.time() + patience_s
        if python_asyncio.ends_before(loop, until):
            await _sleep(patience_s)


_sleep = asyncio.sleep
_carrier: list[Exchange] = []
own: list[Own] = []
"""Who answers what the test's own process asks while it explores; at most one."""


def install(
    answer: Answer, permits: http_client.Permits = lambda host, port: False, later: Later | None = None
) -> Callable[[], None]:
    """Answer every request of these clients by `answer`, of async ones by `later`; returns a function that undoes it.

    Where `answer` raises Permitted, and for addresses that `permits` names, the network answers.
    """
    seams = [respx_seam.install(answer, later), http_client.install(answer, permits)]
    seams.append(aiohttp_seam.install(answer, permits, later, _silence))
    undo = [*seams, *map(_translate_errors, import_clients())]

    def uninstall() -> None:
        for step in reversed(undo):
            step()

    return uninstall


def prepare(*, real_network: bool) -> Callable[[], None]:
    """Prepare in the parent, once, for all children; returns a function that undoes it.

    Building an SSL context costs 20 ms a client. Without a real network no request of a child uses one: all share a
    bare one. The parent's own are whole: it goes on to reach what it likes.
    """
    bare, plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.create_default_context
    if not real_network:
        ssl.create_default_context = lambda *args, **kwargs: bare if _carrier else plain(*args, **kwargs)
    uninstall = install(carried, _permits, _later)

    def undo() -> None:
        uninstall()
        ssl.create_default_context = plain

    return undo


def _permits(host: str, port: int | None) -> bool:
    if _carrier:
        return _carrier[0].reach.permits(host, port)
    return all(one.permits(host, port) for one in own)


def _silence() -> AbstractContextManager[None]:
    return _carrier[0].silence() if _carrier else nullcontext()


async def _later(request: HttpRequest) -> HttpResponse:
    return await _carrier[0].later(request) if _carrier else carried(request)


def carried(request: HttpRequest) -> HttpResponse:
    """Answer a request of a child; of the parent's own (a `WorldSource`, Toxiproxy's client) those to twins."""
    if _carrier:
        return _carrier[0](request)
    for one in own:
        if one.answers(request.url):
            return one.answer(request)
    raise Permitted


def carries() -> bool:
    """Return whether this is a process of the agent."""
    return bool(_carrier)


def carry(exchange: Exchange) -> None:
    """Send the requests of this child through `exchange`."""
    _carrier[:] = [exchange]


def _translate_errors(module: ModuleType) -> Callable[[], None]:
    """Raise `TransportFault` as the client's own ConnectError or ReadTimeout, from both kinds of transport."""
    errors = {
        "refused": (module.ConnectError, "Connection refused"),
        "timeout": (module.ReadTimeout, "timed out"),
        "reset": (module.ReadError, "Connection reset by peer"),
    }

    def translated(fault: TransportFault, request: Any) -> Exception:
        kind, text = errors[fault.reason]
        error: Exception = kind(text, request=request)
        fault.becomes(error)
        return error

    sync, plain = module.HTTPTransport, module.HTTPTransport.handle_request
    asynchronous, plain_async = module.AsyncHTTPTransport, module.AsyncHTTPTransport.handle_async_request

    @functools.wraps(plain)
    def handle_request(self: Any, request: Any) -> Any:
        try:
            return plain(self, request)
        except TransportFault as fault:
            raise translated(fault, request) from None

    @functools.wraps(plain_async)
    async def handle_async_request(self: Any, request: Any) -> Any:
        try:
            return await plain_async(self, request)
        except TransportFault as fault:
            if fault.reason == "timeout":
                with _silence():
                    await _deadlines_first(request)
            raise translated(fault, request) from None

    sync.handle_request, asynchronous.handle_async_request = handle_request, handle_async_request

    def undo() -> None:
        sync.handle_request, asynchronous.handle_async_request = plain, plain_async

    return undo
