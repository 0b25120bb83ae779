"""The relays of one test, seen from the test's own process."""

import contextlib
import re
from collections.abc import Collection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..values.errors import ChaosError
from ..values.network import Network
from ..values.rare import rare
from .side_process import LOOPBACK, SideProcess

if TYPE_CHECKING:
    from .certificates import Authority


class RelayHandle(SideProcess):
    """The handle on a relay in the test's process; the agent connects to `network`."""

    def __init__(
        self, name: str, upstream: tuple[str, int], path: str = "", authority: "Authority | None" = None
    ) -> None:
        host, port = upstream
        super().__init__("rollproof.network.relay", host, str(port), *([authority.server] if authority else []))
        self.network = Network(name, LOOPBACK, self.port, path, upstream, authority.path if authority else "")


def check(name: str, taken: Collection[str]) -> None:
    """Refuse a name that cannot be one in a token, or that another service has."""
    if not re.fullmatch(r"[\w.:-]+", name):
        raise ChaosError("bad-name", f"{name!r} is no name of a service", 'letters, digits, "_", "." and "-": "shop"')
    if name in taken:
        raise ChaosError("twice", f"there is a network {name!r} already", "give each service a name of its own")


def gone(name: str) -> ChaosError:
    """Return the error for a relay or a twin's server that has ended."""
    rare("a relay has ended that was killed")
    return ChaosError(
        "front-gone", f"the server or relay of {name!r} has ended", "was it killed? nothing after that could be judged"
    )


def address(upstream: str) -> tuple[str, int]:
    """Return host and port of ``host:port``; raises ChaosError for anything else."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(f"//{upstream}")
        if parts.hostname and parts.port and parts.netloc == upstream and "@" not in upstream:
            return parts.hostname, parts.port
    hint = 'name a server that the test runs: chaos.network("shop", "127.0.0.1:8080")'
    raise ChaosError("bad-upstream", f"{upstream!r} is no host:port", hint)
