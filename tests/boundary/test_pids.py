"""A pid is dead by rule, unless it is the process's own, an ancestor's, or that of a process that the agent started."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rollproof.boundary.media.tearing import middle_of
from rollproof.engine.process_runs import BIRTH, FIRST_STREAM
from rollproof.values.exploration import Exploration

from ..exploring import explored, in_two_folders, only
from .stage import Stage

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the rule needs /proc")


def by_signal(pid: int) -> bool:
    """Ask with a signal that does nothing."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def by_descriptor(pid: int) -> bool:
    """Ask for a descriptor."""
    try:
        os.close(os.pidfd_open(pid))
    except ProcessLookupError:
        return False
    return True


def by_reading(pid: int) -> bool:
    """Read what the system tells of it."""
    try:
        return Path(f"/proc/{pid}/status").read_text() != ""
    except FileNotFoundError:
        return False


WAYS: dict[str, Callable[[int], bool]] = {
    "a signal": by_signal,
    "a descriptor": by_descriptor,
    "its folder": lambda pid: Path(f"/proc/{pid}").exists(),
    "os.path": lambda pid: os.path.exists(f"/proc/{pid}"),
    "os.access": lambda pid: os.access(f"/proc/{pid}/stat", os.R_OK),
    "its status": by_reading,
    "the list": lambda pid: str(pid) in os.listdir("/proc"),
}


@pytest.mark.parametrize("way", WAYS)
def test_another_process_of_the_machine_is_dead(stage: Stage, way: str) -> None:
    """It runs, and no process of the agent started it."""
    with subprocess.Popen(["sleep", "60"]) as other:
        assert WAYS[way](other.pid)
        process = stage.run_process(lambda: (stage.own / "a").touch() or WAYS[way](other.pid))
        other.kill()
    assert process.outcome.value is False


@pytest.mark.parametrize("way", WAYS)
def test_its_own_its_ancestors_and_what_it_started_are_alive(stage: Stage, way: str) -> None:
    """A child of its own, one whose parent is gone, and the processes above it."""
    test = os.getpid()

    def run() -> list[bool]:
        (stage.own / "a").touch()
        child = subprocess.Popen(["sleep", "60"])
        daemon = int(subprocess.check_output("sleep 60 >&- 2>&- & echo $!", shell=True))
        told = [WAYS[way](pid) for pid in (os.getpid(), os.getppid(), test, 1, child.pid, daemon)]
        child.kill()
        child.wait()
        os.kill(daemon, signal.SIGKILL)
        return [*told, WAYS[way](child.pid)]

    assert stage.run_process(run).outcome.value == [True, True, True, True, True, True, False]


def test_no_signal_reaches_a_process_that_is_dead_by_rule(stage: Stage) -> None:
    """An agent that clears away the holder of an old lock does not kill whoever has the number now."""
    with subprocess.Popen(["sleep", "60"]) as other:

        def run() -> str:
            (stage.own / "a").touch()
            try:
                os.kill(other.pid, signal.SIGKILL)
            except ProcessLookupError:
                return "nobody"
            return "killed"

        assert stage.run_process(run).outcome.value == "nobody"
        assert other.poll() is None
        other.kill()


def test_half_of_a_pid_is_dead_though_an_ancestor_has_that_number(stage: Stage) -> None:
    """It stands for a process that has ended; its own is its own all the same."""
    test, lock = os.getpid(), stage.own / "lock"

    def run() -> list[bool]:
        (stage.shared / "a").touch()
        return [WAYS[way](pid) for way in WAYS for pid in (test, os.getpid())]

    executor = stage.executor(run)
    put_back = executor.prepare()
    try:
        lock.write_text(f"{test}7")
        whole = executor.capture(BIRTH)
        lock.write_text(str(test))
        torn = executor.capture(BIRTH)
        told = executor.run_process("run", torn, FIRST_STREAM).outcome.value
        executor.learned.torn_values.learn(executor.config.sources, torn.disk, whole.disk, BIRTH, {int(f"{test}7")})
        told_of_half = executor.run_process("run", torn, FIRST_STREAM).outcome.value
    finally:
        put_back()
    assert told == [True, True] * len(WAYS)
    assert told_of_half == [False, True] * len(WAYS)


def test_half_of_a_pid_is_known_where_nobody_saw_the_whole(stage: Stage) -> None:
    """A process that was killed in the middle of its write, or met a full disk there, tells no more."""
    for name, text in {"lock": "pid 16", "lock.16987": "16", "count": "16", "log": "216"}.items():
        (stage.own / name).write_text(text)
    executor = stage.executor(lambda: None)
    left, sources = executor.capture(BIRTH).disk, executor.config.sources
    assert executor.learned.torn_values.torn_pids(left) == frozenset()
    for target in ("own/lock", "own/lock.*", "own/log"):
        executor.learned.torn_values.learn_of_end(sources, left, target, 16987)
    assert set(executor.learned.torn_values.pids) == {("own/lock", b"pid 16"), ("own/lock.16987", b"16")}
    assert executor.learned.torn_values.torn_pids(left) == {16}


FORMS: dict[str, Callable[[], str]] = {
    "the pid": lambda: str(os.getpid()),
    "behind a word": lambda: f"pid {os.getpid()}\n",
    "in JSON": lambda: json.dumps({"host": "desk", "pid": os.getpid()}),
    "behind a name": lambda: f"worker_{os.getpid()}",
}


def locking(form: Callable[[], str], *, right: bool = True) -> Any:
    """Return an agent that keeps its pid in a lock while it works; the wrong one honours the lock of the dead."""

    def run(shared: Path, own: Path) -> None:
        lock = own / "lock"
        text = "".join(filter(str.isdigit, lock.read_text())) if lock.exists() else ""
        if text and (not right or by_signal(int(text))):
            raise RuntimeError("held")
        lock.write_text(form())
        (shared / "a").write_text("a")
        lock.unlink()

    return in_two_folders(run)


def numbers(result: Exploration) -> tuple[int, int, int, int]:
    """Return what a repetition must have the same."""
    return result.points, result.schedules, result.executions, result.worlds


def test_which_pids_there_were_changes_no_number(tmp_path: Path) -> None:
    """However a pid is written and wherever it is torn, it is one crash state: all forms have the same numbers."""
    found = {form: explored(locking(FORMS[form]), tmp_path / form, **only("process.kill")) for form in FORMS}
    assert all(result.closed and not result.violations for result in found.values())
    assert len({numbers(result) for result in found.values()}) == 1, list(map(numbers, found.values()))


def test_a_pid_in_a_name_changes_no_number(tmp_path: Path) -> None:
    """Temporary files with the pid before or behind their suffix, each cleared away by the next process."""

    def naming(name: str) -> Any:
        def run(shared: Path, own: Path) -> None:
            for old in own.iterdir():
                old.unlink()
            mine = own / name.format(os.getpid())
            mine.touch()
            (shared / "a").write_text("a")
            mine.unlink()

        return in_two_folders(run)

    names = ("lock.{}", "draft.{}.tmp", "worker_{}", "{}.lock", "a-{}")
    found = [explored(naming(name), tmp_path / str(n), **only("process.kill")) for n, name in enumerate(names)]
    assert all(result.closed and not result.violations for result in found)
    assert len({numbers(result) for result in found}) == 1


@pytest.mark.parametrize("form", ["the pid", "behind a name"])
def test_an_agent_that_honours_the_lock_of_the_dead_is_found(form: str, tmp_path: Path) -> None:
    """Half of a pid and a whole one alike."""
    result = explored(locking(FORMS[form], right=False), tmp_path / "e", **only("process.kill"))
    assert "recovery_succeeds" in {name for finding in result.violations for name in finding.invariants}


@pytest.mark.parametrize("text", ["{}", "pid {}\n", '{{"pid": {}, "by": {}}}', "{} and what follows"])
def test_a_write_is_torn_at_the_same_place_whatever_the_pid(text: str) -> None:
    """A pid of four digits and one of five are torn alike, as is what stands around them."""

    def halves(pid: int) -> tuple[str, str]:
        whole = text.format(pid, pid)
        cut = middle_of(memoryview(whole.encode()), pid)
        assert 0 < cut < len(whole)
        return re.sub(r"\d+", "#", whole[:cut]), re.sub(r"\d+", "#", whole[cut:])

    assert len({halves(pid) for pid in (12, 345, 9999, 10000, 123456)}) == 1


def test_what_has_no_pid_in_it_is_torn_in_half() -> None:
    """Other numbers are not taken for it."""
    assert middle_of(memoryview(b"12345678"), 23) == 4


def test_a_large_write_is_torn_in_half() -> None:
    """Nobody looks for a pid in all of it."""
    assert middle_of(memoryview(b"23 " * (1 << 16)), 23) == 3 << 15
