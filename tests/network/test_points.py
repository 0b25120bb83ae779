"""What the network does to an agent is planned, struck, replayed and judged like everything else."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from rollproof.values.network import Network

from .shops import Yard, line_shop, schedules, serving


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
    struck = {cell.fault for cell in result.cells}
    assert struck >= {"process.kill", "network.refused", "network.reset", "network.timeout", "network.cut_request"}


@pytest.mark.parametrize("fault", ["process.kill", "network.reset", "network.closed", "network.timeout"])
def test_an_order_is_given_twice_when_its_answer_is_lost(yard: Yard, shop: str, fault: str) -> None:
    """The server acted, and then: whatever the client is told, the second try is a second order."""
    result = yard.explore(shop, adds, fault)
    assert f"{fault}@net.exchange:shop#1:after" in schedules(result)
    assert not any(schedule.startswith(f"network.{fault}@net.exchange:shop#1:before") for schedule in schedules(result))
