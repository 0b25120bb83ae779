"""What the network does to an agent is planned, struck, replayed and judged like everything else."""

import contextlib
import json
import socket
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from rollproof.chaos import Chaos
from rollproof.engine.relay_points import RelayPoints
from rollproof.network.toxiproxy import Toxiproxy
from rollproof.values.network import Network
from rollproof.values.protocol import Carried, ConnectionClosed

from ..exploring import explored, only, options
from .shops import Yard, keeps_everything, line_shop, schedules, serving


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """An outside."""
    return Yard(tmp_path)


@pytest.fixture
def shop(yard: Yard) -> Iterator[str]:
    """A server of lines that keeps orders."""
    with serving(line_shop(yard.shared)) as address:
        yield address


def say(network: Network, line: str) -> None:
    """Send one line and wait for its answer, three times at most."""
    for attempt in range(3):
        try:
            with socket.create_connection((network.host, network.port), timeout=5) as connection:
                connection.sendall(line.encode())
                if connection.makefile().readline() == "ok\n":
                    return
        except OSError:
            if attempt == 2:
                raise


def adds(network: Network) -> None:
    """Order; whoever gets no answer orders again."""
    say(network, "ADD panel\n")


def puts(network: Network) -> None:
    """Order under a key of its own."""
    say(network, "PUT panel panel\n")


def test_every_moment_of_an_exchange_is_tried(yard: Yard, shop: str) -> None:
    """An agent that repeats itself under a key is right under every fault there is, and all of them were tried."""
    result = yard.explore(shop, puts)
    assert schedules(result) == {}
    assert result.points == 2
    assert result.closed
    assert "exhaustive: every single fault and any number of crashes (closed)" in result.statement
    fired = {cell.fault for cell in result.cells}
    assert fired == {
        "process.kill",
        "process.interrupt",
        *(name for name, fault in options().known.items() if fault.at[0].startswith("net.")),
    }
    assert "slow and silent through" in result.statement


@pytest.mark.parametrize("fault", ["process.kill", "network.reset", "network.closed", "network.timeout"])
def test_an_order_is_given_twice_when_its_answer_is_lost(yard: Yard, shop: str, fault: str) -> None:
    """The server acted, and then: whatever the client is told, the second try is a second order."""
    lost = f"{fault}@net.exchange:shop#1:after"
    assert "all_or_nothing" in schedules(yard.explore(shop, adds, token=lost))[lost]


def test_an_exploration_finds_it_and_its_token_replays_it(yard: Yard, shop: str) -> None:
    """The same failure, truly, from the text alone."""
    lost = "network.reset@net.exchange:shop#1:after"
    found = schedules(yard.explore(shop, adds, "network.reset"))
    assert "all_or_nothing" in found[lost]
    assert schedules(yard.explore(shop, adds, token=lost)) == {lost: found[lost]}


def test_a_token_whose_point_is_not_there_has_drifted(yard: Yard, shop: str) -> None:
    """It proves nothing."""
    there, missing = (f"network.reset@net.exchange:shop#{n}:before" for n in (1, 7))
    assert yard.explore(shop, puts, token=f"{there} + {missing}").drifted == (missing,)


def test_a_fault_that_comes_when_its_connection_is_over_has_not_drifted(
    yard: Yard, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It depends on the machine: it is counted, in a recovery too, and takes the word exhaustive away."""
    told = RelayPoints.told

    def over(self: RelayPoints, name: str, message: Carried | ConnectionClosed) -> None:
        told(self, name, replace(message, done=False) if isinstance(message, Carried) else message)

    monkeypatch.setattr(RelayPoints, "told", over)
    result = yard.explore(shop, puts, "network.reset", "process.kill", depth=2)
    assert result.drifted == ()
    assert {*result.skipped} == {"too_late"}
    assert f"{result.skipped['too_late']} faults came when the connection was over" in result.statement
    assert "exhaustive" not in result.statement


def test_what_is_cut_in_its_middle_stays_so(yard: Yard, shop: str) -> None:
    """A server that keeps what it got of an upload: half of it, or nearly all, and never the rest by chance."""
    seen = yard.elsewhere / "seen"

    def uploads(network: Network) -> None:
        try:
            with socket.create_connection((network.host, network.port), timeout=5) as connection:
                connection.sendall(b"x" * 1000)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1)
        except OSError:
            seen.write_text(str((yard.shared / "upload").stat().st_size))
            (yard.shared / "upload").unlink()
            raise

    with serving(keeps_everything(yard.shared)) as address:
        for variant, size in ((1, "500"), (2, "950")):
            token = f"network.cut_request.{variant}@net.exchange:shop#1:middle"
            seen.unlink(missing_ok=True)
            yard.explore(address, uploads, token=token, errors="handled")
            assert seen.read_text() == size


def test_half_an_upload_is_taken_for_the_whole(yard: Yard) -> None:
    """The server keeps what it got, and a recovery that finds a file there believes that all is well."""

    def uploads(network: Network) -> None:
        if not (yard.shared / "upload").exists():
            with socket.create_connection((network.host, network.port), timeout=5) as connection:
                connection.sendall(b"x" * 1000)
                connection.shutdown(socket.SHUT_WR)
                if connection.recv(4) != b"kept":
                    raise ConnectionError("the server hung up")

    with serving(keeps_everything(yard.shared)) as address:
        found = schedules(yard.explore(address, uploads, "network.cut_request"))
    assert "all_or_nothing" in found["network.cut_request.1@net.exchange:shop#1:middle"]


def test_an_exchange_is_a_turn_of_both_sides(yard: Yard, shop: str) -> None:
    """Whatever the protocol: two lines at once are one exchange, two turns on one connection are two."""

    def turns(network: Network) -> None:
        with socket.create_connection((network.host, network.port), timeout=5) as connection:
            answers = connection.makefile()
            connection.sendall(b"PUT a a\nPUT b b\n")
            assert [answers.readline(), answers.readline()] == ["ok\n", "ok\n"]
            connection.sendall(b"PUT c c\n")
            assert answers.readline() == "ok\n"

    result = yard.explore(shop, turns, "process.kill")
    assert result.points == 3
    assert result.violations == ()


def test_a_second_fault_after_the_first(yard: Yard, shop: str) -> None:
    """One lost answer is met by asking whether the order is there, and a second one breaks it."""

    def once_careful(network: Network) -> None:
        try:
            say_once(network, "ADD panel\n")
        except OSError:
            if not list(yard.shared.iterdir()):
                with contextlib.suppress(OSError):
                    say_once(network, "ADD panel\n")
                    return
                say_once(network, "ADD panel\n")

    def recovers() -> None:
        """Take back what was not confirmed."""

    found = schedules(yard.explore(shop, once_careful, "network.reset", recover=recovers, depth=2))
    first, second = (f"network.reset@net.exchange:shop#{n}:{when}" for n, when in ((1, "before"), (2, "after")))
    assert f"{first} + {second}" in found
    assert all(" + " in schedule for schedule in found)


def say_once(network: Network, line: str) -> None:
    """Send one line and wait for its answer."""
    with socket.create_connection((network.host, network.port), timeout=5) as connection:
        connection.sendall(line.encode())
        if connection.makefile().readline() != "ok\n":
            raise ConnectionError("no answer")


def test_connections_side_by_side_have_one_order(yard: Yard, shop: str) -> None:
    """Two exchanges in flight at once: the statement says that their order is one of several."""

    def both(network: Network) -> None:
        address = (network.host, network.port)
        with socket.create_connection(address) as one, socket.create_connection(address) as two:
            for connection, name in ((one, b"a"), (two, b"b")):
                connection.sendall(b"PUT %s %s\n" % (name, name))
            assert one.makefile().readline() == two.makefile().readline() == "ok\n"

    result = yard.explore(shop, both, "network.slow")
    assert "connections side by side, in one order" in result.statement
    assert "exhaustive" not in result.statement


def test_threads_with_files_beside_a_connection_have_one_order(yard: Yard, shop: str) -> None:
    """Two threads, a file each, and then an order over the wire: all is explored, and nothing claims every order."""

    def agent(network: Network) -> None:
        with ThreadPoolExecutor(2) as pool:
            for made in [pool.submit((yard.own / name).touch) for name in ("a", "b")]:
                made.result()
        puts(network)

    result = yard.explore(shop, agent, "process.kill")
    assert schedules(result) == {}
    assert "connections side by side, in one order" in result.statement.replace(" and threads", "")
    assert "exhaustive" not in result.statement


ERRORS = {
    "network.refused": "ConnectionRefusedError",
    "network.dns": "gaierror",
    "network.unreachable": "TimeoutError",
}


@pytest.mark.parametrize("fault", ERRORS)
def test_what_a_client_is_told_of_a_connection_that_is_not_made(yard: Yard, shop: str, fault: str) -> None:
    """The system's own error, from connecting, and the server saw nothing."""
    told = yard.elsewhere / "told"

    def tries(network: Network) -> None:
        try:
            socket.create_connection((network.host, network.port), timeout=5).close()
        except OSError as error:
            told.write_text(f"{type(error).__name__} {len(list(yard.shared.iterdir()))}")

    yard.explore(shop, tries, token=f"{fault}@net.connect:shop#1:before")
    assert told.read_text() == f"{ERRORS[fault]} 0"


def test_a_client_without_patience_of_its_own_is_not_left_waiting(yard: Yard, shop: str) -> None:
    """The silence ends after a while, as a system's own limits end it, and then it is an error."""
    told = yard.elsewhere / "told"

    def waits(network: Network) -> None:
        with socket.create_connection((network.host, network.port)) as connection:
            try:
                connection.sendall(b"ADD panel\n")
                connection.recv(1)
            except OSError as error:
                told.write_text(type(error).__name__)

    yard.explore(shop, waits, token="network.timeout@net.exchange:shop#1:before")
    assert told.read_text() == "ConnectionResetError"


def test_an_agent_that_never_gives_up(yard: Yard, shop: str) -> None:
    """Exchanges are counted like requests: a storm of retries does not terminate, and is ended."""

    def for_ever(network: Network) -> None:
        while True:
            with contextlib.suppress(OSError):
                say_once(network, "PUT panel panel\n")
                return

    found = schedules(yard.explore(shop, for_ever, "network.reset"))
    assert "terminates" in found["network.reset~lasting@net.exchange:shop#1:before"]


def test_a_toxiproxy_that_runs_already(yard: Yard, shop: str) -> None:
    """It makes the faults, and none of our proxies is left on it."""
    with Toxiproxy.embedded() as server:
        result = yard.explore(shop, puts, "network.slow", "network.timeout", toxiproxy=server.url)
        left = json.load(urllib.request.urlopen(f"{server.url}/proxies"))
    assert schedules(result) == {}
    assert "real connections: shop (slow and silent through Toxiproxy)" in result.statement
    assert left == {}


def test_ctrl_c_while_an_answer_is_awaited(yard: Yard, shop: str) -> None:
    """It comes as a signal, in whatever the client waits; the server acted, and the agent takes nothing back."""
    told = yard.elsewhere / "told"

    def run(network: Network) -> None:
        try:
            say(network, "ADD panel\n")
        except KeyboardInterrupt:
            told.write_text(str(len(list(yard.shared.iterdir()))))
            raise

    token = "process.interrupt@net.exchange:shop#1:after"
    assert "all_or_nothing" in schedules(yard.explore(shop, run, token=token))[token]
    assert told.read_text() == "1"


def test_crashes_after_an_error_are_tried_at_relays_too(tmp_path: Path, shop: str) -> None:
    """Between two orders of a handler nothing is seen but by the relay: who dies there has given half of them.

    The handler of a lost mail orders two things instead, and the recovery knows that both were ordered by the second.
    """

    def explore(chaos: Chaos, folder: Path) -> None:
        shared = tmp_path / "shared"
        chaos.watch(shared)
        chaos.api("https://api.mail.test")
        network = chaos.network("shop", shop)

        def run() -> None:
            try:
                httpx.post("https://api.mail.test/mails", json={"to": "all"})
            except httpx.HTTPError:
                say(network, "PUT one panel\n")
                say(network, "PUT two panel\n")

        chaos.explore(
            run,
            recover=lambda: None if (shared / "two").exists() else run(),
            allow=lambda world: {*world.files} == {"shared/one", "shared/two"},
        )

    agent = SimpleNamespace(explore=explore)
    result = explored(agent, tmp_path, **only("http.refused", "process.kill"))
    lost, half = "http.refused@http.post:api.mail.test/mails#1:before", "process.kill@net.exchange:shop#1:after"
    assert f"{lost} + {half}" in {*schedules(result)}
