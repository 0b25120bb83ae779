"""A real Postgres behind psycopg: libpq's sockets are seen by nothing in Python, and are struck all the same."""

import json
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from rollproof.chaos import Chaos
from rollproof.values.exploration import Exploration
from rollproof.values.network import Network
from rollproof.values.schedule import Schedule
from rollproof.values.world import Row

from ..exploring import options
from .shops import schedules

pgserver = pytest.importorskip("pgserver", reason="no server for this Python")
FAULTS = ("process.kill", "network.reset")


def free_port() -> int:
    """Return a port that nobody has now."""
    with closing(socket.create_server(("127.0.0.1", 0))) as held:
        return int(held.getsockname()[1])


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A server that listens on a port; gives ``host:port``."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    server, port = pgserver.get_server(folder), free_port()
    how = ["-w", "-m", "fast", "-l", str(folder / "log"), "-o", f"-h 127.0.0.1 -p {port} -k {folder} -F", "restart"]
    pgserver.pg_ctl(how, pgdata=folder, user=server.system_user)
    yield f"127.0.0.1:{port}"
    pgserver.pg_ctl(["-m", "immediate", "stop"], pgdata=folder, user=server.system_user)
    shutil.rmtree(folder, ignore_errors=True)


class Orders:
    """The rows of one table, as a source of external state."""

    def __init__(self, address: str) -> None:
        self.address = address
        host, _, port = address.partition(":")
        self._connection = psycopg.connect(host=host, port=int(port), user="postgres", autocommit=True)
        self._connection.execute("DROP TABLE IF EXISTS orders")
        self._connection.execute("CREATE TABLE orders (number text, what text)")
        self._connection.execute("CREATE UNIQUE INDEX numbers ON orders (number) WHERE number <> ''")

    def save(self) -> bytes:
        """Return all rows."""
        rows = self._connection.execute("SELECT number, what FROM orders ORDER BY number, what").fetchall()
        return json.dumps(rows).encode()

    def restore(self, state: bytes) -> None:
        """Put rows back."""
        self._connection.execute("DELETE FROM orders")
        for row in json.loads(state):
            self._connection.execute("INSERT INTO orders VALUES (%s, %s)", row)

    def describe(self, state: bytes) -> Mapping[str, list[Row]]:
        """Name them."""
        return {"postgres/orders": [{"number": number, "what": what} for number, what in json.loads(state)]}

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def ordering(number: str) -> Callable[[Network], str]:
    """Return an agent that inserts an order, under a number or under none, and again where the connection broke."""

    def run(network: Network) -> str:
        for _ in range(2):
            try:
                return insert(network)
            except psycopg.OperationalError as problem:
                error = problem
        raise error

    def insert(network: Network) -> str:
        where: dict[str, Any] = {"host": network.host, "port": network.port, "user": "postgres"}
        with psycopg.connect(**where, sslmode="disable", gssencmode="disable") as connection:
            connection.execute("INSERT INTO orders VALUES (%s, 'panel') ON CONFLICT DO NOTHING", [number])
        return "ordered"

    return run


def explore(postgres: str, agent: Callable[[Network], str], token: str = "") -> Exploration:
    """Explore an agent of the database."""
    known = options().known
    found: list[Exploration] = []
    schedule = Schedule.parse(token) if token else None
    chaos = Chaos(options(faults=tuple(known[n] for n in FAULTS), schedule=schedule), "test_it", found.append)
    with closing(Orders(postgres)) as orders, closing(chaos):
        network = chaos.network("postgres", orders)
        try:
            chaos.explore(run=lambda: agent(network))
        except pytest.fail.Exception:
            assert found
    return found[0]


def test_an_order_under_a_number_is_there_once(postgres: str) -> None:
    """Crashes and lost connections at every exchange: connecting, BEGIN, INSERT, COMMIT, the end."""
    result = explore(postgres, ordering("order-1"))
    assert schedules(result) == {}
    assert result.closed
    assert result.points == 6
    assert "exhaustive" in result.statement


def test_a_commit_whose_answer_is_lost_happened(postgres: str) -> None:
    """Whoever takes the error for a rollback orders twice; the token replays it."""
    lost = "network.reset@net.exchange:postgres#4:after"
    assert lost in schedules(explore(postgres, ordering(""), lost))
