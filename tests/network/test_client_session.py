"""toxiproxy-python itself, as its users call it: one session, the same on both servers."""

from collections.abc import Iterator

import pytest
import toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

from .servers import Server
from .wire import Client, Service, echo


@pytest.fixture
def client(server: Server) -> Iterator[toxiproxy.Toxiproxy]:
    """Point the package at the server, and back to where it points by itself."""
    client = toxiproxy.Toxiproxy()
    client.update_api_consumer("127.0.0.1", server.port)
    yield client
    client.update_api_consumer("127.0.0.1", 8474)


@pytest.fixture
def service() -> Iterator[Service]:
    """Run a service that says back what it hears."""
    service = Service(echo)
    yield service
    service.close()


def test_a_session_of_toxiproxy_python(client: toxiproxy.Toxiproxy, service: Service) -> None:
    """Create, talk, add and remove toxics, take down and up, populate, reset, destroy."""
    assert client.running()
    assert b"version" in client.version()
    proxy = client.create(upstream=f"127.0.0.1:{service.port}", name="mine")
    port = int(proxy.listen.rpartition(":")[2])
    assert Client(port).send(b"hello").read(5) == b"hello"
    proxy.add_toxic(type="limit_data", attributes={"bytes": 2})
    proxy.add_toxic(type="latency", stream="upstream", name="slow", toxicity=0.5, attributes={"latency": 1})
    shown = {
        name: (toxic.type, toxic.stream, toxic.toxicity, toxic.attributes) for name, toxic in proxy.toxics().items()
    }
    assert shown == {
        "slow": ("latency", "upstream", 0.5, {"latency": 1, "jitter": 0}),
        "limit_data_downstream": ("limit_data", "downstream", 1, {"bytes": 2}),
    }
    assert Client(port).send(b"hello").rest() == (b"he", "eof")
    assert proxy.destroy_toxic("slow")
    assert proxy.get_toxic("slow") is None
    with proxy.down(), pytest.raises(ConnectionRefusedError):
        Client(port)
    assert client.reset()
    assert Client(port).send(b"hello").read(5) == b"hello"
    populated = client.populate(
        [{"name": "other", "upstream": "127.0.0.1:9", "listen": "127.0.0.1:0", "enabled": False}]
    )
    assert [(one.name, one.enabled) for one in populated] == [("other", False)]
    assert set(client.proxies()) == {"mine", "other"}
    assert client.destroy(proxy)
    client.destroy_all()
    assert client.proxies() == {}


def test_its_exceptions(client: toxiproxy.Toxiproxy) -> None:
    """Each refusal of the server is the package's own exception, with the server's words."""
    proxy = client.create(upstream="127.0.0.1:9", name="mine")
    with pytest.raises(ProxyExists):
        client.create(upstream="127.0.0.1:9", name="mine")
    with pytest.raises(InvalidToxic, match="invalid toxic type"):
        proxy.add_toxic(type="nonsense")
    with pytest.raises(InvalidToxic, match="stream was invalid"):
        proxy.add_toxic(type="latency", stream="sideways")
    proxy.add_toxic(type="latency")
    with pytest.raises(ProxyExists, match="toxic already exists"):
        proxy.add_toxic(type="latency")
    with pytest.raises(NotFound, match="toxic not found"):
        proxy.destroy_toxic("nonsense")
    proxy.destroy()
    with pytest.raises(NotFound, match="proxy not found"):
        proxy.destroy()
