"""What ends a session early: it is told what was found until then, and everything is as before."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rollproof.boundary.process import interrupts
from rollproof.boundary.process.interrupts import Interrupted
from rollproof.chaos import Chaos
from rollproof.values.errors import ChaosError
from rollproof.values.events import ProcessEnded, Reader
from rollproof.values.exploration import Exploration

from ..exploring import options
from .test_beside_others import Beside, beside  # noqa: F401  # a fixture

TEST = """
import signal
from pathlib import Path
import pytest

HERE = Path(__file__).parent

def agent(data):
    for number in range(20):
        (data / f"n{number}").write_text("after")

def again():
    if (HERE / "hangs").exists():
        signal.pause()

@pytest.mark.chaos
@pytest.mark.parametrize("number", range(2))
def test_it(chaos, number):
    data = HERE / f"data{number}"
    data.mkdir()
    (data / "n0").write_text("before")
    chaos.watch(data)
    chaos.explore(run=lambda: agent(data), recover=again)
"""
PATIENCE_S = 120.0


class Project:
    """A project whose agent is wrong, and a pytest that explores it in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "test_it.py").write_text(TEST)
        self.output = folder / "output"

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start pytest."""
        command = [*self.pytest("allure_pytest.plugin"), "--chaos", "--chaos-json=out.json", "--alluredir=allure"]
        with open(self.output, "wb") as output:
            return subprocess.Popen(
                [*command, *arguments], cwd=self.folder, stdout=output, stderr=output, start_new_session=True
            )

    @staticmethod
    def pytest(*plugins: str) -> list[str]:
        """Return the command that starts pytest, with no more plugins than these and ours."""
        named = [word for plugin in ("rollproof.plugin", *plugins) for word in ("-p", plugin)]
        return [sys.executable, "-m", "pytest", *named]

    def interrupted(self, number: int, *arguments: str, count: int = 1) -> int:
        """Start pytest, and end it once `count` tests have found something; returns its exit code."""
        with self.start(*arguments) as process:
            until(lambda: process.poll() is not None or self.begun() >= count)
            process.send_signal(number)
            process.wait(PATIENCE_S)
        return process.returncode

    def begun(self) -> int:
        """Return how many explorations have begun and changed what is watched."""
        return sum((self.folder / f"data{number}" / "n5").exists() for number in range(2))

    @property
    def explorations(self) -> list[dict[str, Any]]:
        """What stands in the JSON file."""
        found: list[dict[str, Any]] = json.loads((self.folder / "out.json").read_text())["explorations"]
        return found

    @property
    def is_as_before(self) -> bool:
        """Whether all that was watched is."""
        return all(
            {path.name: path.read_text() for path in data.iterdir()} == {"n0": "before"}
            for data in self.folder.glob("data*")
        )

    @property
    def told(self) -> str:
        """What pytest printed."""
        return self.output.read_text()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Provide one; plugins that load themselves take a second each."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return Project(tmp_path)


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)  # a loop that never sleeps takes a core from the processes it waits for


@pytest.mark.parametrize(
    ("number", "code", "why"),
    [
        (signal.SIGINT, 2, "Ctrl-C"),
        (signal.SIGTERM, -signal.SIGTERM, "SIGTERM"),
        (signal.SIGHUP, -signal.SIGHUP, "SIGHUP"),
    ],
)
def test_what_was_found_is_told(project: Project, number: int, code: int, why: str) -> None:
    """On the terminal, in JSON and in Allure; then the process ends as the signal ends any other."""
    assert project.interrupted(number) == code
    [found] = project.explorations
    assert found["interrupted"] == why
    assert found["violations"] == []
    assert f"interrupted by {why} after {found['executions']} executions" in project.told
    assert project.is_as_before
    results = [json.loads(file.read_text()) for file in (project.folder / "allure").glob("*-result.json")]
    assert any(f"interrupted by {why}" in str(result.get("description")) for result in results)


def test_a_failure_that_was_not_confirmed_is_no_violation(tmp_path: Path) -> None:
    """It is told as what could not be judged; one that was carried out again is told as it is."""
    unconfirmed = confirmed = False
    for count in range(5, 100):
        told = interrupted_after(count, tmp_path)
        assert told.statement.startswith(f"interrupted by Ctrl-C after {count} executions: ")
        assert list(tmp_path.iterdir()) == []
        for error in told.errors:
            unconfirmed = True
            assert error.startswith("process.kill@file.open:")
            assert error.endswith(" breaks all_or_nothing: seen once, not carried out again: interrupted")
        if told.violations:
            confirmed = True
        if unconfirmed and confirmed:
            return
    raise AssertionError("no failure was seen, or none was confirmed")


def interrupted_after(count: int, folder: Path) -> Exploration:
    """Explore an agent that is wrong, and press Ctrl-C after so many processes."""
    found: list[Exploration] = []

    def interrupt(ended: ProcessEnded) -> None:
        if ended.number == count:
            raise KeyboardInterrupt

    def agent() -> None:
        (folder / "a").touch()
        (folder / "b").touch()

    chaos = Chaos(options(), "test_it", found.append, [Reader((ProcessEnded,), interrupt)])
    chaos.watch(folder)
    with pytest.raises(KeyboardInterrupt):
        chaos.explore(run=agent, recover=lambda: None)
    [told] = found
    return told


def test_a_signal_that_somebody_swallows_ends_it_too(tmp_path: Path) -> None:
    """As a finalizer, or a callback of the garbage collector, does with every exception."""
    found: list[Exploration] = []
    sent: list[int] = []
    chaos = Chaos(options(), "test_it", found.append)
    chaos.watch(tmp_path)

    def swallow(world: object) -> None:
        if not sent:
            sent.append(signal.SIGTERM)
            with suppress(Interrupted):
                os.kill(os.getpid(), signal.SIGTERM)

    chaos.invariant(swallow)
    try:
        with pytest.raises(Interrupted):
            chaos.explore(run=(tmp_path / "a").touch)
    finally:
        interrupts.finish()
    assert [one.interrupted for one in found] == ["SIGTERM"]


def test_an_error_of_an_exploration_is_told_as_one(tmp_path: Path) -> None:
    """It is no interruption, and has a message of its own."""
    found: list[Exploration] = []
    chaos = Chaos(options(), "test_it", found.append)
    chaos.watch(tmp_path)
    with pytest.raises(ChaosError, match="touches nothing"):
        chaos.explore(run=lambda: None)
    assert found == []


@pytest.mark.parametrize(
    ("number", "everybody"), [(signal.SIGINT, True), (signal.SIGINT, False), (signal.SIGTERM, False)]
)
def test_workers_tell_it_too(project: Project, number: int, everybody: bool) -> None:
    """Whether the terminal sends the signal to all of them, or somebody to the controller alone."""
    with project.start("-p", "xdist", "-n2") as process:
        until(lambda: process.poll() is not None or project.begun() == 2)
        (os.killpg if everybody else os.kill)(process.pid, number)
        process.wait(PATIENCE_S)
    assert sorted(found["test"] for found in project.explorations) == [
        "test_it.py::test_it[0]",
        "test_it.py::test_it[1]",
    ], project.told
    assert all(found["interrupted"] for found in project.explorations)
    assert project.told.count("interrupted by") >= 2
    assert project.is_as_before


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_a_timeout_tells_it_too(project: Project, beside: Beside, method: str) -> None:  # noqa: F811
    """Of pytest-timeout, by signal and by thread; an agent that hangs is waited for no longer."""
    beside("companions")
    (project.folder / "hangs").touch()
    # Before the time of the test begins: on a busy machine that takes seconds.
    (project.folder / "conftest.py").write_text("import rollproof.engine.explore, rollproof.guard.guarding\n")
    arguments = (
        "--timeout=5",
        f"--timeout-method={method}",
        "-k",
        "0",
        "-p",
        "pytest_timeout",
        "--chaos-faults=process.kill",
    )
    with project.start(*arguments) as process:
        process.wait(PATIENCE_S)
    [found] = project.explorations
    assert "Timeout (>5.0s) from pytest-timeout" in found["interrupted"]
    assert project.is_as_before


def test_the_next_session_says_what_it_put_back(project: Project) -> None:
    """Quiet or not, exploring or not; what ``--cache-clear`` removes is not needed for it."""
    with project.start("-k", "0") as process:
        until(project.begun)
        process.send_signal(signal.SIGSTOP)  # or it would start another guardian
        killed = guardians(project.folder)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        process.kill()
    assert killed
    command = [*project.pytest(), "-q", "--cache-clear", "--collect-only"]
    told = subprocess.run(command, cwd=project.folder, capture_output=True, text=True).stdout
    assert f"chaos: put back what a killed session had left changed: {project.folder / 'data0'}" in told
    assert project.is_as_before
    assert "put back" not in subprocess.run(command, cwd=project.folder, capture_output=True, text=True).stdout


def test_a_killed_controller_ends_its_workers(project: Project) -> None:
    """They end with it, in the middle of a test, and what they watch is as before."""
    with project.start("-p", "xdist", "-n2") as process:
        until(lambda: process.poll() is not None or project.begun() == 2)
        workers = children(process.pid)
        process.kill()
    assert workers
    until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in workers))
    until(lambda: not any((project.folder / ".pytest_cache" / "rollproof").iterdir()))
    assert project.is_as_before


def test_an_agent_meets_signals_as_it_would_without_us(project: Project) -> None:
    """What this process does with them is its own affair."""
    (project.folder / "test_it.py").write_text(
        """
import os, signal
def agent(data):
    (data / "a").touch()
    return [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)]
def test_it(chaos, tmp_path):
    chaos.watch(tmp_path)
    assert chaos.explore(run=lambda: agent(tmp_path)).result == [signal.SIG_DFL] * 3
    if (child := os.fork()) == 0:
        os._exit(signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL)
    assert os.waitpid(child, 0)[1] == 0
"""
    )
    with project.start() as process:
        assert process.wait(PATIENCE_S) == 0, project.told


def test_what_was_explored_before_is_told(project: Project) -> None:
    """Also where the signal comes in a test that explores nothing, or between two."""
    with (project.folder / "test_it.py").open("a") as file:
        file.write("\ndef test_later():\n    (HERE / 'waits').touch()\n    signal.pause()\n")
    with project.start("-k", "0 or later", "--chaos-faults=process.kill") as process:
        until(lambda: process.poll() is not None or (project.folder / "waits").exists())
        process.terminate()
    assert process.returncode == -signal.SIGTERM
    [found] = project.explorations
    assert found["violations"]
    assert "interrupted" not in found


def children(pid: int) -> set[int]:
    """Return the children of a process."""
    paths = Path(f"/proc/{pid}/task").glob("*/children")
    return {int(child) for path in paths for child in path.read_text().split()}


def guardians(folder: Path) -> set[int]:
    """Return the guardians of sessions below a folder."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if "rollproof.guard.guardian" in words and any(word.startswith(f"{folder}/") for word in words):
                found.add(int(process.name))
    return found
