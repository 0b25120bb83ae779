"""Real servers that keep what they are told in a folder, and explorations of agents that talk to them."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from rollproof.chaos import Chaos
from rollproof.values.exploration import Exploration
from rollproof.values.network import Network
from rollproof.values.schedule import Schedule

from ..exploring import options

Agent = Callable[[Network], Any]


@contextmanager
def serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[str]:
    """Let `handler` serve on a free port; gives ``host:port``."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def line_shop(folder: Path) -> type[socketserver.BaseRequestHandler]:
    """Return a server of lines: ``ADD text`` keeps one more order, ``PUT key text`` keeps it once for a key."""

    class Shop(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                if not line.endswith(b"\n"):
                    return
                verb, *words = line.decode().split()
                name = words[0] if verb == "PUT" else str(len(list(folder.iterdir())))
                (folder / name).write_text(words[-1])
                self.wfile.write(b"ok\n")

    return Shop


def keeps_everything(folder: Path) -> type[socketserver.BaseRequestHandler]:
    """Return a server that writes down all that it gets until the client ends, and says so."""

    class Drive(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            (folder / "upload").write_bytes(self.rfile.read())
            self.wfile.write(b"kept")

    return Drive


class Post:
    """Where an agent is explored that talks to a twin of a mail service on a real port."""

    URL = "https://api.mail.test"

    def network(self, chaos: Chaos) -> Network:
        """Declare the service; returns where it is."""
        self.mail = chaos.api(self.URL)
        return chaos.serve(self.mail)

    def explore(self, agent: Agent, *faults: str, token: str = "", **changed: Any) -> Exploration:
        """Explore `agent` under these faults; it is given where the service is."""
        known = options().known
        schedule = Schedule.parse(token) if token else None
        found: list[Exploration] = []
        chosen = tuple(known[name] for name in faults)
        chaos = Chaos(options(faults=chosen, schedule=schedule, **changed), "test_it", found.append)
        network = self.network(chaos)
        try:
            chaos.explore(run=lambda: agent(network))
        except pytest.fail.Exception:
            assert found, "the test failed before anything was explored"
        finally:
            chaos.close()
        return found[0]


class Yard:
    """Where an agent is explored: `shared` is what the server keeps, and watched; `elsewhere` is not looked at."""

    def __init__(self, folder: Path) -> None:
        self.shared, self.own, self.elsewhere = (folder / name for name in ("shared", "own", "elsewhere"))
        for path in (self.shared, self.own, self.elsewhere):
            path.mkdir()

    def explore(
        self,
        upstream: str,
        agent: Agent,
        *faults: str,
        token: str = "",
        recover: Callable[[], Any] | None = None,
        errors: Literal["recover", "handled"] = "recover",
        **changed: Any,
    ) -> Exploration:
        """Explore `agent` under these faults, all of them where none is named; return the result in any case."""
        known = options().known
        chosen = tuple(known[name] for name in faults) or options().faults
        schedule = Schedule.parse(token) if token else None
        found: list[Exploration] = []
        chaos = Chaos(options(faults=chosen, schedule=schedule, **changed), "test_it", found.append)
        chaos.watch(self.shared)
        chaos.private(self.own)
        network = chaos.network("shop", upstream)
        try:
            chaos.explore(lambda: agent(network), recover, errors=errors)
        except pytest.fail.Exception:
            assert found, "the test failed before anything was explored"
        finally:
            chaos.close()
        return found[0]


def schedules(result: Exploration) -> dict[str, tuple[str, ...]]:
    """Return what breaks which invariants."""
    return {finding.schedule: finding.invariants for finding in result.violations}
