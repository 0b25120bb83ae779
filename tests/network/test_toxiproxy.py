"""The facade that tests are written with, on both servers and on one that is named by its URL."""

import os
import socket
from collections.abc import Iterator

import pytest
from rollproof.network.api import parse
from rollproof.network.launching import Helper
from rollproof.network.toxiproxy import Toxiproxy
from rollproof.values.errors import ChaosError

from .servers import BINARY, Server
from .wire import Client, Service, echo

REAL = pytest.mark.skipif(BINARY is None, reason="the real Toxiproxy server is not on PATH: make toxiproxy")


@pytest.fixture(params=["embedded", pytest.param("binary", marks=REAL), "url"])
def toxiproxy(request: pytest.FixtureRequest, servers: dict[str, Server]) -> Iterator[Toxiproxy]:
    """Be each kind of server."""
    if request.param == "embedded":
        made = Toxiproxy.embedded()
    else:
        shared = servers["embedded"]
        made = Toxiproxy.start(f"http://127.0.0.1:{shared.port}" if request.param == "url" else None)
    assert made.kind == request.param
    with made:
        yield made


@pytest.fixture
def service() -> Iterator[Service]:
    """Run a service that says back what it hears."""
    service = Service(echo)
    yield service
    service.close()


def test_a_proxy_leads_to_its_service_and_breaks_on_demand(toxiproxy: Toxiproxy, service: Service) -> None:
    """Through, cut, through again, down, up at the same address, gone."""
    proxy = toxiproxy.create("echo", f"127.0.0.1:{service.port}")
    port = proxy.address[1]
    assert proxy.address[0] == "127.0.0.1"
    assert Client(port).send(b"hello").read(5) == b"hello"
    cut = proxy.add("limit_data", bytes=2)
    slow = proxy.add("latency", "upstream", latency=1)
    assert Client(port).send(b"hello").rest() == (b"he", "eof")
    proxy.remove(cut)
    assert Client(port).send(b"hello").read(5) == b"hello"
    assert proxy.add("timeout", timeout=5) not in (cut, slow)
    proxy.clear()
    assert Client(port).send(b"hello").read(5) == b"hello"
    proxy.down()
    with pytest.raises(ConnectionRefusedError):
        Client(port)
    proxy.up()
    assert (proxy.address[1], Client(port).send(b"hello").read(5)) == (port, b"hello")
    proxy.delete()
    proxy.delete()
    with pytest.raises(ConnectionRefusedError):
        Client(port)


def test_the_same_toxic_twice(toxiproxy: Toxiproxy) -> None:
    """Each has a name of its own, so two latencies in one stream are no error."""
    proxy = toxiproxy.create("p", "127.0.0.1:9")
    assert proxy.add("latency", latency=1) != proxy.add("latency", latency=1)


@pytest.mark.parametrize(
    ("toxic", "says"),
    [
        ({"type": "latncy"}, "nearest: latency"),
        ({"type": "latency", "stream": "sideways"}, "type upstream or downstream"),
        ({"type": "latency", "toxicity": 1.5}, "toxicity is 1.5"),
        ({"type": "latency", "delay": 5}, "latency has no attribute 'delay'\n       its attributes: latency, jitter"),
        ({"type": "latency", "latency": -5}, "latency of latency is -5"),
        ({"type": "latency", "latency": 1.5}, "latency of latency is 1.5"),
        ({"type": "latency", "latency": True}, "latency of latency is True"),
        ({"type": "bandwidth", "rate": -1}, "rate of bandwidth is -1"),
        ({"type": "slicer"}, "average_size is 0; the least is 1"),
        ({"type": "slicer", "average_size": 5, "size_variation": 5}, "it must be from 0 to 4"),
        ({"type": "latency", "jitter": 2**62}, "beyond 1000000000000"),
    ],
)
def test_a_toxic_that_no_server_should_be_given(toxiproxy: Toxiproxy, toxic: dict[str, object], says: str) -> None:
    """It is refused before any server hears of it, which goes on working."""
    proxy = toxiproxy.create("p", "127.0.0.1:9")
    with pytest.raises(ChaosError) as refused:
        proxy.add(**toxic)  # type: ignore[arg-type]
    assert says in str(refused.value)
    assert refused.value.code == "toxiproxy-toxic"
    proxy.clear()


@pytest.mark.parametrize(
    ("name", "upstream"), [("a/b", "h:1"), ("", "h:1"), ("a?b", "h:1"), ("a", "h"), ("a", "h:http")]
)
def test_names_and_upstreams_that_cannot_be(toxiproxy: Toxiproxy, name: str, upstream: str) -> None:
    """A name with a slash could never be removed from a real server again."""
    with pytest.raises(ChaosError, match="toxiproxy-"):
        toxiproxy.create(name, upstream)


def test_a_name_that_is_taken_stays_with_who_has_it(servers: dict[str, Server]) -> None:
    """Making it twice is an error, and so is somebody else's, which is left as it was, by `close` too."""
    shared = servers["embedded"]
    with Toxiproxy.start(f"127.0.0.1:{shared.port}") as toxiproxy:
        toxiproxy.create("mine", "127.0.0.1:9")
        with pytest.raises(ChaosError, match="toxiproxy-name-taken"):
            toxiproxy.create("mine", "127.0.0.1:10")
        own = next(iter(shared.json("GET", "/proxies")))
        theirs = own.replace("-mine", "-theirs")
        shared.json("POST", "/proxies", {"name": theirs, "upstream": "127.0.0.1:11", "listen": "127.0.0.1:0"})
        with pytest.raises(ChaosError, match="it was left alone"):
            toxiproxy.create("theirs", "127.0.0.1:9")
    left = shared.json("GET", "/proxies")
    shared.clear()
    assert {name: proxy["upstream"] for name, proxy in left.items()} == {theirs: "127.0.0.1:11"}


def test_the_toxics_and_proxies_of_others_stay(servers: dict[str, Server]) -> None:
    """A shared server is never reset."""
    shared = servers["embedded"]
    shared.json("POST", "/proxies", {"name": "theirs", "upstream": "127.0.0.1:9", "enabled": False})
    shared.json("POST", "/proxies/theirs/toxics", {"type": "latency"})
    before = shared.json("GET", "/proxies")
    with Toxiproxy.start(f"127.0.0.1:{shared.port}") as toxiproxy:
        proxy = toxiproxy.create("mine", "127.0.0.1:9")
        proxy.add("latency")
        proxy.clear()
    assert shared.json("GET", "/proxies") == before
    shared.clear()


def test_the_way_to_a_server_is_direct(monkeypatch: pytest.MonkeyPatch, service: Service) -> None:
    """An HTTP proxy that the environment names does not stand between us and loopback."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    with Toxiproxy.embedded() as toxiproxy:
        proxy = toxiproxy.create("p", f"127.0.0.1:{service.port}")
        assert Client(proxy.address[1]).send(b"hello").read(5) == b"hello"


def test_two_servers_in_one_process(service: Service) -> None:
    """The package knows one server for a process; a facade has its own."""
    with Toxiproxy.embedded() as one, Toxiproxy.embedded() as other:
        first = one.create("p", f"127.0.0.1:{service.port}")
        second = other.create("p", f"127.0.0.1:{service.port}")
        first.down()
        assert Client(second.address[1]).send(b"hello").read(5) == b"hello"


def test_a_failure_of_the_server_is_an_error(servers: dict[str, Server]) -> None:
    """A port that another one took while a proxy was down: the package would say that it is up."""
    if "real" not in servers:
        pytest.skip("the real Toxiproxy server is not on PATH: make toxiproxy")
    with Toxiproxy.start(f"127.0.0.1:{servers['real'].port}") as toxiproxy:
        proxy = toxiproxy.create("p", "127.0.0.1:9")
        proxy.down()
        with socket.create_server(proxy.address), pytest.raises(ChaosError, match="address already in use"):
            proxy.up()


def test_the_dice_are_the_seeds(service: Service) -> None:
    """Which connections a toxicity of 0.5 strikes depends on the seed and on the name, not on the process."""
    runs = []
    for seed, name in ((1, "p"), (1, "p"), (2, "p"), (1, "q")):
        with Toxiproxy.embedded(seed) as toxiproxy:
            proxy = toxiproxy.create(name, f"127.0.0.1:{service.port}")
            proxy.add("limit_data", toxicity=0.5)
            runs.append([Client(proxy.address[1]).send(b"x").read(1) for _ in range(30)])
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert runs[0] != runs[3]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        "https://127.0.0.1:1",
        "ftp://127.0.0.1",
        "http://127.0.0.1:1/x",
        "http://127.0.0.1:x",
        "http://a:b@127.0.0.1",
    ],
)
def test_what_is_no_url_of_a_server(url: str) -> None:
    """It is refused with an example."""
    with pytest.raises(ChaosError, match=r"e\.g\. http://127\.0\.0\.1:8474"):
        Toxiproxy.start(url)


def test_a_server_on_another_machine() -> None:
    """Its proxies could not be reached."""
    with pytest.raises(ChaosError, match="not on this machine"):
        Toxiproxy.start("http://192.0.2.1:8474")


def test_urls_in_short() -> None:
    """Scheme and port may be left out."""
    assert parse("localhost") == ("localhost", 8474)
    assert parse("http://[::1]:1/") == ("[::1]", 1)


def test_nobody_is_there() -> None:
    """The error names the URL and what to type."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ChaosError) as refused:
            Toxiproxy.start(url)
    assert refused.value.code == "toxiproxy-unreachable"
    assert url in refused.value.message
    assert "toxiproxy-server" in refused.value.hint


def test_somebody_else_is_there(servers: dict[str, Server]) -> None:
    """A proxy's own port answers, but not as Toxiproxy."""
    service = Service(lambda visit, data: visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"))
    with pytest.raises(ChaosError, match="no Toxiproxy"):
        Toxiproxy.start(f"http://127.0.0.1:{service.port}")
    service.close()


def test_a_binary_that_does_not_start(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on PATH is used and not passed over in silence."""
    binary = os.path.join(str(tmp_path), "toxiproxy-server")
    with open(binary, "w") as script:
        script.write("#!/bin/sh\nexit 3\n")
    os.chmod(binary, 0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ChaosError, match="did not start"):
        Toxiproxy.start()


def test_what_went_through_is_told(service: Service) -> None:
    """The embedded server counts; another one says that it does not."""
    with Toxiproxy.embedded() as toxiproxy:
        proxy = toxiproxy.create("p", f"127.0.0.1:{service.port}")
        proxy.add("limit_data", bytes=2)
        Client(proxy.address[1]).send(b"hello").rest()
        service.visit().wait()
        [traffic] = proxy.connections()
    assert (traffic.from_client, traffic.to_upstream, traffic.to_client) == (5, 5, 2)
    assert traffic.ended == "toxic limit_data_downstream_1"


@REAL
def test_a_real_server_does_not_count() -> None:
    """Asking it is an error that says who does."""
    with Toxiproxy.start() as toxiproxy, pytest.raises(ChaosError, match="the embedded one does"):
        toxiproxy.create("p", "127.0.0.1:9").connections()


def test_a_file_of_the_users_is_no_module_of_ours(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with an asyncio.py of its own does not keep the server from starting."""
    with open(os.path.join(str(tmp_path), "asyncio.py"), "w") as theirs:
        theirs.write("raise SystemExit(1)\n")
    monkeypatch.chdir(str(tmp_path))
    helper = Helper.embedded("0")
    assert helper.port()
    helper.end()
