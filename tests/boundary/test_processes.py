"""Processes: an agent's process is its own from its first moment to its end, and leaves nothing behind."""

import asyncio
import atexit
import contextvars
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .stage import Stage, short


class Unpicklable(Exception):
    """An error that cannot travel."""

    def __init__(self, text: str, lock: Any) -> None:
        super().__init__(text)
        self.lock = lock


def _raise(error: BaseException) -> None:
    raise error


ENDS: dict[str, tuple[Callable[[], Any], str, str]] = {
    "returns": (lambda: 3, "returned", ""),
    "raises": (lambda: _raise(ValueError("no")), "raised", "ValueError: no"),
    "sys.exit": (lambda: sys.exit(3), "raised", "SystemExit: 3"),
    "sys.exit with a text": (lambda: sys.exit("no such topic"), "raised", "SystemExit: no such topic"),
    "sys.exit after work done": (lambda: sys.exit(), "returned", ""),
    "sys.exit with 0": (lambda: sys.exit(0), "returned", ""),
    "KeyboardInterrupt": (lambda: _raise(KeyboardInterrupt()), "raised", "KeyboardInterrupt"),
    "an error that cannot be pickled": (
        lambda: _raise(Unpicklable("odd", threading.Lock())),
        "raised",
        "Unpicklable: odd",
    ),
    "a result that cannot be pickled": (threading.Lock, "returned", ""),
    "a result whose class is local": (lambda: type("Local", (), {})(), "returned", ""),
    "os._exit": (lambda: os._exit(3), "raised", "os._exit(3)"),
    "os.abort": (lambda: os.abort(), "raised", "os.abort()"),
    "its own SIGKILL": (lambda: os.kill(os.getpid(), signal.SIGKILL), "raised", "os.kill"),
    "SIGTERM": (lambda: os.kill(os.getpid(), signal.SIGTERM), "raised", "os.kill"),
}


@pytest.mark.parametrize("way", ENDS)
def test_how_a_process_ends_is_told(way: str, stage: Stage) -> None:
    """An end that the agent brings about itself is no planned kill, and says what it was."""
    act, kind, error = ENDS[way]
    outcome = stage.run_process(act).outcome
    assert outcome.kind == kind, outcome
    assert outcome.error.startswith(error)


def test_a_process_that_hangs_is_given_up(stage: Stage) -> None:
    """It waits for what never comes, where no virtual time passes."""
    stage.patience_s = 0.5
    outcome = stage.run_process(signal.pause).outcome
    assert outcome.kind == "hung"
    assert outcome.error.startswith("no end after")


def test_exits_see_the_context_variables_of_the_agent(stage: Stage) -> None:
    """A clean-up at exit that looks into one finds what the run put there."""
    draft: contextvars.ContextVar[str] = contextvars.ContextVar("draft", default="nothing")

    def run() -> None:
        assert draft.get() == "nothing"
        draft.set("draft.tmp")
        atexit.register(lambda: (stage.shared / draft.get()).touch())

    assert short(stage.points(run)) == ["open shared/draft.tmp"]


def test_what_nobody_holds_is_finalized_at_the_end(stage: Stage) -> None:
    """A finalizer of an object in a cycle acts before the outside is looked at, and is a point."""

    class Lock:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            (stage.own / "unlocked").touch()

    def run() -> None:
        Lock()

    assert short(stage.points(run)) == ["open own/unlocked"]


def test_exits_of_the_agent_run_and_those_of_the_test_do_not(stage: Stage) -> None:
    """An atexit handler of the agent writes; one that the test registered before stays with the test."""
    mark = stage.own / "test-handler"
    atexit.register(mark.touch)
    thing = type("Thing", (), {})()
    weakref.finalize(thing, (stage.own / "test-finalizer").touch)

    def run() -> None:
        atexit.register((stage.own / "agent-handler").touch)
        kept = type("Thing", (), {})()
        run.kept = kept  # type: ignore[attr-defined]
        weakref.finalize(kept, (stage.own / "agent-finalizer").touch)

    try:
        assert set(short(stage.points(run))) == {"open own/agent-handler", "open own/agent-finalizer"}
        assert not mark.exists()
    finally:
        atexit.unregister(mark.touch)
        thing_finalizer = weakref.finalize(thing, int)
        thing_finalizer.detach()


def test_threads_that_are_no_daemons_finish(stage: Stage) -> None:
    """As Python waits for them at its own end."""

    def late() -> None:
        time.sleep(5)
        (stage.own / "late").write_text("x")

    assert short(stage.points(lambda: threading.Thread(target=late).start())) == ["open own/late", "write own/late"]


def test_a_running_loop_of_the_test_is_not_the_agents(stage: Stage) -> None:
    """Exploring from within a running event loop works for sync and async agents."""

    async def agent() -> str:
        await asyncio.sleep(1)
        return "done"

    async def from_a_loop() -> Any:
        return stage.returned(lambda: agent())

    assert asyncio.run(from_a_loop()) == "done"


def test_an_agent_that_prints_a_lot_does_not_block(stage: Stage) -> None:
    """Nobody has to read it."""

    def run() -> str:
        for stream in (sys.stdout, sys.stderr):
            for _ in range(2000):
                print("x" * 500, file=stream)
        os.write(1, b"x" * 200_000)
        return "done"

    assert stage.returned(run) == "done"


@pytest.mark.parametrize("result", [b"x" * 5_000_000, [list(range(10))] * 3, {"a": Path("/x")}, None])
def test_results_travel_where_they_can(result: object, stage: Stage) -> None:
    """Whole, or not at all where they are large."""
    assert stage.returned(lambda: result) in (result, None)


def _forks(act: Callable[[], Any]) -> None:
    pid = os.fork()
    if pid == 0:
        act()
        os._exit(0)
    os.waitpid(pid, 0)


CHILDREN: dict[str, Callable[[Path], Any]] = {
    "os.fork": lambda p: _forks(lambda: (p / "child").write_text("x")),
    "a fork that exits": lambda p: _forks(lambda: sys.exit(0)),
    "a fork that raises": lambda p: _forks(lambda: _raise(ValueError("no"))),
    "multiprocessing": lambda p: _process((p / "child").touch),
}


def _process(target: Callable[[], Any]) -> None:
    process = multiprocessing.get_context("fork").Process(target=target)
    process.start()
    process.join()


@pytest.mark.parametrize("way", CHILDREN)
def test_a_process_of_the_agents_own_is_counted_and_harms_nobody(way: str, stage: Stage) -> None:
    """What it does cannot be seen: the statement does not say exhaustive, and the run goes on."""

    def run() -> str:
        CHILDREN[way](stage.own)
        (stage.own / "after").write_text("x")
        return "done"

    process = stage.run_process(run)
    assert process.outcome.value == "done", process.outcome
    assert process.unintercepted != []
    assert short(list(map(str, process.points))) == ["open own/after", "write own/after"]


def test_a_process_that_outlives_the_agent_does_not_hold_it_up(stage: Stage) -> None:
    """The agent's end is seen when it comes, though a process that it forked goes on."""
    reading, writing = os.pipe()

    def run() -> str:
        if os.fork() == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        return "done"

    try:
        assert stage.returned(run) == "done"
    finally:
        os.close(writing)
        os.close(reading)


def test_signal_handlers_work(stage: Stage) -> None:
    """A handler of the agent's own runs in its process."""

    def run() -> list[int]:
        seen: list[int] = []
        signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
        os.kill(os.getpid(), signal.SIGUSR1)
        return seen

    assert stage.returned(run) == [signal.SIGUSR1]


def test_no_child_outlives_its_parent(tmp_path: Path) -> None:
    """A parent that is killed in the middle of an exploration takes the agent's process with it."""
    (tmp_path / "outside").mkdir()
    script = f"""
import os, sys, time
sys.path.insert(0, {str(Path(__file__).parent.parent.parent)!r})
from pathlib import Path
from tests.boundary.stage import Stage
def run():
    os.write({{fd}}, str(os.getpid()).encode() + b"\\n")
    while True:
        sum(range(1000))
Stage(Path({str(tmp_path / "outside")!r})).run_process(run)
"""
    reading, writing = os.pipe()
    parent = subprocess.Popen([sys.executable, "-c", script.replace("{fd}", str(writing))], pass_fds=[writing])
    os.close(writing)
    assert int(os.read(reading, 100)) not in (os.getpid(), parent.pid)
    parent.kill()
    parent.wait()
    assert os.read(reading, 1) == b"", "the pipe is closed when both are gone"
    os.close(reading)
