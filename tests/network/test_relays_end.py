"""Nothing is left of relays and servers of twins: no process, port or thread, however the session ends."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rollproof.chaos import Chaos
from rollproof.values.errors import ChaosError
from rollproof.values.options import Options

from ..exploring import options

HEAD = """
    import os, signal, socket, threading, urllib.request, pytest

    @pytest.mark.chaos(faults="network.refused,network.slow")
    def test_it(chaos, tmp_path):
        mail = chaos.api("https://api.mail.test")
        service = chaos.serve(mail)

        def run():
            urllib.request.urlopen(service.url + "/mails", timeout=5).read()
            {in_run}

        chaos.explore(run=run)
"""
ENDS = {
    "passes": ("pass", 0),
    "fails": ("urllib.request.urlopen(service.url + '/mails', data=b'{}', timeout=5).read()", 1),
}


def start(pytester: pytest.Pytester, in_run: str, mark: str) -> "subprocess.Popen[str]":
    """Explore in a session of its own; everything that it starts has `mark` in its environment."""
    pytester.makepyfile(test_it=HEAD.format(in_run=in_run))
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "--chaos", "-q", "-p", "no:cacheprovider", "test_it.py"],
        cwd=pytester.path,
        env={**os.environ, "ROLLPROOF_MARK": mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def marked(mark: str) -> list[int]:
    """Return the processes that have `mark` in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"ROLLPROOF_MARK={mark}".encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def until(holds: Callable[[], bool]) -> bool:
    """Wait for something that will come, not for ever."""
    end = time.monotonic() + 20
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


@pytest.mark.parametrize("how", ENDS)
def test_after_a_session(how: str, pytester: pytest.Pytester) -> None:
    """Whether its test passed or failed."""
    in_run, code = ENDS[how]
    session = start(pytester, in_run, how)
    output = session.communicate()[0]
    assert session.returncode == code, output
    assert marked(how) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_in_the_middle_of_an_exploration(number: signal.Signals, pytester: pytest.Pytester) -> None:
    """Somebody presses Ctrl-C, or the session is killed."""
    started = pytester.path / "started"
    session = start(pytester, f"open({str(started)!r}, 'w').close(); threading.Event().wait()", number.name)
    assert until(started.exists)
    assert len(marked(number.name)) >= 4  # the session, the fork server, the relay, the server of the twin, the agent
    session.send_signal(number)
    session.communicate()
    assert until(lambda: marked(number.name) == [])


def test_in_one_process() -> None:
    """Closing leaves no thread, no process and no port; what was explored does not matter."""
    threads = set(threading.enumerate())
    chaos = Chaos(options(), "test_it")
    service = chaos.serve(chaos.api("https://api.mail.test"))
    pids = [started.pid for started in (*chaos._declared.networks.relays, *chaos._declared.networks.servers)]
    assert len(pids) == 2
    chaos.close()
    assert set(threading.enumerate()) == threads
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    with pytest.raises(ConnectionRefusedError), socket.create_connection((service.host, service.port)):
        pass


def test_a_relay_that_is_killed() -> None:
    """Nothing can be judged any more, and that is said, not taken for the agent's fault."""
    chaos = Chaos(options(), "test_it")
    network = chaos.network("shop", "127.0.0.1:9")
    pid = chaos._declared.networks.relays[0].pid

    def run() -> None:
        subprocess.run(["sh", "-c", f"kill -9 {pid}"], check=True)  # by pid the agent itself reaches its own only
        with socket.create_connection((network.host, network.port)) as connection:
            connection.recv(1)

    with pytest.raises(ChaosError, match="front-gone"):
        chaos.explore(run=run)
    chaos.close()


def test_without_chaos_a_service_is_where_it_is() -> None:
    """Nothing stands before it then."""
    chaos = Chaos(Options())
    network = chaos.network("shop", "127.0.0.1:8080")
    assert (network.host, network.port, network.url) == ("127.0.0.1", 8080, "http://127.0.0.1:8080")
    assert chaos._declared.networks.relays == []
