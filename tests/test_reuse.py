"""``--chaos-reuse``: one process carries out many schedules, finds the same, and notices where that cannot be."""

import _io
import _thread
import asyncio
import atexit
import contextlib
import contextvars
import hashlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
import weakref
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from rollproof.values.exploration import Exploration
from rollproof.values.faults import Fault

from .brute_forcing import WHOLE
from .exploring import explored, options
from .plugin.projects import unwrapped
from .test_mutants import agent, settings

ALIKE = ("right_lock_of_a_dead_process", "wrong_key_counted_in_process")
"""A pid in a lock, a counter in memory; with ROLLPROOF_WHOLE also what is read, what recovery locks, an order."""
if WHOLE:
    ALIKE += ("right_resume_reads_its_notes", "wrong_lock_of_a_dead_recovery", "wrong_work_before_intent")
Tasks = Callable[[Path], object]


def used(result: Exploration) -> int:
    """Return how many lives the statement says were in used processes."""
    found = re.search(r"(\d+) in used processes", result.statement)
    return int(found[1]) if found else 0


def publishing(task: Tasks) -> Any:
    """Return an agent that does `task`, and writes two files around it."""

    def explore(chaos: Any, folder: Path) -> None:
        shared = folder / "shared"
        shared.mkdir()
        chaos.watch(shared)

        def run() -> None:
            (shared / "one.md").write_text("one")
            task(folder)
            (shared / "two.md").write_text("two")

        def recover() -> None:
            for path in shared.glob("*.md"):
                path.unlink()

        chaos.explore(run=run, recover=recover)

    return SimpleNamespace(explore=explore)


@pytest.mark.parametrize("name", ALIKE)
def test_used_processes_find_what_fresh_ones_find(name: str, tmp_path: Path) -> None:
    """The same schedules, worlds, verdicts and tokens, cell by cell."""
    fresh = explored(agent(name), tmp_path / "fresh", **settings(name))
    again = explored(agent(name), tmp_path / "again", reuse=True, **settings(name))
    assert not used(fresh)
    assert used(again)
    assert _found(again) == _found(fresh)


def _found(result: Exploration) -> list[Any]:
    names = ("points", "schedules", "worlds", "closed", "cells", "verdicts", "flaky", "errors", "drifted", "masked")
    tokens = [(finding.schedule, finding.invariants) for finding in result.violations]
    return [tokens, *(getattr(result, name) for name in names)]


def test_an_agent_that_leaves_nothing_is_run_again_and_again_in_one_process(tmp_path: Path) -> None:
    """Most lives are in used processes; random numbers, temporary names and context variables start anew."""
    seen = contextvars.ContextVar("seen", default=0)
    drawn, processes = tmp_path / "drawn", tmp_path / "processes"
    for folder in (drawn, processes):
        folder.mkdir()

    def task(folder: Path) -> None:
        assert seen.get() == 0
        seen.set(1)
        name = tempfile.mkdtemp(dir=folder / "shared")
        os.rmdir(name)
        numbers = (uuid.uuid4().hex, uuid.uuid1().hex, os.urandom(4).hex(), random.random(), Path(name).name)
        _io.FileIO(drawn / hashlib.sha256(repr(numbers).encode()).hexdigest(), "w").close()
        _io.FileIO(processes / str(os.getpid()), "w").close()

    result = explored(publishing(task), tmp_path, reuse=True, depth=2, faults=_only("storage.*"))
    assert not result.errors
    assert not result.drifted
    assert used(result) > 20
    assert len(list(processes.iterdir())) > 5
    assert len(list(drawn.iterdir())) == 2  # all begin as the first one did; the second one without a fault did not


def _only(glob: str) -> list[Fault]:
    return [fault for name, fault in options().known.items() if fnmatchcase(name, glob)]


def _opens(folder: Path, kept: list[Any] = []) -> None:  # noqa: B006  # it is to last
    kept.append(open(__file__))  # noqa: SIM115


def _starts_a_thread(folder: Path) -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


def _finalizes(folder: Path, kept: list[Any] = []) -> None:  # noqa: B006
    kept.append(type("Thing", (), {})())
    weakref.finalize(kept[-1], int)


def _waits_for_ever() -> None:
    lock = _thread.allocate_lock()
    lock.acquire()
    lock.acquire()


RESTLESS: dict[str, Tasks] = {
    "a file stays open": _opens,
    "a thread": _starts_a_thread,
    "a thread without a name": lambda folder: _thread.start_new_thread(_waits_for_ever, ()),
    "an alarm": lambda folder: signal.setitimer(signal.ITIMER_REAL, 1000.0),
    "a blocked signal": lambda folder: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2}),
    "another output": lambda folder: os.dup2(os.open(os.devnull, os.O_RDONLY), 1),
    "a patience of sockets": lambda folder: socket.setdefaulttimeout(5.0),
    "a loop": lambda folder: asyncio.run(asyncio.sleep(0)),
    "a program": lambda folder: subprocess.run(["true"], check=True),
    "an exit handler": lambda folder: atexit.register(int),
    "a finalizer": _finalizes,
    "the environment": lambda folder: os.environ.update(ROLLPROOF_WAS_HERE="1"),
    "the working directory": os.chdir,
    "the umask": lambda folder: os.umask(0o27),
    "a signal handler": lambda folder: signal.signal(signal.SIGUSR1, lambda number, frame: None),
    "a path of modules": lambda folder: sys.path.append(str(folder)),
}


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Return how many lives of an agent that leaves nothing are in used processes."""
    folder = tmp_path_factory.mktemp("usual")
    return used(explored(publishing(lambda folder: None), folder, reuse=True, faults=_only("process.interrupt")))


@pytest.mark.parametrize("way", RESTLESS)
def test_a_process_that_is_not_as_before_carries_out_nothing_more(way: str, tmp_path: Path, usual: int) -> None:
    """A run that leaves something behind ends with its process; recoveries that leave nothing go on."""
    result = explored(publishing(RESTLESS[way]), tmp_path, reuse=True, faults=_only("process.interrupt"))
    assert not result.errors
    assert used(result) < usual


def test_an_agent_that_remembers_is_found_out(tmp_path: Path) -> None:
    """What a used process does otherwise than a fresh one is an error that says what to do."""
    runs: list[int] = []

    def explore(chaos: Any, folder: Path) -> None:
        chaos.watch(folder)

        def run() -> None:
            runs.append(1)
            for name in ("one.md", "two.md"):
                with contextlib.suppress(OSError):
                    (folder / name).write_text(name)
                (folder / name).write_text(f"{name}, again" if len(runs) > 1 else name)

        chaos.explore(run=run, recover=run)

    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", reuse=True, faults=_only("storage.io_error"))
    assert used(result)
    hint = "perhaps the agent keeps something in memory: explore without --chaos-reuse"
    assert any(hint in error for error in result.errors)


def test_who_made_the_outside_is_dead_when_the_next_one_comes(tmp_path: Path) -> None:
    """A recovery that asks whether the holder of a lock still lives is told that it does not."""
    lock = tmp_path / "shared" / "it.lock"

    def task(folder: Path) -> None:
        lock.write_text(f"{os.getpid()}\n")
        lock.unlink()

    def explore(chaos: Any, folder: Path) -> None:
        lock.parent.mkdir()
        chaos.watch(lock.parent)

        def recover() -> None:
            if lock.exists() and lock.read_text().endswith("\n"):
                with pytest.raises(ProcessLookupError):
                    os.kill(int(lock.read_text()), 0)
            lock.unlink(missing_ok=True)

        chaos.explore(run=lambda: task(folder), recover=recover)

    result = explored(SimpleNamespace(explore=explore), tmp_path, reuse=True, faults=_only("storage.io_error"))
    assert used(result)
    assert not result.violations
    assert not result.errors
    assert not result.flaky


def test_a_key_made_of_a_pid_is_another_one_in_recovery(tmp_path: Path) -> None:
    """What a service remembers of who asked is not taken for the recovery's own: the second mail is found."""

    def explore(chaos: Any, folder: Path) -> None:
        chaos.api("https://api.mail.test")

        def send() -> None:
            headers = {"Idempotency-Key": f"mail-{os.getpid()}"}
            httpx.post("https://api.mail.test/mails", json={"to": "you"}, headers=headers).raise_for_status()

        chaos.explore(run=send, recover=send)

    mailing = SimpleNamespace(explore=explore)
    timeout = _only("http.timeout")
    fresh, again = (explored(mailing, tmp_path / str(reuse), reuse=reuse, faults=timeout) for reuse in (False, True))
    assert [finding.schedule for finding in again.violations] == [finding.schedule for finding in fresh.violations]
    assert again.violations


def test_the_switch(pytester: pytest.Pytester) -> None:
    """It is an option, an ini option and a keyword of the mark, and is idle where nothing explores."""
    pytester.makepyfile(
        test_it="def test_it(chaos, tmp_path):\n"
        "    page = tmp_path / 'page'\n"
        "    chaos.watch(tmp_path)\n"
        "    chaos.explore(run=lambda: page.write_text('a page'), recover=lambda: page.unlink(missing_ok=True))\n"
    )
    assert " in used processes" in unwrapped(pytester.runpytest("--chaos", "--chaos-reuse").stdout.str())
    idle = pytester.runpytest("--chaos-reuse")
    idle.stdout.fnmatch_lines(["*--chaos-reuse*without --chaos*"])
    pytester.makeini("[pytest]\nchaos = true\nchaos_reuse = true\n")
    assert " in used processes" in unwrapped(pytester.runpytest().stdout.str())
    pytester.makeini("[pytest]\nchaos = true\n")
    text = (pytester.path / "test_it.py").read_text()
    pytester.makepyfile(test_it=f"import pytest\n@pytest.mark.chaos(reuse=True)\n{text}")
    assert " in used processes" in unwrapped(pytester.runpytest().stdout.str())


def test_the_mark_goes_before_the_ini_file_and_says_yes_or_no(pytester: pytest.Pytester) -> None:
    """An agent that remembers is kept out of it where the others are not; what was typed goes before both."""
    pytester.makeini("[pytest]\nchaos = true\nchaos_reuse = true\n")
    pytester.makepyfile(
        test_it="import pytest\n"
        "@pytest.mark.chaos(reuse=False)\n"
        "def test_it(chaos, tmp_path):\n"
        "    chaos.watch(tmp_path)\n"
        "    chaos.explore(run=lambda: (tmp_path / 'page').write_text('a page'), recover=lambda: None)\n"
        "@pytest.mark.chaos(reuse='no')\n"
        "def test_wrong(chaos):\n"
        "    pass\n"
    )
    result = pytester.runpytest("--chaos-faults=process.interrupt")
    assert "in used processes" not in unwrapped(result.stdout.str())
    result.stdout.fnmatch_lines(["*'no' is neither True nor False (@pytest.mark.chaos(reuse=*"])
    typed = pytester.runpytest("--chaos-faults=process.interrupt", "--chaos-reuse", "-k", "test_it")
    assert " in used processes" in unwrapped(typed.stdout.str())
