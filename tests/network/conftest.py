"""Servers for the tests of the network; the real one where its binary is on PATH."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from .servers import BINARY, KINDS, Server, started


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, Server]]:
    """Start each server once."""
    with ExitStack() as stack:
        yield {kind: stack.enter_context(started(kind)) for kind in KINDS if kind == "embedded" or BINARY is not None}


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, servers: dict[str, Server]) -> Iterator[Server]:
    """Be one server and then the other, without a proxy."""
    if request.param not in servers:
        pytest.skip("the real Toxiproxy server is not on PATH: make toxiproxy")
    server = servers[request.param]
    yield server
    server.clear()
