"""A service on a real port, and what the relay in front of it and the parent say to each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .http import HttpRequest, HttpResponse
from .points import When
from .strikes import Disturb


@dataclass(frozen=True, slots=True)
class Network:
    """Where the agent finds a service: the relay in front of it, or without ``--chaos`` the service itself.

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
    """What of the real network an agent may reach: whole hosts, and services behind a relay by their address.

    `offline` are hosts that it may ask, and does not reach.
    """

    hosts: frozenset[str] = frozenset()
    networks: Mapping[tuple[str, int], str] = field(default_factory=dict)
    offline: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.hosts or self.networks)

    def permits(self, host: str, port: object) -> bool:
        """Say whether a connection to there is real."""
        return host in self.hosts or self.network(host, port) is not None

    def network(self, host: str, port: object) -> str | None:
        """Return the name of the service whose relay has this address, or None."""
        address = "127.0.0.1" if host == "localhost" else host
        return self.networks.get((address, port)) if isinstance(port, int) else None


@dataclass(frozen=True, slots=True)
class Moment:
    """A connection has come to this moment, and stands still until it is told to go on.

    An *exchange* begins with the first bytes of a client after the connection was made or after bytes of the server;
    its `when` is "before" while they are held, "middle" when a part of them went on, and "after" when the
    first bytes of the server's answer have come and are held. What a server says before any client is the "after" of
    the verb "connect". `size` is the number of the client's bytes in this exchange so far.
    """

    number: int
    connection: int
    verb: Literal["connect", "exchange"]
    when: When
    size: int = 0


@dataclass(frozen=True, slots=True)
class GoOn:
    """The reply to a `Moment`.

    Attributes:
        strike: what happens to the connection now; None for nothing.
        share: of the exchange's request that goes on before "middle" has come; 0 for all of it, and no middle.
        dead: whether the client died here; what is held of it is lost.
        made: whether a proxy behind the relay makes the strike.
        via: where to connect to instead of the service itself; empty for no detour.
    """

    number: int
    strike: Disturb | None = None
    share: float = 0.0
    dead: bool = False
    made: bool = False
    via: tuple[str, int] | tuple[()] = ()


@dataclass(frozen=True, slots=True)
class Carried:
    """What a relay made of the strike that it was told with the `GoOn` of this number.

    It is not `done` where the connection was over by then.
    """

    number: int
    done: bool = True


@dataclass(frozen=True, slots=True)
class Closed:
    """A connection has ended."""

    connection: int


@dataclass(frozen=True, slots=True)
class Begin:
    """A process of the agent begins: from now on connections stand still at their moments. Until then they go on."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Let all connections come to their end, and end those that do not; the reply is `Settled`.

    After that connections go on unasked again. `dead` says that the client was killed: what it sent and is held, or was
    not yet read, is lost.
    """

    dead: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """No connection is left."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Is something on its way to the client? The reply is `Awaited`."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """Whether a service still works on an answer, or an answer is just coming."""

    busy: bool


@dataclass(frozen=True, slots=True)
class Requested:
    """A request that came to a twin over a real port."""

    number: int
    request: HttpRequest


@dataclass(frozen=True, slots=True)
class Replied:
    """The twin's reply to a `Requested`."""

    number: int
    response: HttpResponse
