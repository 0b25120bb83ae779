"""A pid is dead by rule, unless it is the process's own, an ancestor's, or that of a process that the agent started."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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
        life = stage.live(lambda: (stage.own / "a").touch() or WAYS[way](other.pid))
        other.kill()
    assert life.outcome.value is False


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

    assert stage.live(run).outcome.value == [True, True, True, True, True, True, False]


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

        assert stage.live(run).outcome.value == "nobody"
        assert other.poll() is None
        other.kill()
