"""The agents of built-in scenarios in processes beside each other, with the services that they share on a real port.

A scenario's test declares its world as for an exploration; here nothing is explored: each process does what the
scenario teaches a service to do, which is to recover and then to run. The twins live in this process, behind one HTTP
server; in the others, what httpx and httpx2 send goes there, with its real address in a header.
"""

from __future__ import annotations

import gc
import http.client
import inspect
import json
import os
import re
import signal
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from processes import started
from replicas import SHORT_S, SignallingStore
from rollproof import Chaos, World
from rollproof.boundary.media import respx_seam
from rollproof.boundary.process.warming import warm_caches
from rollproof.engine.config import ExplorationConfig
from rollproof.engine.process_runs import RawState
from rollproof.engine.worlds import Worlds
from rollproof.runtime import Outbox, Saga, UnfinishedRun
from rollproof.values.durations import Spent
from rollproof.values.http import HttpRequest, HttpResponse
from rollproof.values.options import Options
from rollproof.values.sources import Twin, twin_for
from rollproof.world.storage.disk import Disk

DONE = "done"
ADDRESS = "x-address"
"""The header that has the address of what is sent to the server of all twins."""
RESTARTS = 20
"""How often a replica starts again because another one died: more often than any dies here."""
_DRAWN = re.compile(r"[0-9a-f]{16,}|\d{16,}")


class Declared(BaseException):
    """What a scenario's test declared, instead of its exploration; an agent's `except Exception` lets it pass."""

    def __init__(self, config: ExplorationConfig, environment: dict[str, str]) -> None:
        super().__init__()
        self.config, self.environment = config, environment


class Declaring(Chaos):
    """The fixture of a test of which only the declarations count."""

    def explore(self, run: Any, recover: Any = None, *, allow: Any = None, **how: Any) -> Any:
        """Explore nothing."""
        raise Declared(self._config(run, recover or run, allow, True, "recover"), self._declared.environment)


@dataclass(frozen=True)
class Story:
    """A scenario: its module, and what its test declared, in a folder of its own and with new twins."""

    module: ModuleType
    config: ExplorationConfig
    environment: dict[str, str]

    @classmethod
    def of(cls, name: str, folder: Path) -> Story:
        """Declare the scenario of a name anew."""
        module = loaded(name)
        folder.mkdir()
        chaos = Declaring(Options())
        try:
            scenario_test(module)(chaos, folder)
        except Declared as declared:
            return cls(module, declared.config, declared.environment)
        finally:
            chaos.close()
        raise AssertionError(f"{name} explores nothing")

    def serve(self) -> None:
        """Be a service that starts: settle what was left, then do the work; again where another died meanwhile."""
        for _ in range(RESTARTS):
            self.config.recover()
            with suppress(UnfinishedRun):
                self.config.run()
                return
        raise AssertionError("there is always a run in the way")

    def world(self) -> World:
        """Give the outside as it is now, as an exploration sees it."""
        services = tuple(service.save() for service in self.config.services)
        disk = Disk(self.config.sources)
        try:
            return Worlds(self.config, set(), Spent()).world(RawState(disk.capture(), services, 0.0))
        finally:
            disk.close()

    def broken(self, world: World) -> dict[str, str]:
        """Give the invariants that do not hold, each with what it says."""
        found = {}
        for check in self.config.invariants:
            try:
                for violation in check.check(world, None):  # type: ignore[arg-type]
                    found[check.name] = str(violation)
            except AssertionError as error:
                found[check.name] = str(error)
        return found


@cache
def loaded(name: str) -> ModuleType:
    """Give the module of a scenario, and do once what the SDK of a model would do in each of its processes."""
    module = import_module(f"rollproof.scenarios.test_{name}")
    if hasattr(module, "openai"):
        warm_caches()
    return module


def scenario_test(module: ModuleType) -> Callable[..., None]:
    """Give the test of a scenario."""
    (test,) = (found for name, found in inspect.getmembers(module, inspect.isfunction) if name.startswith("test_"))
    return test


def left_in(world: World) -> Counter[str]:
    """Give what there is outside, and the names of what an agent keeps, without what is drawn anew for each run."""
    watched = [f"{path} {entry.kind} {entry.content!r}" for path, entry in world.entries.items()]
    rows = [
        f"{name} {json.dumps(row, sort_keys=True)}"
        for tables in (world.tables, world.resources)
        for name, found in tables.items()
        for row in found
    ]
    own = [path for path in world.private_entries if not path.endswith(".alive")]
    return Counter(_DRAWN.sub("#", text) for text in [*watched, *rows, *own])


def leases_in(world: World) -> list[Any]:
    """Give the leases that are held."""
    return [row for name, rows in world.private_tables.items() if name.endswith(":leases") for row in rows]


class Desk(BaseHTTPRequestHandler):
    """Lets the twin answer that a request is for; one at a time."""

    twins: Sequence[Twin]
    lock: threading.Lock

    def do_GET(self) -> None:
        """Answer, whatever the method is."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = HttpRequest(self.command, headers.pop(ADDRESS), headers, body)
        twin = twin_for(self.twins, request.url)
        assert twin is not None, request.url
        with self.lock:
            answer = twin.handle(request)
        self.send_response(answer.status)
        for name, value in {**answer.headers, "content-length": str(len(answer.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def ask(port: int, request: HttpRequest) -> HttpResponse:
    """Send what an agent asks to the server of all twins."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {**request.headers, ADDRESS: request.url}
        connection.request(request.method, urlsplit(request.url).path or "/", request.body, headers)
        answer = connection.getresponse()
        return HttpResponse(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


@dataclass(frozen=True)
class Strike:
    """A signal that a process sends itself, before or after its transaction number `at`."""

    at: int
    after: bool
    sign: signal.Signals


class Replica:
    """A process that waits for its beginning, does some work, and says how it ended."""

    def __init__(self, work: Callable[[], Any], story: Story, port: int, action: Strike | None, short: bool) -> None:
        """Fork it; `short` gives its leases an end that can be waited for."""
        self.ending, self.transitions, self.text = "", 0, ""
        waiting, self._begin = os.pipe()
        self._told, telling = os.pipe()

        def live() -> None:
            os.read(waiting, 1)
            gc.disable()  # it would touch, and so copy, all that the test's process has
            self._prepare(story, port, action, short)
            ending, text = DONE, ""
            try:
                work()
            except Exception as error:
                ending, text = type(error).__name__, str(error)
            os.write(telling, json.dumps([ending, SignallingStore.count, text]).encode())

        self.pid = started(live)
        os.close(waiting)
        os.close(telling)

    @staticmethod
    def _prepare(story: Story, port: int, action: Strike | None, short: bool) -> None:
        SignallingStore.count = 0
        if action is not None:
            SignallingStore.at, SignallingStore.after, SignallingStore.sign = action.at, action.after, action.sign
        story.module.Store = SignallingStore  # type: ignore[attr-defined]
        if short:
            Saga.__init__.__kwdefaults__["lease_s"] = SHORT_S
            Outbox.__init__.__kwdefaults__["claim_s"] = SHORT_S
        bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # making a whole one takes a client 20 ms
        ssl.create_default_context = lambda *args, **kwargs: bare
        respx_seam.install(partial(ask, port))
        os.environ.update(story.environment)

    def begin(self) -> None:
        """Let it begin."""
        os.write(self._begin, b"!")

    def wait_until_stopped(self) -> bool:
        """Wait until it is stopped; false where it ended before that."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            self._hear(status)
        return os.WIFSTOPPED(status)

    def go_on(self) -> None:
        """Wake it up."""
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> str:
        """Wait for its end; give the name of what it raised, `DONE`, or the name of what killed it."""
        if not self.ending:
            self._hear(os.waitpid(self.pid, 0)[1])
        return self.ending

    def _hear(self, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        os.close(self._begin)
        with open(self._told, "rb") as told:
            said = told.read()
        killed = signal.Signals(-code).name if code < 0 else f"exit {code}"
        self.ending, self.transitions, self.text = json.loads(said) if said else (killed, 0, "")


class Stage:
    """A scenario's world, and processes in it, all of them forked before there is a thread in this one."""

    def __init__(self, story: Story) -> None:
        self.story = story
        handler = type("OwnDesk", (Desk,), {"twins": story.config.twins, "lock": threading.Lock()})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = False
        self._forked: list[Replica] = []

    def replica(self, action: Strike | None = None, *, short: bool = False) -> Replica:
        """Fork a service that recovers and does its work, once it may begin."""
        return self._fork(self.story.serve, action, short)

    def settler(self) -> Replica:
        """Fork a service that only recovers."""
        return self._fork(self.story.config.recover, None, False)

    def _fork(self, work: Callable[[], Any], action: Strike | None, short: bool) -> Replica:
        replica = Replica(work, self.story, self._server.server_port, action, short)
        self._forked.append(replica)
        return replica

    @contextmanager
    def open(self) -> Iterator[None]:
        """Answer what the processes ask; none of them outlives the block."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            for replica in self._forked:
                if not replica.ending:
                    os.kill(replica.pid, signal.SIGKILL)
                    replica.end()
            self._server.shutdown()
            self._server.server_close()
            thread.join()
