"""The services of one test that an agent reaches over real sockets: declared, started, ended."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..values.errors import ChaosError
from ..values.hosts import Hosts
from ..values.network import Network, Reach
from ..values.options import Options

if TYPE_CHECKING:
    from ..values.sources import Twin
    from .certificates import Authority
    from .proxies import Proxies
    from .relay_handle import RelayHandle
    from .twin_server_process import TwinServerProcess


def _address_of(upstream: object) -> str:
    """Return the address of a server, ``host:port``; raises ChaosError for an object without one."""
    address = upstream if isinstance(upstream, str) else getattr(upstream, "address", None)
    if not isinstance(address, str):
        hint = 'host:port as text, e.g. "127.0.0.1:5432", or a WorldSource with an address'
        raise ChaosError("bad-upstream", f"{upstream!r} is no upstream", hint)
    return address


class Networks:
    """The services that `Chaos.network` and `Chaos.serve` declare. Free until the first of them is called.

    Attributes:
        upstreams: the names of services by the addresses that agents are given.
        proxies: makes some of the faults; None where nothing was declared, or nothing is explored.
    """

    def __init__(self, options: Options) -> None:
        self._active, self._toxiproxy, self._seed = options.active, options.toxiproxy, options.seed
        self._records, self._controller = options.records, options.controller
        self.relays: list[RelayHandle] = []
        self.servers: list[TwinServerProcess] = []
        self.upstreams: dict[tuple[str, int], str] = {}
        self.proxies: Proxies | None = None
        self._authorities: list[Authority] = []

    def network(self, name: str, upstream: object, path: str = "", authority: "Authority | None" = None) -> Network:
        """Declare a server; returns the address for the agent. With an `authority` the relay speaks TLS."""
        from .relay_handle import RelayHandle, address, check

        check(name, self.upstreams.values())
        host, port = address(_address_of(upstream))
        network = Network(name, host, port, path)
        if self._active:
            from .proxies import Proxies

            self.proxies = self.proxies or Proxies(self._toxiproxy, self._seed)
        if self._active or authority is not None:
            self.relays.append(RelayHandle(name, (host, port), path, authority))
            network = self.relays[-1].network
        self.upstreams[network.host, network.port] = name
        return network

    def serve(self, twins: "Sequence[Twin]", twin: "Twin | str", *, tls: bool) -> Network:
        """Serve one of these twins on a real port."""
        from .twin_server_process import TwinServerProcess, declared

        chosen = declared(twins, twin)
        name = urlsplit(chosen.base_url)
        if name.netloc in self.upstreams.values():
            hint = "one server is enough: keep what chaos.serve returned the first time"
            raise ChaosError("twice", f"{chosen.base_url} is served already", hint)
        if tls:
            from ..guard.guarding import guard
            from .certificates import Authority

            guard(self._records, lives_with=self._controller)  # a private key must not outlive this process
            self._authorities.append(Authority(name.hostname or "localhost"))
        server = TwinServerProcess(chosen, explored=self._active)
        self.servers.append(server)
        network = self.network(server.name, server.upstream, server.path, self._authorities[-1] if tls else None)
        if tls or not getattr(chosen, "piped", False):
            return network
        return replace(network, command=(sys.executable, "-m", "rollproof.network.stdio", network.url))

    def reach(self, hosts: Hosts) -> Reach:
        """Return the part of the real network that an agent in the test's own process may reach."""
        return Reach(frozenset(hosts.allowed), self.upstreams, frozenset(hosts.offline))

    @property
    def problem(self) -> ChaosError | None:
        """The error of a twin that could not answer, which nobody saw but its client."""
        return next((server.problem for server in self.servers if server.problem is not None), None)

    def close(self) -> None:
        """End all that was started."""
        while self.relays:
            self.relays.pop().close()
        while self.servers:
            self.servers.pop().close()
        while self._authorities:
            self._authorities.pop().close()
        if self.proxies is not None:
            self.proxies.close()
