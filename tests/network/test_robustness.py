"""What would end or hang a server is refused or survived; where a real one dies, the embedded one alone is asked."""

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .servers import Server, started
from .wire import Client, Proxied, Visit, echo, serving, silent

DEADLY = [
    ("rate", "bandwidth", {"rate": -1}),
    ("rate", "bandwidth", {"rate": 2**62}),
    ("average_size", "slicer", {"average_size": 0}),
    ("average_size", "slicer", {"average_size": -5}),
    ("size_variation", "slicer", {"average_size": 5, "size_variation": 5}),
    ("size_variation", "slicer", {"average_size": 5, "size_variation": -1}),
    ("jitter", "latency", {"latency": 10, "jitter": 2**62}),
]


@pytest.fixture
def embedded(servers: dict[str, Server]) -> Iterator[Server]:
    """Be the embedded server."""
    yield servers["embedded"]
    servers["embedded"].clear()


@pytest.mark.parametrize(("named", "type", "attributes"), DEADLY)
def test_what_ends_a_real_server_is_refused(
    embedded: Server, named: str, type: str, attributes: dict[str, int]
) -> None:
    """A new toxic, and a change to one that is there; the message names the attribute, and nothing is changed."""
    proxy = Proxied(embedded, 9)
    path = f"/proxies/{proxy.name}/toxics"
    status, _, answer = embedded.request("POST", path, {"type": type, "attributes": attributes})
    assert status == 400
    assert named in answer.decode()
    assert embedded.json("GET", path) == []
    good = {"bandwidth": {"rate": 5}, "slicer": {"average_size": 5}, "latency": {"latency": 5}}[type]
    toxic = embedded.json("POST", path, {"type": type, "attributes": good})
    assert embedded.request("PATCH", f"{path}/{toxic['name']}", {"attributes": attributes})[0] == 400
    assert embedded.json("GET", f"{path}/{toxic['name']}") == toxic


def test_nothing_but_loopback_is_listened_on(embedded: Server) -> None:
    """An address that means everywhere means loopback here; one of this machine's own is refused."""
    for number, listen in enumerate(("", ":0", "0.0.0.0:0", "[::]:0")):
        wanted = {"name": f"everywhere-{number}", "upstream": "127.0.0.1:9", "listen": listen}
        assert embedded.json("POST", "/proxies", wanted)["listen"].startswith("127.0.0.1:")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        own = probe.getsockname()[0]
    wanted = {"name": "own", "upstream": "127.0.0.1:9", "listen": f"{own}:0"}
    status, _, answer = embedded.request("POST", "/proxies", wanted)
    assert (status, own.startswith("127.") or b"cannot assign requested address" in answer) == (500, True)


def test_a_disabled_proxy_keeps_its_port(embedded: Server) -> None:
    """Nobody else can take it, and connecting is refused meanwhile."""
    with serving(echo) as service:
        proxy = Proxied(embedded, service.port)
        proxy.update(enabled=False)
        with pytest.raises(ConnectionRefusedError):
            Client(proxy.port)
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", proxy.port))
        proxy.update(enabled=True)
        assert Client(proxy.port).send(b"hello").read(5) == b"hello"
        proxy.delete()
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", proxy.port))


def test_dice_are_the_same_for_the_same_seed() -> None:
    """Which of 40 connections a toxicity of 0.5 strikes is the doing of the seed, in each new server."""
    with serving(echo) as service:
        runs = []
        for seed in ("a", "a", "b"):
            with started("embedded") as server:
                wanted = {"name": "p", "upstream": f"127.0.0.1:{service.port}", "listen": "127.0.0.1:0", "seed": seed}
                port = int(server.json("POST", "/proxies", wanted)["listen"].rpartition(":")[2])
                server.json("POST", "/proxies/p/toxics", {"type": "limit_data", "toxicity": 0.5})
                runs.append([Client(port).send(b"x").read(1) for _ in range(40)])
    assert runs[0] == runs[1] != runs[2]


def test_what_went_through_is_counted(embedded: Server) -> None:
    """Bytes of both sides and what ended it, for each connection in order; one that lives has no end."""
    with serving(echo) as service:
        proxy = Proxied(embedded, service.port)
        whole = Client(proxy.port).send(b"hello")
        assert whole.read(5) == b"hello"
        whole.close()
        service.visit().wait()
        proxy.toxic("limit_data", bytes=2)
        assert Client(proxy.port).send(b"hello").rest() == (b"he", "eof")
        service.visit(2).wait()
        proxy.remove("limit_data_downstream")
        open_one = Client(proxy.port).send(b"hey")
        assert open_one.read(3) == b"hey"
        counted = embedded.json("GET", f"/rollproof/proxies/{proxy.name}/connections")
    sides = ("from_client", "to_upstream", "from_upstream", "to_client", "ended")
    assert [[one[side] for side in sides] for one in counted] == [
        [5, 5, 5, 5, "client closed"],
        [5, 5, 5, 2, "toxic limit_data_downstream"],
        [3, 3, 3, 3, ""],
    ]


def test_why_a_connection_ended_is_told(embedded: Server) -> None:
    """A service that closes, resets or is not there, and a proxy that is disabled: the first cause is what counts."""

    def manner(visit: Visit, data: bytes) -> None:
        if data == b"reset":
            visit.reset()
        elif data == b"close":
            visit.socket.shutdown(socket.SHUT_WR)
        else:
            visit.send(data)

    with serving(manner) as service:
        proxy = Proxied(embedded, service.port)
        for word in (b"reset", b"close"):
            assert Client(proxy.port).send(word).rest() == (b"", "eof")
        live = Client(proxy.port).send(b"x")
        assert live.read(1) == b"x"
        proxy.update(enabled=False)
    proxy.update(enabled=True)
    Client(proxy.port).rest()
    counted = embedded.json("GET", f"/rollproof/proxies/{proxy.name}/connections")
    assert [one["ended"] for one in counted] == [
        "upstream reset",
        "upstream closed",
        "proxy disabled",
        "upstream refused",
    ]


def test_upstreams_that_mean_nothing(embedded: Server) -> None:
    """The client is let in and closed, again and again, and the proxy goes on listening."""
    for number, upstream in enumerate(
        ("nonsense", "127.0.0.1:99999", "127.0.0.1:x", "a:b:c", ":", "\ud800:1", "é\0:1")
    ):
        wanted = {"name": f"nowhere-{number}", "upstream": upstream, "listen": "127.0.0.1:0"}
        port = int(embedded.json("POST", "/proxies", wanted)["listen"].rpartition(":")[2])
        assert [Client(port).rest()[0] for _ in range(2)] == [b"", b""]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST /proxies HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_garbage_on_the_api_is_refused(embedded: Server, garbage: bytes) -> None:
    """What is no HTTP closes its own connection, and no other."""
    with socket.create_connection(("127.0.0.1", embedded.port), 5) as client:
        client.sendall(garbage)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1000).startswith(b"HTTP/1.1 400 ")
    assert embedded.request("GET", "/version")[0] == 200


def test_the_api_keeps_connections_and_takes_chunked_bodies(embedded: Server) -> None:
    """Many requests on one connection, one of them with a body in chunks."""
    connection = http.client.HTTPConnection("127.0.0.1", embedded.port, timeout=5)
    for number in range(3):
        body = iter([b'{"name": "chunked-%d", ' % number, b'"upstream": "127.0.0.1:9", "listen": "127.0.0.1:0"}'])
        connection.request("POST", "/proxies", body=body, encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Content-Type")) == (201, "application/json")
        assert answer.read()
    connection.close()


def test_toxics_come_and_go_under_traffic(server: Server) -> None:
    """Four clients send and compare while toxics are added, changed and removed: no byte is lost or out of order."""
    with serving(echo) as service:
        proxy = Proxied(server, service.port)
        payload = bytes(range(256)) * 4096

        def exchange(_: int) -> bool:
            client = Client(proxy.port)
            for _ in range(3):
                client.send(payload)
                if client.read(len(payload)) != payload:
                    return False
            client.close()
            return True

        with ThreadPoolExecutor(4) as pool:
            running = [pool.submit(exchange, number) for number in range(4)]
            while not all(one.done() for one in running):
                for stream in ("upstream", "downstream"):
                    toxic = proxy.toxic("latency", stream, latency=3, jitter=2)
                    proxy.toxic("slicer", stream, average_size=9000, size_variation=100)
                    proxy.change(toxic, latency=1)
                    proxy.remove(toxic)
                    proxy.remove(f"slicer_{stream}")
            assert all(one.result() for one in running)


def test_a_proxy_goes_down_and_up_under_traffic(embedded: Server) -> None:
    """Clients meet refusals and ends and come again; in the end a new one gets through, and the toxics are there.

    Not of the real server, whose port one of the clients may be given while it is down.
    """
    with serving(echo) as service:
        proxy = Proxied(embedded, service.port)
        proxy.toxic("latency", latency=1)
        over = threading.Event()

        def come_again() -> None:
            while not over.is_set():
                with contextlib.suppress(OSError):
                    client = Client(proxy.port).send(bytes(100_000))
                    client.read(100_000)
                    client.close()

        with ThreadPoolExecutor(3) as pool:
            running = [pool.submit(come_again) for _ in range(3)]
            for _ in range(10):
                proxy.update(enabled=False)
                proxy.update(enabled=True)
            over.set()
            for one in running:
                one.result()
        assert Client(proxy.port).send(b"hello").read(5) == b"hello"
        assert [toxic["type"] for toxic in embedded.json("GET", f"/proxies/{proxy.name}/toxics")] == ["latency"]


def test_calls_side_by_side(server: Server) -> None:
    """Eight threads create, change and remove proxies of their own at once."""

    def work(number: int) -> int:
        for _ in range(5):
            proxy = Proxied(server, 9)
            proxy.toxic("latency")
            if server.kind == "embedded":  # another one's port may be given away meanwhile
                proxy.update(enabled=False)
                proxy.update(enabled=True)
            proxy.delete()
        return number

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == list(range(8))
    assert server.json("GET", "/proxies") == {}


def test_connections_leave_nothing_behind() -> None:
    """After 300 connections through five toxics the embedded server holds as many files as before."""
    with started("embedded") as server, serving(silent) as service:
        proxy = Proxied(server, service.port)
        before = _open_files(server.pid)
        proxy.toxic("limit_data", "upstream", bytes=1)
        proxy.toxic("latency", "upstream", latency=1)
        proxy.toxic("timeout", toxicity=0.5, timeout=1)
        proxy.toxic("slow_close", delay=1)
        for number in range(1, 301):
            client = Client(proxy.port).send(b"xx")
            client.rest()
            client.close()
            service.visit(number).wait()
        assert _open_files(server.pid) <= before + 2


def _open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
