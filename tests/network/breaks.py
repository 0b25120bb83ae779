"""The ways in which the network breaks under one call; the rows of the table in docs/network.md."""

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

from rollproof.network.toxiproxy import Proxy, Toxiproxy

from .callers import CALLERS, outcome
from .model_server import ModelServer, model_server

Shape = Literal["whole", "chunked", "delimited"]
"""Whether an answer has a length, is streamed in chunks, or is streamed and ends with the connection."""


@dataclass
class Scene:
    """What a break works on."""

    proxy: Proxy
    server: ModelServer
    stack: ExitStack
    again: Callable[[], str]


Break = Callable[[Scene], None]


@dataclass(frozen=True)
class Row:
    """One way to break: before a call, or when the first part of its answer came."""

    name: str
    happens: Break
    shape: Shape = "whole"
    timeout_s: float = 8.0
    padding: int = 0
    scheme: str = "http"
    halfway: bool = False


def add(type: str, stream: Literal["upstream", "downstream"] = "downstream", **attributes: int) -> Break:
    """Return what adds one toxic."""
    return lambda scene: _ignored(scene.proxy.add(type, stream, **attributes))


def _ignored(name: str) -> None:
    """Drop the name of a toxic that stays."""


def down(scene: Scene) -> None:
    """Refuse connections."""
    scene.proxy.down()


def down_for_a_while(scene: Scene) -> None:
    """Refuse connections for less than an SDK waits before it tries again."""
    scene.proxy.down()
    timer = threading.Timer(0.2, scene.proxy.up)
    timer.start()
    scene.stack.callback(timer.join)


def dead(scene: Scene) -> None:
    """Have nobody behind the proxy."""
    scene.server.shutdown()
    scene.server.server_close()


def untrusted(scene: Scene) -> None:
    """Give the service a certificate that it signed itself."""
    with tempfile.TemporaryDirectory() as folder:
        pem = os.path.join(folder, "both.pem")
        wanted = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=127.0.0.1"]
        command = ["openssl", "req", "-x509", *wanted, "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run([*command, "-keyout", pem, "-out", f"{pem}.cert"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{pem}.cert", pem)
    scene.server.socket = context.wrap_socket(scene.server.socket, server_side=True)


def reset_in_the_middle(scene: Scene) -> None:
    """Let so many bytes through and then reset."""
    scene.proxy.add("reset_peer", "upstream", toxicity=0)
    scene.proxy.add("limit_data", bytes=900)


def stale(scene: Scene) -> None:
    """Call once, and close the connection that was kept."""
    assert scene.again() == "whole"
    scene.proxy.down()
    scene.proxy.up()


def half_open(scene: Scene) -> None:
    """Call once, and let nothing come back on the connection that was kept."""
    assert scene.again() == "whole"
    scene.proxy.add("timeout", timeout=0)


ROWS = [
    Row("refused", down),
    Row("refused, then back", down_for_a_while),
    Row("accepted, then closed", dead),
    Row("reset after processing", add("reset_peer")),
    Row("reset before processing", add("reset_peer", "upstream")),
    Row("upload cut", add("limit_data", "upstream", bytes=100_000), padding=4_000_000),
    Row("no answer", add("timeout"), timeout_s=1.5),
    Row("closed without an answer", add("timeout", timeout=800)),
    Row("request lost", add("timeout", "upstream"), timeout_s=1.5),
    Row("slower than the timeout", add("latency", latency=20_000), timeout_s=1.5),
    Row("cut in the body", add("limit_data", bytes=400)),
    Row("cut in the headers", add("limit_data", bytes=60)),
    Row("stream cut, chunked", add("limit_data", bytes=900), "chunked"),
    Row("stream cut, close-delimited", add("limit_data", bytes=900), "delimited"),
    Row("stream reset", reset_in_the_middle, "chunked"),
    Row("trickle", add("bandwidth", rate=1), timeout_s=1.5),
    Row("silence in a stream", add("timeout"), "chunked", timeout_s=1.5, halfway=True),
    Row("slow loris", add("slicer", average_size=150, delay=100_000), timeout_s=1.5),
    Row("stale keep-alive", stale),
    Row("half-open keep-alive", half_open, timeout_s=1.5),
    Row("TLS to a plain port", lambda scene: None, scheme="https"),
    Row("TLS handshake stalled", add("timeout", "upstream"), scheme="https", timeout_s=1.5),
    Row("TLS handshake reset", add("reset_peer"), scheme="https"),
]
if shutil.which("openssl") is not None:
    ROWS.append(Row("untrusted certificate", untrusted, scheme="https"))


def placed(row: Row, toxiproxy: Toxiproxy, number: int, stack: ExitStack) -> tuple[ModelServer, Proxy, ExitStack]:
    """Start the server of one call and the proxy before it, before anything breaks; `stack` ends them.

    A real Toxiproxy leaves the port of a proxy that is down to whoever comes next.
    """
    server = stack.enter_context(model_server(row.shape != "delimited"))
    proxy = toxiproxy.create(f"row-{number}", f"127.0.0.1:{server.server_port}")
    stack.callback(proxy.delete)
    return server, proxy, stack


def carried_out(row: Row, client: str, server: ModelServer, proxy: Proxy, stack: ExitStack) -> tuple[str, int]:
    """Make one call under one break; returns what it ended in and how many requests the server processed."""
    with stack:
        url = f"{row.scheme}://127.0.0.1:{proxy.address[1]}"
        stack.callback(server.go_on.set)

        def halfway() -> None:
            if not server.go_on.is_set():
                row.happens(scene)
                server.go_on.set()

        call = CALLERS[client](url, row.timeout_s, row.shape != "whole", "x" * row.padding, halfway)
        scene = Scene(proxy, server, stack, call)
        if row.halfway:
            server.go_on.clear()
        else:
            row.happens(scene)
        found = outcome(call)
        stack.close()
        return found, server.processed


@contextmanager
def full_backlog() -> Iterator[int]:
    """Listen on a port whose queue is full: whoever connects waits. Toxiproxy cannot do that, a socket can."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as stack:
        port = listener.getsockname()[1]
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield port
