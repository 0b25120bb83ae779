"""A small crash explorer: an agent in a child process, struck at each point where it touches disk, database or mail.

Independent of the engine on purpose: the runtime is proved twice, by two tools that share no line.
"""

from __future__ import annotations

import builtins
import errno
import os
import shutil
import signal
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from processes import DONE, FAILED, LOST, ended, started

WRITES = ("BEGIN", "INSERT", "DELETE", "CREATE", "PRAGMA USER_VERSION =", "COMMIT")


@dataclass
class Gate:
    """Counts the points of a process, and strikes at number `at`, which starts from 1; 0 strikes nowhere."""

    at: int = 0
    kind: str = ""
    count: int = 0
    broken: bool = False

    def through(self, name: str, effect: Callable[[], Any], torn: Callable[[], Any] = lambda: None) -> Any:
        """Let one effect happen, unless it is its turn to be struck."""
        self.count += 1
        here = self.count == self.at
        if here and self.kind == "kill_torn":
            torn()
        if here and self.kind in ("kill_before", "kill_torn"):
            os.kill(os.getpid(), signal.SIGKILL)
        self.broken = self.broken or (here and self.kind == "error_lasting")
        if self.broken or (here and self.kind == "error_once"):
            raise _error(name)
        result = effect()
        if here and self.kind == "kill_after":
            os.kill(os.getpid(), signal.SIGKILL)
        if here and self.kind == "error_after":
            raise _error(name)
        return result


def _error(name: str) -> Exception:
    if name.split()[0] in ("BEGIN", "INSERT", "DELETE", "CREATE", "PRAGMA", "COMMIT"):
        return sqlite3.OperationalError("database or disk is full")
    return OSError(errno.ENOSPC, f"no space at {name}")


GATE = Gate()


class Connection(sqlite3.Connection):
    """A real connection whose writing statements are points."""

    def execute(self, sql: str, *values: Any) -> Any:
        """Run a statement, through the gate if it writes."""
        if sql.upper().startswith(WRITES):
            return GATE.through(sql, lambda: super(Connection, self).execute(sql, *values))
        return super().execute(sql, *values)


def install() -> None:
    """Put the gate in front of this (child) process's files and databases."""
    connect, real_open = sqlite3.connect, builtins.open
    sqlite3.connect = lambda *given, **named: connect(*given, factory=Connection, **named)  # type: ignore[assignment]
    for name in ("mkdir", "rename", "unlink", "rmdir", "fsync"):
        setattr(os, name, _gated(name, getattr(os, name)))

    def opened(path: Any, mode: str = "r", *given: Any, **named: Any) -> Any:
        if "w" not in mode:
            return real_open(path, mode, *given, **named)
        file = GATE.through(f"open {path}", lambda: real_open(path, mode, *given, **named))
        return _GatedFile(file)

    builtins.open = opened  # type: ignore[assignment]


def _gated(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given, **named: GATE.through(f"{name} {given[0]}", lambda: real(*given, **named))


class _GatedFile:
    def __init__(self, file: Any) -> None:
        self.file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        self.file.close()

    def write(self, content: bytes) -> Any:
        """Write, or die with the first half on disk."""
        half = content[: len(content) // 2]
        return GATE.through("write", lambda: self.file.write(content), lambda: os.write(self.file.fileno(), half))


def in_child(work: Callable[[], Any], at: int = 0, kind: str = "") -> str:
    """Do the work in a forked child, and tell how it ended: `returned`, `raised`, or `killed`."""

    def gated() -> None:
        GATE.at, GATE.kind = at, kind
        install()
        work()

    return {DONE: "returned", FAILED: "raised", LOST: "raised", -signal.SIGKILL: "killed"}[ended(started(gated))]


def _content(path: Path) -> Any:
    if path.suffix == ".db":
        with closing(sqlite3.connect(path)) as database:
            return list(database.iterdump())
    return None if path.is_dir() else path.read_bytes()


@dataclass
class Explorer:
    """A workspace that is put back before every execution."""

    root: Path

    def snapshot(self, *folders: str) -> dict[str, Any]:
        """Give what is below some folders: bytes of files, rows of databases; a folder itself is None."""
        paths = sorted(path for folder in folders for path in (self.root / folder).rglob("*"))
        return {str(path.relative_to(self.root)): _content(path) for path in paths if path.suffix != ".db-journal"}

    def save(self, name: str) -> None:
        """Keep a copy of the workspace."""
        shutil.copytree(self.root, self.root.with_name(name), dirs_exist_ok=False)

    def restore(self, name: str) -> None:
        """Put a copy back."""
        shutil.rmtree(self.root)
        shutil.copytree(self.root.with_name(name), self.root)

    def points(self, work: Callable[[], Any]) -> int:
        """Count the points of work that nothing strikes."""
        reading, writing = os.pipe()

        def counted() -> None:
            try:
                work()
            finally:
                os.write(writing, str(GATE.count).encode())

        self.restore("start")
        in_child(counted)
        os.close(writing)
        count = os.read(reading, 16)
        os.close(reading)
        return int(count)


@pytest.fixture
def explorer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Explorer]:
    """Give a workspace with `shared`, `outside` and `own` in it, in memory where there is such a disk.

    Run ids and the time of day stand still, so that two runs that did the same made the same.
    """
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=7))
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        root = Path(folder) / "world"
        for name in ("shared", "outside", "own"):
            (root / name).mkdir(parents=True)
        (root / "shared" / "somebody-elses.txt").write_text("hands off")
        explorer = Explorer(root)
        explorer.save("start")
        yield explorer


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on another file system than `tmp_path`."""
    candidates = [Path(name) for name in ("/dev/shm", "/tmp", "/var/tmp") if Path(name).is_dir()]
    others = [path for path in candidates if path.stat().st_dev != tmp_path.stat().st_dev]
    if not others:
        pytest.skip("there is only one file system to write to")
    with tempfile.TemporaryDirectory(dir=others[0]) as folder:
        yield Path(folder)


@pytest.fixture
def gate() -> Gate:
    """Give the gate, so that an agent under test can put an effect of its own behind it."""
    return GATE


@pytest.fixture
def child() -> Callable[..., str]:
    """Give the function that does work in a child."""
    return in_child


class Clock:
    """A clock in the hand; sleeping moves it."""

    def __init__(self) -> None:
        self.now, self.slept = 1_800_000_000.0, 0

    def sleep(self, seconds: float) -> None:
        """Count, and move on."""
        self.slept += 1
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the time of day, since no test may wait."""
    clock = Clock()
    monkeypatch.setattr(time, "time", lambda: clock.now)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    return clock
