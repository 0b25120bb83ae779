"""What is not held back from the network is named, and takes the word exhaustive away: programs, native code."""

import ctypes
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from rollproof.values.exploration import Exploration

from ..exploring import explored, options


def writing(more: Callable[[], object], folder: Path) -> Exploration:
    """Explore an agent that writes a file, and does `more`."""

    def explore(chaos: Any, folder: Path) -> None:
        shared = folder / "shared"
        shared.mkdir()
        chaos.watch(shared)

        def run() -> None:
            more()
            (shared / "a").write_text("a")

        chaos.explore(run=run)

    return explored(SimpleNamespace(explore=explore), folder, faults=(options().known["process.kill"],))


def _to_a_unix_socket() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as client:
        os.chdir(folder)  # a path that is short enough
        client.connect_ex("docker.sock")
        os.chdir("/")


def _abstract() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client, pytest.raises(ConnectionRefusedError):
        client.sendto(b"x", "\0nobody.listens")


def _spawned() -> None:
    process = multiprocessing.get_context("spawn").Process(target=len, args=((),))
    process.start()
    process.join()


UNHELD: dict[str, tuple[Callable[[], object], str]] = {
    "a program": (lambda: subprocess.run(["true"], check=True), "the program true"),
    "one by the shell": (lambda: os.system("true"), "the program true"),
    "one by posix_spawn": (lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0), "the program true"),
    "multiprocessing": (_spawned, "processes of multiprocessing"),
    "ctypes": (lambda: ctypes.CDLL(None), "native code that ctypes opens (the C library)"),
    "a Unix socket": (_to_a_unix_socket, "the Unix socket docker.sock"),
    "an abstract one": (_abstract, "the Unix socket @nobody.listens"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="an abstract socket is Linux's")
@pytest.mark.parametrize("way", UNHELD)
def test_it_is_named_and_nothing_is_called_exhaustive(way: str, tmp_path: Path) -> None:
    """In one part of the statement, once, whatever else is said of it."""
    more, named = UNHELD[way]
    result = writing(more, tmp_path / "e")
    assert result.violations == ()
    assert result.unheld == (named,)
    assert result.statement.count(f"not held back from the network: {named}") == 1
    assert "exhaustive" not in result.statement


def test_a_module_of_native_code_is_named_where_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its calls pass no hook of Python's; a stand-in is loaded here, since only the name is looked at."""
    monkeypatch.setitem(sys.modules, "grpc._cython", ModuleType("grpc._cython"))
    assert "not held back from the network: native code of grpc" in writing(lambda: None, tmp_path / "e").statement


def test_a_library_that_the_agents_module_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was opened when the module was loaded, before anybody looked."""
    monkeypatch.setattr(sys.modules[__name__], "kept", ctypes.CDLL(None), raising=False)
    assert writing(lambda: None, tmp_path / "e").unheld == ("native code that ctypes opens (the C library)",)


def test_what_stays_here_is_exhaustive(tmp_path: Path) -> None:
    """A pair of sockets, and a library that a library of the agent's opens, are none of it."""

    def more() -> None:
        for one in socket.socketpair():
            one.close()
        exec(compile("import ctypes; ctypes.CDLL(None)", os.__file__, "exec"), {"__name__": "os"})

    result = writing(more, tmp_path / "e")
    assert result.unheld == ()
    assert "exhaustive: " in result.statement
