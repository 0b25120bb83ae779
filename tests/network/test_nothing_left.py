"""After a close, a failed test or a killed parent no process, port, proxy or thread is left."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rollproof.network.orphans import first_to_end
from rollproof.network.toxiproxy import Toxiproxy

from .servers import BINARY, Server, processes_below

KINDS = [
    "embedded",
    pytest.param(
        "binary",
        marks=pytest.mark.skipif(BINARY is None, reason="the real Toxiproxy server is not on PATH: make toxiproxy"),
    ),
]
PARENT = """
import sys, threading, time
from rollproof.network.toxiproxy import Toxiproxy

def start():
    global toxiproxy, proxy
    toxiproxy = Toxiproxy.embedded() if sys.argv[1] == "embedded" else Toxiproxy.start(*sys.argv[2:])
    proxy = toxiproxy.create("p", "127.0.0.1:9")

thread = threading.Thread(target=start)     # whose end is not the end of the process
thread.start()
thread.join()
proxy.down()
proxy.up()
print(proxy.address[1], flush=True)
time.sleep(600)
"""


@contextmanager
def parent_with_proxy(*arguments: str) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Run a process that starts a server and makes a proxy; provides it and the proxy's port."""
    command = [sys.executable, "-c", PARENT, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        try:
            assert parent.stdout is not None
            yield parent, int(parent.stdout.readline())
        finally:
            parent.kill()


def family(pid: int) -> set[int]:
    """Return the pids of all that a process started, and what that started."""
    found = set(processes_below(pid))
    return found.union(*(family(child) for child in found))


def gone(pids: set[int]) -> bool:
    """Wait until none of these processes lives."""
    for pid in pids:
        first_to_end(pid)
    return not any(Path(f"/proc/{pid}/exe").exists() for pid in pids)


def refused(port: int) -> bool:
    """Say whether nobody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("kind", KINDS)
def test_close_leaves_nothing(kind: str) -> None:
    """Server, proxy and their ports are gone when `close` returns; twice is once; no thread is ever ours."""
    threads, others = threading.active_count(), family(os.getpid())
    toxiproxy = Toxiproxy.embedded() if kind == "embedded" else Toxiproxy.start()
    port = toxiproxy.create("p", "127.0.0.1:9").address[1]
    pids = family(os.getpid()) - others
    assert pids
    assert threading.active_count() == threads
    toxiproxy.close()
    toxiproxy.close()
    assert gone(pids)
    assert refused(port)
    assert refused(int(toxiproxy.url.rpartition(":")[2]))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_parent_leaves_nothing(kind: str, number: signal.Signals) -> None:
    """However the process ends that started a server, the server and all it listened on end too."""
    with parent_with_proxy(kind) as (parent, port):
        pids = family(parent.pid)
        assert pids
        assert not refused(port)
        parent.send_signal(number)
        parent.wait()
        assert gone(pids)
    assert refused(port)


def test_a_killed_parent_leaves_no_proxy_on_a_shared_server(server: Server) -> None:
    """Who watches over it removes its proxies, and nobody else's."""
    server.json("POST", "/proxies", {"name": "theirs", "upstream": "127.0.0.1:9", "listen": "127.0.0.1:0"})
    with parent_with_proxy("url", f"http://127.0.0.1:{server.port}") as (parent, port):
        pids = family(parent.pid)
        assert len(server.json("GET", "/proxies")) == 2
        parent.kill()
        parent.wait()
        assert gone(pids)
    assert set(server.json("GET", "/proxies")) == {"theirs"}
    assert refused(port)


@pytest.mark.skipif(BINARY is None, reason="the real Toxiproxy server is not on PATH: make toxiproxy")
def test_a_killed_guardian_takes_its_server_along() -> None:
    """The real server has nobody else to end it."""
    others = set(processes_below(os.getpid()))
    toxiproxy = Toxiproxy.start()
    [guardian] = set(processes_below(os.getpid())) - others
    server = family(guardian)
    os.kill(guardian, signal.SIGKILL)
    assert server
    assert gone(server)
    toxiproxy.close()


def test_a_fork_closes_nothing() -> None:
    """An agent's process is a fork of the test's: closing there leaves the server to whom it belongs."""
    with Toxiproxy.embedded() as toxiproxy:
        port = toxiproxy.create("p", "127.0.0.1:9").address[1]
        child = os.fork()
        if child == 0:
            toxiproxy.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert not refused(port)


def test_a_failed_test_leaves_nothing(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that fails, forgets to close, and is the last one."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        """
        from rollproof.network.toxiproxy import Toxiproxy

        def test_fails():
            toxiproxy = Toxiproxy.embedded()
            port = toxiproxy.create("p", "127.0.0.1:9").address[1]
            print("PORT", port, "PID", toxiproxy._helper.pid)
            assert False
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    words = next(line for line in result.outlines if line.startswith("PORT ")).split()
    assert gone({int(words[3])})
    assert refused(int(words[1]))
