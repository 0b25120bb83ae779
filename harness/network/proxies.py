"""Proxies of Toxiproxy between a relay and its service, one for each connection.

Of the faults on real connections it makes those that can be switched on while a connection stands still before an
exchange, and are exact then: an answer that comes late (``latency``) and a silence (``timeout``). The relay makes the
others. RST towards the client: a proxy sends it only where ``reset_peer`` was there when the connection was made, and
the relay would have to hold the answer anyway to know that the service acted. A request that is cut: a proxy hangs up
on both sides at once, and when the service is done with the part that it got could not be known.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..values.actions import Disturb
from ..values.points import Phase, Point
from .api import Unreachable
from .toxiproxy import Proxy, Toxiproxy


@dataclass(frozen=True, slots=True)
class Toxic:
    """One toxic, as the server is asked for it."""

    type: str
    stream: Literal["upstream", "downstream"]
    attributes: Mapping[str, int]


def toxic_for(action: object, point: Point, when: Phase) -> Toxic | None:
    """Return the toxic that carries out this action in this phase, or None where the relay does."""
    if isinstance(action, Disturb) and (point.verb, when) == ("exchange", "before"):
        if action.how == "slow":
            return Toxic("latency", "downstream", {"latency": round(action.seconds * 1000)})
        if action.how == "silent":
            return Toxic("timeout", "upstream", {"timeout": 0})
    return None


class Proxies:
    """The proxies of one test, on one server, which is started when it is first needed.

    Args:
        url: of a server that runs already; None for the real one where it is on PATH, or else the embedded one.
    """

    def __init__(self, url: str | None, seed: int = 0) -> None:
        self._url, self._seed = url, seed
        self._server = Toxiproxy.start(url, seed) if url is not None else None
        self._made: dict[tuple[str, int], Proxy] = {}
        self._count = 0

    @property
    def kind(self) -> str:
        """Return the kind of the server that made the proxies: "embedded" or "real"; "" where there is none."""
        return {"embedded": "the embedded Toxiproxy", "binary": "Toxiproxy", "url": "Toxiproxy"}.get(
            self._server.kind if self._server is not None else "", ""
        )

    def start(self) -> None:
        """Start the server where there is none yet: nobody should wait for that with a connection open."""
        if self._server is None:
            self._server = Toxiproxy.start(None, self._seed)

    def lead(self, key: tuple[str, int], upstream: tuple[str, int]) -> tuple[str, int]:
        """Create a Toxiproxy proxy for one connection; returns the address that the relay connects to."""
        self.start()
        assert self._server is not None
        self._count += 1
        host, port = upstream
        proxy = self._server.create(f"{key[0].replace(':', '-')}-{self._count}", f"{host}:{port}")
        self._made[key] = proxy
        return proxy.address

    def apply(self, key: tuple[str, int], toxic: Toxic) -> bool:
        """Add a toxic to the proxy of this connection; False where it has none."""
        proxy = self._made.get(key)
        if proxy is None:
            return False
        proxy.add(toxic.type, toxic.stream, **toxic.attributes)
        return True

    def clear(self) -> None:
        """Remove all proxies."""
        while self._made:
            with contextlib.suppress(Unreachable):  # the server has gone, and its proxies with it
                self._made.popitem()[1].delete()

    def close(self) -> None:
        """Remove all proxies, and end the server if it is ours."""
        self.clear()
        if self._server is not None:
            self._server.close()
            self._server = None
