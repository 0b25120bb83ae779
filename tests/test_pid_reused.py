"""`process.pid_reused`: the holder of a lock died, and another program of the machine has its pid by now.

An agent that trusts the pid waits or refuses for ever; one that also knows when its holder started, or lets the
kernel keep the lock, is right. The fault is tried where somebody selects it.
"""

import fcntl
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rollproof.values.exploration import Exploration
from rollproof.values.faults import Fault

from .exploring import explored, in_two_folders, only, options, replayed

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pids need /proc")
REUSED = "process.pid_reused"


def by_signal(pid: int) -> bool:
    """Ask with a signal that does nothing."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def by_psutil(pid: int) -> bool:
    """Ask the library that everybody has."""
    return bool(pytest.importorskip("psutil").pid_exists(pid))


def started(pid: int) -> str:
    """Return when a process started, "" where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        return ""


WAYS: dict[str, Callable[[int], bool]] = {
    "a signal": by_signal,
    "psutil": by_psutil,
    "its folder": lambda pid: Path(f"/proc/{pid}").exists(),
    "the list": lambda pid: str(pid) in os.listdir("/proc"),
    "its status": lambda pid: started(pid) != "",
}


def agent(take: Callable[[Path], object], leave: Callable[[Path], object] = Path.unlink) -> Any:
    """Return an agent that takes a lock, writes a file, and leaves the lock."""

    def run(shared: Path, own: Path) -> None:
        kept = take(own / "lock")
        (shared / "a").write_text("a")
        leave(own / "lock")
        del kept

    return in_two_folders(run)


def trusting(is_alive: Callable[[int], bool]) -> Any:
    """Return an agent that refuses to work while the pid in its lock runs."""

    def take(lock: Path) -> None:
        text = lock.read_text() if lock.exists() else ""
        if text and is_alive(int(text)):
            raise RuntimeError(f"{text} holds the lock")
        lock.write_text(str(os.getpid()))

    return agent(take)


def knowing() -> Any:
    """Return an agent that also keeps when its holder started; half a lock is nobody's."""

    def take(lock: Path) -> None:
        text = lock.read_text() if lock.exists() else ""
        if text.endswith(".") and (held := text.rstrip(".").split())[1] == started(int(held[0])):
            raise RuntimeError(f"{text} holds the lock")
        lock.write_text(f"{os.getpid()} {started(os.getpid())}.")

    return agent(take)


def flocked() -> Any:
    """Return an agent whose lock the kernel keeps, and lets go when the holder dies."""

    def take(lock: Path) -> object:
        file = open(lock, "a")  # noqa: SIM115  # open as long as the lock is held
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file

    return agent(take, lambda lock: None)


def tried(one: Any, folder: Path, *names: str) -> Exploration:
    """Explore it under this fault, and others."""
    result = explored(one, folder, **only(REUSED, *names))
    assert (result.flaky, result.errors, result.drifted, result.unintercepted) == ((), (), (), ())
    return result


@pytest.mark.parametrize("way", WAYS)
def test_an_agent_that_trusts_a_pid_is_found(way: str, tmp_path: Path) -> None:
    """It refuses for ever: the recovery fails, whole pid or half of one, and the token repeats it."""
    wrong = trusting(WAYS[way])
    result = tried(wrong, tmp_path / "e")
    [found] = [finding for finding in result.violations if "recovery_succeeds" in finding.invariants]
    assert found.schedule.startswith(f"{REUSED}@file.")
    assert found.cells >= 3
    again = replayed(wrong, tmp_path / "again", found.schedule)
    assert [finding.invariants for finding in again.violations] == [found.invariants]
    half = replayed(wrong, tmp_path / "half", f"{REUSED}@file.write:own/lock#1:middle")
    assert "recovery_succeeds" in {name for finding in half.violations for name in finding.invariants}


@pytest.mark.parametrize("right", [knowing, flocked])
def test_an_agent_that_knows_its_holder_is_left_alone(right: Callable[[], Any], tmp_path: Path) -> None:
    """Its recovery takes the lock over, whole or in half."""
    result = tried(right(), tmp_path / "e")
    assert result.violations == ()
    assert result.verdicts["recovery_succeeds"] == "holds"


def test_it_is_another_crash_state_only_where_the_pid_stands(tmp_path: Path) -> None:
    """An agent that writes no pid has as many worlds with it as with a plain crash."""
    plain = explored(flocked(), tmp_path / "plain", **only("process.kill"))
    assert tried(flocked(), tmp_path / "both", "process.kill").worlds == plain.worlds


def test_it_is_tried_where_it_is_selected_only(tmp_path: Path) -> None:
    """With the usual faults an agent that trusts a pid is right, as its users take it to be."""
    usual: tuple[Fault, ...] = options().faults
    assert REUSED not in {fault.name for fault in usual}
    assert REUSED in options().known
    assert explored(trusting(by_signal), tmp_path / "e", **only("process.kill")).violations == ()


def test_no_signal_reaches_the_other_program(tmp_path: Path) -> None:
    """An agent that kills the holder of an old lock ends nobody, least of all itself."""

    def take(lock: Path) -> None:
        text = lock.read_text() if lock.exists() else ""
        if text:
            with suppress(ProcessLookupError):
                os.kill(int(text), 9)
        lock.write_text(str(os.getpid()))

    assert tried(agent(take), tmp_path / "e").violations == ()


@pytest.mark.parametrize(
    ("selected", "tries"),
    [(REUSED, True), ("process.pid*", True), ("process.*", False), ("*", False), (None, False), (f"*,{REUSED}", True)],
)
def test_which_selections_have_it(selected: str | None, tries: bool, pytester: pytest.Pytester) -> None:
    """Its own name, or a glob that matches nothing else; others mean the usual ones."""
    from rollproof.plugin.options import _selected
    from rollproof.plugin.readers import globs

    config = pytester.parseconfigure("--chaos")
    names = {fault.name for fault in _selected(config, globs(selected, "here"), "here")}
    assert (REUSED in names) is tries
