"""The relays of one test, seen from the test's own process."""

import contextlib
import re
import socket
import subprocess
import sys
from urllib.parse import urlsplit

from ..boundary.channel import Channel
from ..values.errors import ChaosError
from ..values.network import Begin, Network, Settle, Settled

LOOPBACK = "127.0.0.1"
_PATIENCE_S = 20.0


class FrontProcess:
    """A relay in a process of its own; the agent finds it at `network`."""

    def __init__(self, name: str, upstream: tuple[str, int], path: str = "") -> None:
        listener = socket.create_server((LOOPBACK, 0), backlog=512)
        self.network = Network(name, LOOPBACK, listener.getsockname()[1], path)
        ours, theirs = socket.socketpair()
        fds = (theirs.fileno(), listener.fileno())
        command = [sys.executable, "-P", "-m", "rollproof.network.front", *map(str, fds), upstream[0], str(upstream[1])]
        self._process = subprocess.Popen(command, pass_fds=fds, stdin=subprocess.DEVNULL, start_new_session=True)
        theirs.close()
        listener.close()
        self.line = Channel(ours)
        self.pid = self._process.pid

    def begin(self) -> None:
        """Be asked at every moment from now on."""
        self.line.tell(Begin())

    def settle(self, *, dead: bool) -> None:
        """Wait until no connection is left; what a dead client left unsaid is lost."""
        try:
            self.line.tell(Settle(dead))
            while not isinstance(self.line.receive(_PATIENCE_S), Settled):
                pass
        except (OSError, EOFError) as problem:
            raise gone(self.network.name) from problem

    def close(self) -> None:
        """End it."""
        self.line.close()
        self._process.kill()
        self._process.wait()


def relayed(fronts: list[FrontProcess], name: str, upstream: str, *, active: bool) -> Network:
    """Return where an agent finds the server at `upstream`, with a new relay before it where that is wanted."""
    if not re.fullmatch(r"[\w.-]+", name):
        raise ChaosError("bad-name", f"{name!r} is no name of a service", 'letters, digits, "_", "." and "-": "shop"')
    if any(front.network.name == name for front in fronts):
        raise ChaosError("twice", f"there is a network {name!r} already", "give each service a name of its own")
    host, port = address(upstream)
    if not active:
        return Network(name, host, port)
    fronts.append(FrontProcess(name, (host, port)))
    return fronts[-1].network


def gone(name: str) -> ChaosError:
    """Return the error for a relay that has ended."""
    return ChaosError(
        "front-gone", f"the relay in front of {name!r} has ended", "was it killed? nothing after that could be judged"
    )


def address(upstream: str) -> tuple[str, int]:
    """Return host and port of ``host:port``; raises ChaosError for anything else."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(f"//{upstream}")
        if parts.hostname and parts.port and parts.netloc == upstream and "@" not in upstream:
            return parts.hostname, parts.port
    hint = 'name a server that the test runs: chaos.network("shop", "127.0.0.1:8080")'
    raise ChaosError("bad-upstream", f"{upstream!r} is no host:port", hint)
