"""Twins of the tests answer real clients in this process, through the same seam as in an exploration."""

from collections.abc import Callable, Iterator

import pytest
from rollproof.boundary.media import respx_seam
from rollproof.values.http import HttpRequest, HttpResponse

Serve = Callable[[Callable[[HttpRequest], HttpResponse]], None]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that lets its argument answer every request of httpx and httpx2 until the test ends."""
    undo: list[Callable[[], None]] = []
    yield lambda answer: undo.append(respx_seam.install(answer))
    for uninstall in reversed(undo):
        uninstall()
