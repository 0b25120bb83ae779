"""Programs that the agent starts: a point before one begins, one when it has ended, nothing claimed of its inside."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rollproof.values.exploration import Exploration

from ..exploring import explored, options, replayed
from .stage import Stage, short


async def _exec(*words: str) -> int | None:
    process = await asyncio.create_subprocess_exec(*words)
    return await process.wait()


async def _shell(line: str) -> int | None:
    process = await asyncio.create_subprocess_shell(line, stdout=asyncio.subprocess.PIPE)
    await process.communicate()
    return process.returncode


def _spawn(*words: str) -> int:
    pid = os.posix_spawnp(words[0], words, dict(os.environ))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _in_background(*words: str) -> int | None:
    process = subprocess.Popen(words)
    while process.poll() is None:
        pass
    return process.returncode


WAYS: dict[str, Callable[[str], Any]] = {
    "run": lambda path: subprocess.run(["touch", path], check=False).returncode,
    "run in a shell": lambda path: subprocess.run(f"A=1 touch {path}", shell=True, check=False).returncode,
    "call": lambda path: subprocess.call(["/usr/bin/touch", path]),
    "check_output": lambda path: len(subprocess.check_output(["touch", path])),
    "communicate": lambda path: [subprocess.Popen(["touch", path], stdout=-1).communicate(), 0][1],
    "poll": lambda path: _in_background("touch", path),
    "os.system": lambda path: os.waitstatus_to_exitcode(os.system(f"touch {path}")),
    "os.popen": lambda path: os.popen(f"touch {path}").close() or 0,
    "posix_spawn": lambda path: _spawn("touch", path),
    "asyncio": lambda path: _exec("touch", path),
    "asyncio in a shell": lambda path: _shell(f"touch {path}"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_program_is_one_point_with_a_before_and_an_after(way: str, stage: Stage) -> None:
    """It has not begun before, it has ended after, and nothing about it is unintercepted."""
    process = stage.run_process(lambda: WAYS[way](str(stage.shared / "made")))
    assert process.outcome.value == 0, process.outcome
    assert list(map(str, process.points)) == ["process.run:touch#1"]
    assert [crash_state.when for crash_state in process.crash_states] == ["before", "after"]
    assert process.unintercepted == []
    assert process.inside == ["process.run:touch#1"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("when", "made"), [("before", False), ("after", True)])
def test_a_crash_around_a_program(way: str, when: str, made: bool, stage: Stage) -> None:
    """A kill before it starts leaves nothing, one after it ended leaves all of it."""
    path = stage.shared / "made"
    process = stage.run_process(lambda: WAYS[way](str(path)), f"process.kill@process.run:touch#1:{when}")
    assert process.outcome.kind == "killed"
    assert path.exists() is made


CODES = {
    "subprocess.failed@process.run:touch#1:before": (1, False),
    "subprocess.killed@process.run:touch#1:before": (-9, False),
    "subprocess.killed@process.run:touch#1:after": (-9, True),
}


@pytest.mark.parametrize("way", ["run", "os.system", "posix_spawn", "asyncio"])
@pytest.mark.parametrize("token", CODES)
def test_what_becomes_of_a_program(way: str, token: str, stage: Stage) -> None:
    """It fails without acting, or is killed before or after it acted, and its caller sees the code."""
    path = stage.shared / "made"
    code, made = CODES[token]
    outcome = stage.run_process(lambda: WAYS[way](str(path)), token).outcome
    assert outcome.value == code, outcome
    assert path.exists() is made


@pytest.mark.parametrize(
    ("way", "seen"),
    [
        ("run", "FileNotFoundError touch"),
        ("asyncio", "FileNotFoundError touch"),
        ("os.system", "127"),
        ("run in a shell", "127"),
    ],
)
def test_a_program_that_is_not_there(way: str, seen: str, stage: Stage) -> None:
    """Python says so itself; a shell does with its exit code."""

    async def asked() -> str:
        try:
            code = WAYS[way](str(stage.shared / "made"))
            return str(await code if asyncio.iscoroutine(code) else code)
        except FileNotFoundError as error:
            return f"{type(error).__name__} {error.filename}"

    assert stage.returned(asked, "subprocess.not_found@process.run:touch#1:before") == seen


def test_check_names_the_command_that_failed(stage: Stage) -> None:
    """The error has the agent's own command, not what stands in for it."""

    def run() -> object:
        try:
            subprocess.run(["touch", "x"], check=True, stderr=subprocess.PIPE)
        except subprocess.CalledProcessError as error:
            return [error.cmd, error.returncode]
        return None

    assert stage.returned(run, "subprocess.failed@process.run:touch#1:before") == [["touch", "x"], 1]


def test_output_and_input_pass(stage: Stage) -> None:
    """Pipes are the agent's own."""

    def run() -> str:
        return subprocess.run(["cat"], input="words", capture_output=True, text=True, check=True).stdout

    assert stage.returned(run) == "words"


def test_ctrl_c_after_a_program(stage: Stage) -> None:
    """KeyboardInterrupt where the agent waits, and the program has acted."""

    def run() -> object:
        try:
            subprocess.run(["touch", str(stage.shared / "made")], check=True)
        except KeyboardInterrupt:
            return (stage.shared / "made").exists()
        return None

    assert stage.returned(run, "process.interrupt@process.run:touch#1:after") is True


def test_a_program_takes_real_time(stage: Stage) -> None:
    """A timeout of asyncio does not come early because everybody seems to sleep."""

    async def run() -> str:
        await asyncio.wait_for(_exec("sleep", "0.2"), 60)
        return "ended"

    assert stage.returned(run) == "ended"


def test_what_waits_for_the_agent_does_not_hold_up_its_timers(stage: Stage) -> None:
    """A server on a pipe is idle while the agent sleeps."""

    async def run() -> str:
        server = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
        await asyncio.sleep(3600)
        assert server.stdin is not None
        server.stdin.close()
        await server.wait()
        return "ended"

    assert stage.returned(run) == "ended"


def test_a_program_in_the_background_is_told(stage: Stage) -> None:
    """Its start is a point; that nobody waited for it, and that effects came beside it, is said."""

    def run() -> None:
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
        (stage.own / "a").touch()

    process = stage.run_process(run)
    assert short(list(map(str, process.points))) == ["run sleep", "open own/a"]
    assert process.unintercepted == ["process.run:sleep#1 was not waited for"]
    assert process.concurrent == ["programs"]


def test_a_program_dies_with_its_agent(stage: Stage) -> None:
    """Even one in a session of its own: nothing of an agent that was killed acts later."""

    def run() -> None:
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
        (stage.elsewhere / "pid").write_text(str(process.pid))
        (stage.own / "a").touch()

    process_run = stage.run_process(run, "process.kill@file.open:own/a#1:before")
    assert process_run.outcome.kind == "killed"
    with pytest.raises(ProcessLookupError):
        os.kill(int((stage.elsewhere / "pid").read_text()), signal.SIG_DFL)


def converting(*, right: bool, changes: bool = True) -> Any:
    """Return an agent that lets a program write a file; the wrong one takes a half-done set for a whole one."""

    def make(target: Path) -> None:
        subprocess.run(["cp", "/dev/null", str(target)] if changes else ["true"], check=True)

    def run(shared: Path) -> None:
        for name in ("a", "b"):
            if not (shared / name).exists():
                make(shared / name)

    def recover(shared: Path) -> None:
        if right or not (shared / "a").exists():
            run(shared)

    def explore(chaos: Any, folder: Any) -> None:
        shared = folder / "shared"
        shared.mkdir()
        chaos.watch(shared)
        chaos.explore(run=lambda: run(shared), recover=lambda: recover(shared))

    return SimpleNamespace(explore=explore)


def _found(agent: Any, folder: Path) -> Exploration:
    faults = tuple(f for name, f in options().known.items() if name.startswith(("subprocess.", "process.kill")))
    return explored(agent, folder, faults=faults)


def test_programs_are_explored_and_the_statement_says_what_was_not(tmp_path: Path) -> None:
    """Half of a set is found; the right twin is clean, and its statement names the inside of the programs."""
    wrong = _found(converting(right=False), tmp_path / "wrong")
    assert wrong.violations[0].schedule == "process.kill@process.run:cp#1:after"
    again = replayed(converting(right=False), tmp_path / "again", wrong.violations[0].schedule)
    assert again.violations[0].invariants == wrong.violations[0].invariants
    right = _found(converting(right=True), tmp_path / "right")
    assert (right.violations, right.flaky, right.errors, right.drifted, right.unintercepted) == ((), (), (), (), ())
    assert right.closed
    assert "inside 2 subprocesses not looked at" in right.statement
    assert "exhaustive" not in right.statement


def test_a_program_that_changes_nothing_watched_can_still_reach_the_network(tmp_path: Path) -> None:
    """What happens inside it cannot matter to what is watched; that it is not held back is all that is said."""
    result = _found(converting(right=True, changes=False), tmp_path / "e")
    assert "every single fault" in result.statement
    assert "exhaustive" not in result.statement
    assert "not held back from the network: the program true" in result.statement
    assert "not looked at" not in result.statement
