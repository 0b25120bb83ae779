"""What changes while no wrapper sees it is said with its path: by which line's process, or by native code."""

import ctypes
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rollproof.values.errors import ChaosError
from rollproof.values.exploration import Exploration

from ..exploring import explored, line_of, only
from ..plugin.projects import unwrapped
from .stage import Stage

HERE = Path(__file__).name
NATIVE = "and no effect of Python's was seen: native code wrote it"


def native(path: Path) -> None:
    """Write a file with the C library's functions, which no hook of Python's is told of."""
    libc = ctypes.CDLL(None)
    fd = libc.open(os.fsencode(path), os.O_WRONLY | os.O_CREAT, 0o644)
    assert libc.write(fd, b"x", 1) == 1
    libc.close(fd)


def mapped(path: Path) -> None:
    """Change a file through a memory map."""
    import mmap

    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[0:1] = b"X"


def forked(work: Callable[[], object]) -> int:
    """Do some work in a fork; returns its pid."""
    pid = os.fork()  # the fork
    if pid == 0:
        work()
        os._exit(0)
    return pid


def awaited(work: Callable[[], object]) -> None:
    """Do some work in a fork, and wait for it."""
    os.waitpid(forked(work), 0)


def spawned(path: Path) -> None:
    """Write a file in a fresh interpreter of multiprocessing."""
    process = multiprocessing.get_context("spawn").Process(target=Path.touch, args=(path,))
    process.start()  # spawned
    process.join()


def served(path: Path) -> None:
    """Write a file in a process of the fork server."""
    process = multiprocessing.get_context("forkserver").Process(target=Path.touch, args=(path,))
    process.start()  # served
    process.join()


def pooled(path: Path) -> None:
    """Write a file in a pool of processes."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        pool.submit(Path.touch, path).result()


def daemon(path: Path) -> None:
    """Write a file in a process whose parent ends at once, and which has a session of its own."""
    told, tell = os.pipe()

    def leave() -> None:
        os.setsid()
        if os.fork() == 0:
            os.read(told, 1)
            path.touch()
            os._exit(0)

    awaited(leave)
    (path.parent / "seen").touch()
    os.write(tell, b"x")
    while not path.exists():
        pass


def in_background(path: Path) -> None:
    """Write a file in a program that the agent goes on beside."""
    program = subprocess.Popen(["sh", "-c", f"touch {path}; exec cat"], stdin=subprocess.PIPE)
    while not path.exists():
        pass
    (path.parent / "beside").touch()
    program.communicate()


PROCESSES: dict[str, tuple[Callable[[Path], object], str]] = {
    "fork": (lambda path: awaited(path.touch), "pid = os.fork()"),
    "spawn": (spawned, "process.start()  # spawned"),
    "forkserver": (served, "process.start()  # served"),
    "a pool": (pooled, "pool.submit("),
    "os.system": (lambda path: os.system(f"touch {path}"), "os.system"),
    "subprocess": (lambda path: subprocess.run(["touch", str(path)], check=True), "subprocess"),
    "a program in the background": (in_background, "program = subprocess"),
    "a daemon": (daemon, "pid = os.fork()"),
}


@pytest.mark.parametrize("way", PROCESSES)
def test_a_process_that_changes_something_is_named_by_its_line(way: str, stage: Stage) -> None:
    """Never as native code, and what the agent itself does beside it is not its."""
    act, begins = PROCESSES[way]

    def run() -> None:
        act(stage.shared / "b")
        (stage.own / "a").touch()

    process = stage.run_process(run)
    assert process.outcome.kind == "returned", process.outcome
    assert not [text for text in process.unintercepted if "native" in text]
    [(lines, names)] = process.written.items()
    assert list(names) == ["shared/b"]
    [line] = lines
    assert line.startswith(f"{HERE}:")
    if begins not in ("os.system", "subprocess"):
        assert line == f"{HERE}:{line_of(__file__, begins)}"


def test_what_several_processes_can_have_written_is_said_of_each(stage: Stage) -> None:
    """Two that live at one time; a third that ended before the last look is none of them."""

    def run() -> None:
        ready, go = os.pipe()
        awaited(lambda: None)
        (stage.own / "a").touch()
        first = forked(lambda: (os.read(ready, 1), (stage.shared / "b").touch()))
        second = os.fork()
        if second == 0:
            os.read(ready, 1)
            os._exit(0)
        (stage.own / "c").touch()
        os.write(go, b"xx")
        for pid in (first, second):
            os.waitpid(pid, 0)

    written = stage.run_process(run).written
    places = line_of(__file__, "pid = os.fork()"), line_of(__file__, "second = os.fork()")
    assert written == {tuple(f"{HERE}:{line}" for line in places): {"shared/b": None}}


def test_what_changes_during_an_effect_of_the_agents_own(stage: Stage) -> None:
    """A process that works beside it is named, whenever it is looked at."""

    def run() -> None:
        fifo = stage.elsewhere / "fifo"
        os.mkfifo(fifo)
        pid = forked(lambda: ((stage.shared / "b").touch(), fifo.read_text(), (stage.shared / "c").touch()))
        while not (stage.shared / "b").exists():
            pass
        (stage.own / "a").touch()
        fifo.write_text("go on")
        os.waitpid(pid, 0)

    assert [list(names) for names in stage.run_process(run).written.values()] == [["shared/b", "shared/c"]]


NATIVELY: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "native code": (native, [f"shared/b changed, {NATIVE}"]),
    "after a process has ended": (lambda path: (awaited(lambda: None), (path.parent / "c").touch(), native(path)), []),
    "a memory map": (
        lambda path: (path.write_text("old"), mapped(path)),
        ["shared/b changed, and no effect of Python's was seen: a memory map or native code wrote it"],
    ),
    "what the audit hook sees": (lambda path: __import__("posix").mkdir(path), ["os.mkdir shared/b"]),
}


@pytest.mark.parametrize("way", NATIVELY)
@pytest.mark.parametrize("follows", [False, True])
def test_what_nothing_was_seen_to_change_is_said_with_its_path(way: str, follows: bool, stage: Stage) -> None:
    """Before another point and at the end alike; each path once."""
    act, told = NATIVELY[way]

    def run() -> None:
        act(stage.shared / "b")
        if follows:
            (stage.own / "a").touch()

    process = stage.run_process(run)
    assert process.outcome.kind == "returned", process.outcome
    assert process.unintercepted == (told or ["os.fork", f"shared/b changed, {NATIVE}"])
    assert process.written == {}


def agent(act: Callable[[Path], object], *, right: bool = True, first: bool = True) -> Any:
    """Return an agent that writes a file, then lets `act` do one; the wrong one takes the first for both."""

    def explore(chaos: Any, folder: Path) -> None:
        shared = folder / "shared"
        shared.mkdir()
        chaos.watch(shared)

        def run() -> None:
            if first and not (shared / "a").exists():
                (shared / "a").touch()
            elif first and not right:
                return
            if not (shared / "b").exists():
                act(shared / "b")

        chaos.explore(run=run)

    return SimpleNamespace(explore=explore)


def green(act: Callable[[Path], object], folder: Path) -> Exploration:
    """Explore a right agent under crashes."""
    result = explored(agent(act), folder, **only("process.kill"))
    assert (result.violations, result.flaky, result.errors) == ((), (), ())
    return result


def test_a_green_run_says_what_was_not_explored(tmp_path: Path) -> None:
    """In the statement, which does not say exhaustive; over all processes together each line has one entry."""
    result = green(lambda path: awaited(path.touch), tmp_path / "e")
    text = f"{HERE}:{line_of(__file__, 'pid = os.fork()')} starts a process that writes shared/b: not explored"
    assert result.not_explored == (text,)
    assert text in result.statement
    assert "exhaustive" not in result.statement
    assert result.as_json()["not_explored"] == [text]


def test_a_process_that_changes_nothing_is_not_said_to(tmp_path: Path) -> None:
    """What it may have done elsewhere is told as ever."""
    result = green(lambda path: (awaited(lambda: None), path.touch()), tmp_path / "e")
    assert result.not_explored == ()
    assert result.unintercepted == ("os.fork",)


def test_native_code_in_a_green_run(tmp_path: Path) -> None:
    """Its path stands in the statement."""
    result = green(native, tmp_path / "e")
    assert f"1 effect unseen (shared/b changed, {NATIVE})" in result.statement
    assert "exhaustive" not in result.statement


def test_a_wrong_agent_that_works_natively_is_found(tmp_path: Path) -> None:
    """A crash between its own effect and the native one shows it all the same."""
    result = explored(agent(native, right=False), tmp_path / "e", **only("process.kill"))
    assert [finding.invariants for finding in result.violations] == [("all_or_nothing",)]


FORK = f"{HERE}:{line_of(__file__, 'pid = os.fork()')} starts a process"
ALONE: dict[str, tuple[Callable[[Path], object], str]] = {
    "native code": (native, f"shared/b changed, {NATIVE}"),
    "a fork": (lambda path: awaited(path.touch), f"{FORK} that writes shared/b: not explored"),
    "a fork that changes nothing": (lambda path: awaited(lambda: None), f"{FORK}, and nobody looks into that"),
    "what the audit hook sees": (lambda path: __import__("posix").mkdir(path), "os.mkdir shared/b"),
}


@pytest.mark.parametrize("way", ALONE)
def test_a_run_that_is_not_seen_is_not_said_to_touch_nothing(way: str, tmp_path: Path) -> None:
    """What it did all the same is the error's first line."""
    act, told = ALONE[way]
    with pytest.raises(ChaosError) as error:
        explored(agent(act, first=False), tmp_path / "e", **only("process.kill"))
    assert error.value.code == "no-points"
    assert error.value.message.startswith(f"{told}\n")
    assert "touches nothing" not in str(error.value)


def test_a_run_that_does_nothing_touches_nothing(tmp_path: Path) -> None:
    """The error is the one that it was."""
    with pytest.raises(ChaosError, match="the run touches nothing that is watched"):
        explored(agent(lambda path: None, first=False), tmp_path / "e", **only("process.kill"))


def test_the_terminal_shows_it_on_a_line_of_its_own(pytester: pytest.Pytester) -> None:
    """Above the statement and all that was proved, in a run in which nothing failed."""
    pytester.makepyfile(
        """
        import os

        def test_it(chaos, tmp_path):
            out = tmp_path / "out"
            out.mkdir()
            chaos.watch(out)

            def run():
                (out / "a").write_text("a")
                if os.fork() == 0:
                    (out / "b").write_text("b")
                    os._exit(0)
                os.wait()

            chaos.explore(run=run)
        """
    )
    result = pytester.runpytest_inprocess("--chaos", "--chaos-faults=process.kill", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    line = "! test_the_terminal_shows_it_on_a_line_of_its_own.py:10 starts a process that writes out/b: not explored"
    assert f" {line} 2 points, 14 schedules " in unwrapped(result.stdout.str())


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_the_helpers_of_multiprocessing_write_nothing(stage: Stage) -> None:
    """The fork server and the tracker live on; a later change is not theirs."""

    def run() -> None:
        served(stage.elsewhere / "x")
        (stage.own / "a").touch()
        native(stage.shared / "b")

    process = stage.run_process(run)
    assert process.written == {}
    assert process.unintercepted == [f"shared/b changed, {NATIVE}"]
