"""Compare the embedded Toxiproxy server with the real one, in one run and taking turns.

    python benchmarks/network.py

Prints medians and the ratio of the two; the goal is to be at least as good as the real server.
"""

import asyncio
import resource
import shutil
import socket
import statistics
import sys
import time
from collections.abc import Callable
from multiprocessing import Process, Queue
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rollproof.network.toxiproxy import Proxy, Toxiproxy

ROUNDS = 5
EXCHANGES = 2_000
MB = 1 << 20
TRANSFER_MB = 256
CONNECTS = 500
HELD = 2_000


def main() -> None:
    """Measure what both servers add to a bare connection."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    if shutil.which("toxiproxy-server") is None:
        print("network: the real Toxiproxy server is not on PATH (make toxiproxy); nothing to compare with")
        return
    ports: Queue[int] = Queue()
    service = Process(target=_serve, args=[ports], daemon=True)
    service.start()
    port = ports.get()
    with Toxiproxy.embedded() as embedded, Toxiproxy.start() as real:
        proxies = {"embedded": embedded.create("b", f"127.0.0.1:{port}"), "real": real.create("b", f"127.0.0.1:{port}")}
        print("network: the embedded Toxiproxy server and the real one")
        _latency(proxies, port)
        _compare("throughput, MB/s", proxies, _throughput)
        _compare("new connections/s", proxies, _connections)
        for kind, pid in (("embedded", embedded.pid), ("real", real.pid)):
            print(f"  {HELD} connections held, {kind}: {_held(proxies[kind], pid)}")
    service.terminate()


def _latency(proxies: dict[str, Proxy], port: int) -> None:
    """Print the round trip of a byte, and what a proxy adds to it.

    Of the slowest rounds the ratio is of the whole, since what is added there drowns in what this machine does besides.
    """
    samples: dict[str, list[list[float]]] = {"none": [], "embedded": [], "real": []}
    for _ in range(ROUNDS):
        samples["none"].append(_round_trips(("127.0.0.1", port)))
        for kind, proxy in proxies.items():
            samples[kind].append(_round_trips(proxy.address))
    for name, at in (("median", 0.5), ("p99", 0.99)):
        bare, ours, theirs = (
            statistics.median(sorted(one)[int(len(one) * at)] for one in samples[kind]) * 1e6
            for kind in ("none", "embedded", "real")
        )
        ratio = (ours - bare) / (theirs - bare) if name == "median" else ours / theirs
        print(
            f"  round trip, {name}: {bare:.0f} µs without a proxy; added: embedded {ours - bare:.0f} µs, "
            f"real {theirs - bare:.0f} µs; {ratio:.2f} times the real one's (goal: 1 or less)"
        )


def _compare(name: str, proxies: dict[str, Proxy], measure: Callable[[Proxy], float]) -> None:
    """Print a rate, of which more is better."""
    found: dict[str, list[float]] = {kind: [] for kind in proxies}
    for _ in range(ROUNDS):
        for kind, proxy in proxies.items():
            found[kind].append(measure(proxy))
    ours, theirs = (statistics.median(found[kind]) for kind in ("embedded", "real"))
    print(f"  {name}: embedded {ours:.0f}, real {theirs:.0f}; {ours / theirs:.2f} times the real one's (goal: 1)")


def _round_trips(address: tuple[str, int]) -> list[float]:
    with socket.create_connection(address) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found = []
        for _ in range(EXCHANGES):
            began = time.perf_counter()
            client.sendall(b"x")
            client.recv(1)
            found.append(time.perf_counter() - began)
    return found


def _throughput(proxy: Proxy) -> float:
    """Send and read back nothing but a count: the service swallows what starts with an S."""
    with socket.create_connection(proxy.address) as client:
        data = b"S" + bytes(MB - 1)
        began = time.perf_counter()
        for _ in range(TRANSFER_MB):
            client.sendall(data)
        client.sendall(b"E")
        client.recv(1)
        return TRANSFER_MB / (time.perf_counter() - began)


def _connections(proxy: Proxy) -> float:
    began = time.perf_counter()
    for _ in range(CONNECTS):
        with socket.create_connection(proxy.address) as client:
            client.sendall(b"x")
            client.recv(1)
    return CONNECTS / (time.perf_counter() - began)


def _held(proxy: Proxy, pid: int) -> str:
    """Open many connections, use each of them, and say what that took."""
    began = time.perf_counter()
    clients = [socket.create_connection(proxy.address) for _ in range(HELD)]
    try:
        for client in clients:
            client.sendall(b"x")
        answered = sum(client.recv(1) == b"x" for client in clients)
        return f"{answered} answer, {time.perf_counter() - began:.2f} s, {_resident_mb(pid):.0f} MB resident"
    finally:
        for client in clients:
            client.close()


def _resident_mb(pid: int) -> float:
    """Return the memory of a process and of its children."""
    own = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / MB
    children = [int(word) for one in Path(f"/proc/{pid}/task").glob("*/children") for word in one.read_text().split()]
    return own + sum(map(_resident_mb, children))


class _Echo(asyncio.Protocol):
    """Says back a byte; of a large upload only the end is answered."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._swallows = transport, False

    def data_received(self, data: bytes) -> None:
        self._swallows = self._swallows or data.startswith(b"S")
        if not self._swallows:
            self._transport.write(data)
        elif data.endswith(b"E"):
            self._transport.write(b"E")


def _serve(ports: "Queue[int]") -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Echo, "127.0.0.1", 0, backlog=4096)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
