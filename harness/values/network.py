"""A service on a real port, and what the relay in front of it and the parent say to each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Network:
    """The address of a service for the agent: the relay in front of it, or without ``--chaos`` the service itself.

    `ca` is the file, in PEM, of the authority that a client of TLS has to trust; empty where it speaks no
    TLS. Where it does, there is always a relay. `command` starts a server of tools as a subprocess that speaks MCP over
    its pipes; empty for any other service, and for one with TLS or a token.
    """

    name: str
    host: str
    port: int
    path: str = ""
    upstream: tuple[str, int] = ("", 0)
    ca: str = ""
    command: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """The address for a client of HTTP, without a slash at its end."""
        return f"{'https' if self.ca else 'http'}://{self.host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class Reach:
    """The part of the real network that an agent may reach: whole hosts, and services behind a relay by their address.

    `offline` are hosts that it may ask, and does not reach.
    """

    hosts: frozenset[str] = frozenset()
    networks: Mapping[tuple[str, int], str] = field(default_factory=dict)
    offline: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.hosts or self.networks)

    def permits(self, host: str, port: object) -> bool:
        """Return whether a connection to there is real."""
        return host in self.hosts or self.network(host, port) is not None

    def network(self, host: str, port: object) -> str | None:
        """Return the name of the service whose relay has this address, or None."""
        address = "127.0.0.1" if host == "localhost" else host
        return self.networks.get((address, port)) if isinstance(port, int) else None
