"""docs/network.md says what clients raise and try again when the network breaks: each of its rows, on both servers."""

import re
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from rollproof.network.toxiproxy import Toxiproxy

from .breaks import ROWS, carried_out, full_backlog
from .callers import CALLERS, outcome
from .servers import KINDS, Server

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "network.md"
SDKS = ("openai", "anthropic")
Results = dict[tuple[str, str, str], "Future[tuple[str, int]]"]


def table() -> dict[str, list[str]]:
    """Return the cells of each row of the document, by the first one."""
    lines = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][2:]
    rows = [[cell.strip().replace("*", "").replace("`", "") for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in rows}


TABLE = table()


def expected(row: str, client: str) -> tuple[set[str], int]:
    """Return what the document says of one client: the names it may raise, and how many requests were processed."""
    _, bare, plain, *sdks, processed = TABLE[row]
    cell = {"httpx": bare, "httpx2": bare, "requests": plain, "openai": sdks[0], "anthropic": sdks[1]}[client]
    names = {name if name in ("whole", "short") or "." in name else f"{client}.{name}" for name in cell.split(" or ")}
    return names, int(re.split(", ", processed)[client in SDKS])


@pytest.fixture(scope="module")
def results(servers: dict[str, Server]) -> Iterator[Results]:
    """Make all calls at once, since most of them wait."""
    number = count()
    with ExitStack() as stack, ThreadPoolExecutor(40) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of requests, that certificates are not looked at
        toxiproxies = {
            kind: stack.enter_context(Toxiproxy.start(f"http://127.0.0.1:{server.port}"))
            for kind, server in servers.items()
        }
        yield {
            (kind, row.name, client): pool.submit(carried_out, row, client, toxiproxy, next(number))
            for kind, toxiproxy in toxiproxies.items()
            for row in ROWS
            for client in CALLERS
        }


@pytest.mark.parametrize("client", CALLERS)
@pytest.mark.parametrize("row", [row.name for row in ROWS])
@pytest.mark.parametrize("kind", KINDS)
def test_a_break_ends_as_documented(results: Results, kind: str, row: str, client: str) -> None:
    """The client raises what the table says, and the server has processed as many requests."""
    if (kind, row, client) not in results:
        pytest.skip("the real Toxiproxy server is not on PATH: make toxiproxy")
    found, processed = results[kind, row, client].result()
    names, wanted = expected(row, client)
    assert found in names
    assert processed == wanted


@pytest.mark.parametrize("client", CALLERS)
def test_a_connect_black_hole(client: str) -> None:
    """Connecting itself takes for ever: nothing that Toxiproxy does, so a listener does it whose queue is full."""
    with full_backlog() as port:
        call = CALLERS[client](f"http://127.0.0.1:{port}", 0.3, False, "")
        assert outcome(call) in expected("connect black hole", client)[0]


def test_the_document_has_every_row() -> None:
    """And no other."""
    assert [*(row.name for row in ROWS), "connect black hole"] == list(TABLE)
