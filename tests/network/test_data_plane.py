"""What toxics do to bytes and ends of connections, on both sides of a proxy, and in the same way on both servers.

Where time is part of it, the least that must have passed is asserted, never the most.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from .servers import Server
from .wire import Client, Manner, Proxied, Service, Visit, echo, says, serving, silent

MB = b"0123456789abcdef" * 65536
Through = Callable[[Manner], tuple[Service, Proxied]]


@pytest.fixture
def through(server: Server) -> Iterator[Through]:
    """Return what makes a service and a proxy that leads to it."""
    services = []

    def make(manner: Manner) -> tuple[Service, Proxied]:
        services.append(Service(manner))
        return services[-1], Proxied(server, services[-1].port)

    yield make
    server.clear()
    for service in services:
        service.close()


def test_bytes_and_ends_pass_both_ways(through: Through) -> None:
    """Without a toxic a client's close reaches the service, and what it said before."""
    service, proxy = through(echo)
    client = Client(proxy.port).send(b"hello")
    assert client.read(5) == b"hello"
    client.close()
    assert service.visit().wait() == "eof"
    assert service.visit().read == b"hello"


def test_a_service_that_closes_closes_the_client(through: Through) -> None:
    """The end comes after all bytes, however many."""
    service, proxy = through(says(MB * 3, close=True))
    client = Client(proxy.port).send(b"go")
    assert client.rest() == (MB * 3, "eof")
    assert service.visit().wait() == "eof"


def test_there_is_no_half_close(through: Through) -> None:
    """A client that has said all loses the answer: its end closes the service's connection in both directions."""
    service, proxy = through(silent)
    client = Client(proxy.port).send(b"abc")
    client.socket.shutdown(1)
    assert client.rest() == (b"", "eof")
    assert (service.visit().wait(), bytes(service.visit().read)) == ("eof", b"abc")


def test_a_reset_of_the_service_is_an_ordinary_end(through: Through) -> None:
    """A proxy cannot pass a reset on: the client meets the end of the stream."""
    _, proxy = through(lambda visit, data: visit.reset())
    assert Client(proxy.port).send(b"go").rest() == (b"", "eof")


def test_a_dead_service_is_met_after_connecting(server: Server) -> None:
    """The proxy accepts first, and then finds nobody."""
    with serving(silent) as service:
        port = service.port
    proxy = Proxied(server, port)
    client = Client(proxy.port)
    assert client.rest()[0] == b""


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
def test_latency_delays_one_direction(through: Through, stream: str) -> None:
    """An answer comes no earlier than the latency."""
    _, proxy = through(echo)
    proxy.toxic("latency", stream, latency=150)
    client = Client(proxy.port).send(b"hello")
    assert client.read(5) == b"hello"
    assert client.spent_s >= 0.15


def test_latencies_add_up(through: Through) -> None:
    """Two in one stream, and one in the other."""
    _, proxy = through(echo)
    for stream, name in (("upstream", "a"), ("downstream", "b"), ("downstream", "c")):
        proxy.toxic("latency", stream, name, latency=80)
    client = Client(proxy.port).send(b"hello")
    assert client.read(5) == b"hello"
    assert client.spent_s >= 0.24


def test_jitter_stays_within_its_range(through: Through) -> None:
    """The least delay is latency minus jitter."""
    _, proxy = through(echo)
    proxy.toxic("latency", latency=60, jitter=20)
    for _ in range(5):
        client = Client(proxy.port).send(b"x")
        assert client.read(1) == b"x"
        assert client.spent_s >= 0.04


def test_latency_is_a_pipeline_in_order(through: Through) -> None:
    """Chunks wait side by side: a hundred of them, 150 ms each, need no 15 s."""
    _, proxy = through(echo)
    proxy.toxic("latency", "upstream", latency=150)
    client = Client(proxy.port)
    sent = b"".join(b"%03d;" % number for number in range(100))
    for start in range(0, len(sent), 4):
        client.send(sent[start : start + 4])
    client.socket.settimeout(8)
    assert client.read(len(sent)) == sent


def test_latency_does_not_delay_an_end_alone(through: Through) -> None:
    """A minute of latency, and the close passes."""
    service, proxy = through(silent)
    proxy.toxic("latency", "upstream", latency=60_000)
    client = Client(proxy.port)
    service.visit()
    client.close()
    assert service.visit().wait() == "eof"


@pytest.mark.parametrize("how", ["removed", "changed", "reset"])
def test_what_latency_held_goes_on_when_it_ends(through: Through, server: Server, how: str) -> None:
    """A chunk that waits for a minute comes at once when its toxic is removed, changed or reset."""
    service, proxy = through(silent)
    toxic = proxy.toxic("latency", "upstream", latency=60_000)
    Client(proxy.port).send(b"held")
    service.visit()
    if how == "removed":
        proxy.remove(toxic)
    elif how == "changed":
        proxy.change(toxic, latency=0)
    else:
        server.json("POST", "/reset")
    assert service.visit().wait_for(4) == b"held"


def test_a_toxic_added_to_a_live_connection_acts(through: Through) -> None:
    """Before it nothing is delayed, after it everything is."""
    _, proxy = through(echo)
    client = Client(proxy.port).send(b"1")
    assert client.read(1) == b"1"
    proxy.toxic("latency", latency=150)
    before = client.spent_s
    client.send(b"2")
    assert client.read(1) == b"2"
    assert client.spent_s - before >= 0.15


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
def test_bandwidth_takes_its_time_and_loses_nothing(through: Through, stream: str) -> None:
    """50 KB at 200 KB/s need a quarter of a second."""
    _, proxy = through(echo)
    proxy.toxic("bandwidth", stream, rate=200)
    client = Client(proxy.port).send(MB[:50_000])
    assert client.read(50_000) == MB[:50_000]
    assert client.spent_s >= 0.2


def test_bandwidth_0_lets_nothing_through(through: Through) -> None:
    """Not even an end that comes behind bytes; when it is removed, all of it comes."""
    service, proxy = through(silent)
    toxic = proxy.toxic("bandwidth", "upstream", rate=0)
    client = Client(proxy.port).send(b"held")
    client.close()
    assert not service.visit().over.wait(0.2)
    assert service.visit().read == b""
    proxy.remove(toxic)
    assert service.visit().wait_for(4) == b"held"


def test_slow_close_delays_only_the_end(through: Through) -> None:
    """Bytes come at once, the end later."""
    _, proxy = through(says(b"bye", close=True))
    proxy.toxic("slow_close", delay=200)
    client = Client(proxy.port).send(b"go")
    assert client.read(3) == b"bye"
    assert client.rest() == (b"", "eof")
    assert client.spent_s >= 0.2


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
def test_timeout_drops_bytes_and_closes(through: Through, stream: str) -> None:
    """Both sides meet an ordinary end, and no byte got through."""
    service, proxy = through(echo)
    proxy.toxic("timeout", stream, timeout=150)
    client = Client(proxy.port).send(b"hello")
    assert client.rest() == (b"", "eof")
    assert client.spent_s >= 0.15
    assert service.visit().wait() == "eof"
    assert bytes(service.visit().read) == (b"" if stream == "upstream" else b"hello")


def test_a_timeout_starts_anew_with_each_chunk(through: Through) -> None:
    """A drip every 100 ms keeps a connection with a timeout of 250 ms alive: it closes 250 ms after the last drop."""
    service, proxy = through(silent)
    proxy.toxic("timeout", "upstream", timeout=250)
    client = Client(proxy.port)
    for _ in range(4):
        client.send(b"x")
        assert not service.visit().over.wait(0.1)
    last = client.spent_s
    assert client.rest() == (b"", "eof")
    assert last >= 0.4


def test_timeout_0_stays_silent_until_it_is_removed(through: Through) -> None:
    """Nothing comes, nothing ends; removing the toxic closes the connection, since what it dropped is gone."""
    service, proxy = through(echo)
    toxic = proxy.toxic("timeout", timeout=0)
    client = Client(proxy.port).send(b"hello")
    assert client.rest(0.2) == (b"", "silence")
    assert service.visit().read == b"hello"
    proxy.remove(toxic)
    assert client.rest() == (b"", "eof")


@pytest.mark.parametrize("timeout", [0, 150])
def test_reset_peer_resets_when_the_answer_comes(through: Through, timeout: int) -> None:
    """The service has read the request and answered; the client meets a reset, and the service too."""
    service, proxy = through(echo)
    proxy.toxic("reset_peer", timeout=timeout)
    client = Client(proxy.port).send(b"hello")
    assert client.rest() == (b"", "reset")
    assert client.spent_s >= timeout / 1000
    assert (service.visit().wait(), bytes(service.visit().read)) == ("reset", b"hello")


def test_reset_peer_upstream_resets_before_the_service_reads(through: Through) -> None:
    """The service sees a connection and no byte."""
    service, proxy = through(echo)
    proxy.toxic("reset_peer", "upstream", timeout=0)
    assert Client(proxy.port).send(b"hello").rest() == (b"", "reset")
    assert (service.visit().wait(), bytes(service.visit().read)) == ("reset", b"")


def test_reset_peer_leaves_an_idle_connection_alone(through: Through) -> None:
    """Its time starts with the first chunk."""
    service, proxy = through(echo)
    proxy.toxic("reset_peer", timeout=1)
    client = Client(proxy.port)
    service.visit()
    assert client.rest(0.2) == (b"", "silence")


def test_reset_peer_of_toxicity_0_makes_every_end_a_reset(through: Through) -> None:
    """It lets bytes through, but what it did to the sockets when they connected stays."""
    service, proxy = through(echo)
    proxy.toxic("reset_peer", toxicity=0, timeout=0)
    client = Client(proxy.port).send(b"hello")
    assert client.read(5) == b"hello"
    client.close()
    assert service.visit().wait() == "reset"


def test_reset_peer_added_to_a_live_connection_only_closes(through: Through) -> None:
    """The sockets were connected without it."""
    _, proxy = through(echo)
    client = Client(proxy.port).send(b"1")
    assert client.read(1) == b"1"
    proxy.toxic("reset_peer", timeout=0)
    assert client.send(b"2").rest() == (b"", "eof")


def test_a_reset_in_the_middle_of_an_answer(through: Through) -> None:
    """`reset_peer` upstream that does nothing, and a limit downstream: so many bytes, then a reset."""
    _, proxy = through(says(b"0123456789"))
    proxy.toxic("reset_peer", "upstream", toxicity=0, timeout=0)
    proxy.toxic("limit_data", bytes=4)
    assert Client(proxy.port).send(b"go").rest() == (b"0123", "reset")


def test_slicer_keeps_bytes_and_order(through: Through) -> None:
    """Pieces arrive one by one: the first read is small, and the whole is the same."""
    service, proxy = through(silent)
    proxy.toxic("slicer", "upstream", average_size=64, size_variation=32, delay=2000)
    Client(proxy.port).send(MB[:1000])
    service.visit().wait_for(1)
    assert len(service.visit().read) < 1000
    assert service.visit().wait_for(1000) == MB[:1000]


@pytest.mark.parametrize(("limit", "arrives"), [(0, 0), (4, 4), (9, 9), (10, 10)])
def test_limit_data_closes_right_behind_the_last_byte(through: Through, limit: int, arrives: int) -> None:
    """An answer of ten bytes; at ten the end comes although the service says nothing of it."""
    _, proxy = through(says(b"0123456789"))
    proxy.toxic("limit_data", bytes=limit)
    assert Client(proxy.port).send(b"go").rest() == (b"0123456789"[:arrives], "eof")


def test_limit_data_upstream_cuts_an_upload(through: Through) -> None:
    """The service gets exactly so many bytes of a large request."""
    service, proxy = through(silent)
    proxy.toxic("limit_data", "upstream", bytes=100_000)
    client = Client(proxy.port)
    client.socket.settimeout(5)
    with pytest.raises(OSError, match=r"reset|Broken pipe"):
        client.send(MB * 64)
    assert (service.visit().wait(), len(service.visit().read)) == ("eof", 100_000)


def test_limit_data_remembers_when_it_is_changed(through: Through) -> None:
    """Four of six bytes are used up; of the next answer two come."""
    _, proxy = through(echo)
    toxic = proxy.toxic("limit_data", bytes=100)
    client = Client(proxy.port).send(b"0123")
    assert client.read(4) == b"0123"
    proxy.change(toxic, bytes=6)
    assert client.send(b"456789").rest() == (b"45", "eof")


@pytest.mark.parametrize("how", ["disabled", "deleted", "led elsewhere"])
def test_live_connections_end_with_their_proxy(through: Through, how: str) -> None:
    """Both sides meet an ordinary end, and a new connection is refused, unless the proxy only leads elsewhere."""
    service, proxy = through(echo)
    client = Client(proxy.port).send(b"1")
    assert client.read(1) == b"1"
    if how == "led elsewhere":
        proxy.update(upstream="127.0.0.1:1", enabled=True)
    elif how == "disabled":
        proxy.update(enabled=False)
    else:
        proxy.delete()
    assert client.rest() == (b"", "eof")
    assert service.visit().wait() == "eof"
    if how != "led elsewhere":
        with pytest.raises(ConnectionRefusedError):
            Client(proxy.port)


def test_a_proxy_comes_back_where_it_was(through: Through) -> None:
    """Enabled again, it listens on the same port, with the same toxics."""
    _, proxy = through(says(b"0123456789"))
    proxy.toxic("limit_data", bytes=3)
    proxy.update(enabled=False)
    assert int(proxy.update(enabled=True)["listen"].rpartition(":")[2]) == proxy.port
    assert Client(proxy.port).send(b"go").rest() == (b"012", "eof")


def test_a_chain_of_toxics_keeps_every_byte(through: Through) -> None:
    """Slices, delays, a bandwidth and a late end: a megabyte is still itself, and toxics may come and go meanwhile."""
    service, proxy = through(echo)
    proxy.toxic("slicer", "upstream", average_size=8000, size_variation=500, delay=1)
    proxy.toxic("latency", "upstream", latency=20, jitter=5)
    proxy.toxic("bandwidth", "upstream", rate=20_000)
    proxy.toxic("slow_close", "upstream", delay=10)
    client = Client(proxy.port).send(MB)
    middle = proxy.toxic("latency", "upstream", "middle", latency=1)
    proxy.remove("slicer_upstream")
    proxy.remove(middle)
    assert client.read(len(MB)) == MB
    client.close()
    assert (service.visit().wait(), bytes(service.visit().read)) == ("eof", MB)


def test_toxicity_is_rolled_for_each_connection(through: Through) -> None:
    """Of 200 connections with toxicity 0.5 between 79 and 121 are cut: three standard deviations."""
    _, proxy = through(echo)
    proxy.toxic("limit_data", toxicity=0.5, bytes=0)
    cut = 0
    for _ in range(200):
        client = Client(proxy.port).send(b"x")
        cut += client.read(1) == b""
        client.close()
    assert 79 <= cut <= 121


def test_toxicity_is_rolled_again_at_a_change(through: Through) -> None:
    """A connection that was spared is not spared for ever: of 60 changes one strikes, but for a chance of 2^-60."""
    _, proxy = through(echo)
    toxic = proxy.toxic("timeout", toxicity=0.5, timeout=1)
    spared = next(client for _ in range(60) if (client := Client(proxy.port)).send(b"x").read(1))

    def is_cut_at_a_change() -> bool:
        proxy.change(toxic, timeout=1)
        with suppress(OSError):
            return spared.send(b"x").read(1) == b""
        return True

    assert any(is_cut_at_a_change() for _ in range(60))


def test_a_slow_reader_makes_the_writer_wait(through: Through) -> None:
    """A service that says 256 MB is held up by a client that does not read; they do not pile up in between."""
    said = []

    def says_much(visit: Visit, data: bytes) -> None:
        visit.send(MB * 256)
        said.append(True)

    service, proxy = through(says_much)
    client = Client(proxy.port).send(b"go")
    assert not service.visit().over.wait(0.5)
    assert not said
    assert client.read(len(MB)) == MB
    client.close()
    service.visit().wait()


def test_ipv6(server: Server) -> None:
    """A proxy may listen on the other loopback."""
    import socket

    with serving(echo) as service:
        wanted = {"name": "v6", "upstream": f"127.0.0.1:{service.port}", "listen": "[::1]:0"}
        port = int(server.json("POST", "/proxies", wanted)["listen"].rpartition(":")[2])
        with socket.create_connection(("::1", port), 5) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
        server.clear()
