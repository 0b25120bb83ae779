"""docs/network.md says what clients raise and try again when the network breaks: each of its rows, on both servers."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from rollproof.network.toxiproxy import Toxiproxy

from .breaks import ROWS, carried_out, full_backlog, placed
from .callers import CALLERS, outcome
from .servers import Server

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "network.md"
SDKS = ("openai", "anthropic")


def table() -> dict[str, list[str]]:
    """Return the cells of each row of the document, by the first one."""
    lines = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][2:]
    rows = [[cell.strip().replace("*", "").replace("`", "") for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in rows}


TABLE = table()


def expected(row: str, client: str) -> tuple[set[str], range]:
    """Return what the document says of one client: the names it may raise, and how many requests are processed."""
    _, bare, plain, *sdks, processed = TABLE[row]
    cell = {"httpx": bare, "httpx2": bare, "requests": plain, "openai": sdks[0], "anthropic": sdks[1]}[client]
    names = {name if name in ("whole", "short") or "." in name else f"{client}.{name}" for name in cell.split(" or ")}
    least, _, most = processed.split(", ")[client in SDKS].partition("–")
    return names, range(int(least), int(most or least) + 1)


def test_every_break_ends_as_documented(server: Server) -> None:
    """Each client raises what the table says, and the server has processed as many requests.

    All calls are made at once, since most of them wait.
    """
    calls = [(row, client) for row in ROWS for client in CALLERS]
    with (
        Toxiproxy.start(f"http://127.0.0.1:{server.port}") as toxiproxy,
        ThreadPoolExecutor(40) as pool,
        ExitStack() as ends,
    ):
        places = [
            placed(row, toxiproxy, number, ends.enter_context(ExitStack())) for number, (row, _) in enumerate(calls)
        ]
        made = [pool.submit(carried_out, *call, *place) for call, place in zip(calls, places, strict=True)]
        found = {(row.name, client): one.result() for (row, client), one in zip(calls, made, strict=True)}
    wrong = {
        call: (outcome, processed)
        for call, (outcome, processed) in found.items()
        if outcome not in expected(*call)[0] or processed not in expected(*call)[1]
    }
    assert wrong == {}


@pytest.mark.parametrize("client", CALLERS)
def test_a_connect_black_hole(client: str) -> None:
    """Connecting itself takes for ever: nothing that Toxiproxy does, so a listener does it whose queue is full."""
    with full_backlog() as port:
        call = CALLERS[client](f"http://127.0.0.1:{port}", 0.3, False, "", lambda: None)
        assert outcome(call) in expected("connect black hole", client)[0]


@pytest.mark.parametrize("client", CALLERS)
def test_an_unknown_host(client: str) -> None:
    """A name that by its definition nobody has (RFC 6761)."""
    assert (
        outcome(CALLERS[client]("http://rollproof.invalid", 5.0, False, "", lambda: None))
        in expected("unknown host", client)[0]
    )


def test_the_document_has_every_row() -> None:
    """And no other; the one with a certificate is left out where there is no openssl to make one."""
    assert {*(row.name for row in ROWS), "connect black hole", "unknown host", "untrusted certificate"} == set(TABLE)
