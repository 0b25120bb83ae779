"""The test's own requests to its twins: before, between and after explorations, and beside them.

They are answered from the declaration of the first twin to the end of the test. An exploration answers its agents.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

from ...values.errors import no_twin, no_websocket
from ...values.hosts import stands_for
from ...values.http import HttpRequest, HttpResponse
from ...values.sources import Twin, twin_for
from . import aiohttp_seam, http, http_client, respx_seam

_PORTS = {"http": 80, "https": 443}
_begun: "list[OwnRequests]" = []


class OwnRequests:
    """Answers the test's own process; `twins` and `allowed` hosts may become more meanwhile."""

    def __init__(self, twins: Sequence[Twin], allowed: Container[str]) -> None:
        self._twins, self._allowed = twins, allowed
        self._exploring = False
        self._undo: list[Callable[[], None]] = []

    def begin(self) -> None:
        """Answer from now on, in the place of an earlier test's object that was not ended."""
        if self._undo:
            return
        end_all()
        self._exploring = False
        self._undo += [
            respx_seam.install(self.answer, answers=lambda url: not self._aside() and self.answers(url)),
            http_client.install(self.answer, self._is_real),
            aiohttp_seam.install(self.answer, self._is_real),
        ]
        http.own[:] = [self]
        _begun.append(self)

    def end(self) -> None:
        """Stop answering.

        Wrappers that another library has put over ours since then are inert, and may be undone later.
        """
        while self._undo:
            self._undo.pop()()
        self._exploring = True
        http.own[:] = [own for own in http.own if own is not self]

    @contextmanager
    def exploring(self) -> Iterator[None]:
        """Answer nothing for the block: an exploration, or an ordinary run, answers instead."""
        self._exploring = True
        try:
            yield
        finally:
            self._exploring = not self._undo

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Return the answer of a twin; raises ChaosError where none stands for just this part of its host."""
        if http.carries():  # by a connection that the test had open: in an agent's process it is the agent's request
            return http.carried(request)
        twin = twin_for(self._twins, request.url)
        if twin is None:
            raise no_twin(f"calls {request.method} {request.url}", request.host, "test")
        if request.opens_websocket:
            raise no_websocket(request.hostname, "")
        return twin.handle(request)

    def permits(self, host: str, port: int | None) -> bool:
        """Return whether a connection to there is the test's own affair."""
        return host.lower() in self._allowed or not stands_for(self._twins, host, port)

    def answers(self, url: str) -> bool:
        """Return whether a twin stands for the server of this URL, or for this part of it."""
        parts = urlsplit(url)
        permitted = self.permits(parts.hostname or "", parts.port or _PORTS.get(parts.scheme))
        return not permitted or twin_for(self._twins, url) is not None

    def _is_real(self, host: str, port: int | None) -> bool:
        return self._aside() or self.permits(host, port)

    def _aside(self) -> bool:
        return self._exploring or http.carries()


def end_all() -> None:
    """End every `OwnRequests` that its test has not ended."""
    while _begun:
        _begun.pop().end()
