"""Servers of tools for clients that are not the Python SDK: on a real port, and as a real subprocess."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from rollproof.chaos import Chaos
from rollproof.values.exploration import Exploration
from rollproof.values.options import Options

from ..exploring import explored, options, replayed

CLIENT = dedent("""
    import json, subprocess, sys
    key, *command = sys.argv[1:]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(number, method, parameters):
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
        print(json.dumps(message), file=server.stdin, flush=True)
        line = server.stdout.readline()
        if not line:
            sys.exit("the server has gone")
        return json.loads(line)["result"]

    version = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
    ask(1, "initialize", version)
    print(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}), file=server.stdin, flush=True)
    result = ask(2, "tools/call", {"name": "book", "arguments": {"flight": "LH 454", "key": key}})
    server.stdin.close()
    server.wait()
    print(result["content"][0]["text"])
""")


def book(state: Any, flight: str, key: str) -> str:
    """Book a seat; the same key gets the same booking."""
    for number, booked in enumerate(state["bookings"], 1):
        if key and booked["key"] == key:
            return f"booking {number}"
    state["bookings"].append({"flight": flight, "key": key})
    return f"booking {len(state['bookings'])}"


class Traveller:
    """An agent that is a program of its own: it starts its server of tools, and is tried again where it fails."""

    def __init__(self, key: str) -> None:
        self._key = key

    def explore(self, chaos: Chaos, folder: Path) -> Exploration:
        """Book one flight."""
        chaos.mcp({"book": book}, base_url="https://tools.test/mcp")
        server = chaos.serve("https://tools.test/mcp")
        command = [sys.executable, "-I", "-c", CLIENT, self._key, *server.command]

        def run() -> str:
            for _ in range(2):
                done = subprocess.run(command, capture_output=True, text=True, timeout=60)
                if done.returncode == 0:
                    return done.stdout.strip()
            raise RuntimeError(done.stderr)

        try:
            return chaos.explore(run=run)
        finally:
            chaos.close()


def test_an_ordinary_run_books(tmp_path: Path) -> None:
    """Without exploring the subprocess answers too."""
    assert Traveller("trip-17").explore(Chaos(Options()), tmp_path).result == "booking 1"


LOST = "network.reset@net.exchange:tools.test#3:after"


def test_an_answer_that_is_lost_ends_the_server(tmp_path: Path) -> None:
    """The tool did its work, its server is gone: who calls again without a key books twice."""
    result = replayed(Traveller(""), tmp_path, LOST)
    assert "all_or_nothing" in result.violations[0].invariants
    assert (result.flaky, result.errors, result.drifted) == ((), (), ())


def test_who_calls_again_with_a_key_is_left_alone(tmp_path: Path) -> None:
    """Wherever a connection breaks, before the tool acted or after."""
    result = explored(Traveller("trip-17"), tmp_path, faults=[options().known["network.reset"]])
    assert (result.violations, result.flaky, result.errors, result.drifted, result.unintercepted) == (
        (),
        (),
        (),
        (),
        (),
    )
    assert {cell.fault for cell in result.cells} == {"network.reset"}


@pytest.mark.parametrize(
    ("said", "code", "complaint"),
    [
        (b"", 0, ""),
        (b'\n{"jsonrpc": "2.0", "method": "notifications/cancelled"}\n', 1, "400 "),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}\n', 1, "400 "),
    ],
    ids=["nothing", "a notification too early", "a request too early"],
)
def test_how_it_ends(said: bytes, code: int, complaint: str) -> None:
    """With its input; with what is no answer."""
    chaos = Chaos(Options())
    chaos.mcp({"book": book}, base_url="https://tools.test/mcp")
    server = chaos.serve("https://tools.test/mcp")
    done = subprocess.run(server.command, input=said, capture_output=True, timeout=60)
    chaos.close()
    assert done.returncode == code
    assert complaint in done.stderr.decode() if complaint else done.stderr == b""


def test_what_has_no_command() -> None:
    """Another service, one that a header opens, and one with TLS: a subprocess would have to be told more."""
    chaos = Chaos(Options())
    chaos.mcp({"book": book}, base_url="https://tools.test/mcp")
    chaos.mcp({"book": book}, base_url="https://locked.test/mcp", token="token-of-the-tools")
    served = [
        chaos.serve(chaos.api("https://api.shop.test")),
        chaos.serve("https://locked.test/mcp"),
        chaos.serve("https://tools.test/mcp", tls=True),
    ]
    chaos.close()
    assert [server.command for server in served] == [(), (), ()]
