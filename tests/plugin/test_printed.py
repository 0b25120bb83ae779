"""What processes of the agent print: nothing of it while exploring, that of the replayed schedule in a replay."""

import re

import pytest

from .projects import unwrapped, write_test

BEFORE = """
import logging, os, subprocess, sys, warnings
log = logging.getLogger("agent")
log.addHandler(logging.StreamHandler())

def say(what):
    print(f"AGENT {what} stdout")
    print(f"AGENT {what} stderr", file=sys.stderr)
    print(f"AGENT {what} first stderr", file=sys.__stderr__)
    os.write(1, f"AGENT {what} descriptor\\n".encode())
    log.warning(f"AGENT {what} log")
    warnings.warn(f"AGENT {what} warning")
    subprocess.run(["echo", f"AGENT {what} program"])
"""
AGENT = """
    def agent():
        say("begins")
        (shared / "a").touch()
        say("ends")
    print("TEST before")
    chaos.watch(shared)
    chaos.explore(run=agent, recover=lambda: say("recovers"))
"""
CRASH = "--chaos-replay=process.kill@file.open:shared/a#1:after"
WAYS = {
    "captured": (),
    "captured from Python": ("--capture=sys",),
    "not captured": ("-s",),
    "logged live": ("-o", "log_cli=true"),
    "logged to a file": ("--log-file=log.txt", "--log-level=DEBUG"),
    "passed through": ("--capture=tee-sys",),
    "in a worker": ("-p", "xdist", "-n1"),
}
CHANNELS = ("stdout", "stderr", "descriptor", "log", "program")


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugins that load themselves take a second each."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def run(pytester: pytest.Pytester, *arguments: str) -> str:
    """Run the project's test with crashes only, in a process of its own, and return all that was written."""
    result = pytester.runpytest_subprocess(
        "-p", "rollproof.plugin", "--chaos", "--chaos-faults=process.kill", "-rA", *arguments
    )
    log = pytester.path / "log.txt"
    return "\n".join([result.stdout.str(), result.stderr.str(), log.read_text() if log.exists() else ""])


@pytest.mark.parametrize("way", WAYS)
def test_while_exploring_nothing_is_shown(pytester: pytest.Pytester, way: str) -> None:
    """Whatever it is written with and wherever pytest leads it to; what the test prints is."""
    write_test(pytester, AGENT, before=BEFORE)
    output = run(pytester, *WAYS[way])
    assert "all_or_nothing broken" in output or "schedules judged" in output
    assert "AGENT" not in output
    assert "TEST before" in output


@pytest.mark.parametrize("way", WAYS)
def test_a_replay_shows_its_own_processes(pytester: pytest.Pytester, way: str) -> None:
    """What they said before they were killed, and in recovery; nothing of other processes."""
    write_test(pytester, AGENT, before=BEFORE)
    output = run(pytester, CRASH, *WAYS[way])
    assert "replayed process.kill@file.open:shared/a#1:after" in unwrapped(output)
    assert "AGENT ends" not in output
    for channel in CHANNELS:
        assert re.search(f"AGENT begins {channel}", output), output
        assert re.search(f"AGENT recovers {channel}", output), output
    times = 2 if way == "passed through" else 1  # at once, and with the report
    assert output.count("AGENT begins stdout") == output.count("AGENT recovers stdout") == times
    assert output.index("AGENT begins program") < output.index("AGENT recovers stdout")


def test_what_a_killed_process_printed_last_is_shown(pytester: pytest.Pytester) -> None:
    """Lines are not kept back in a buffer that dies with it; one without an end is there when the process has ended."""
    write_test(pytester, AGENT.replace('say("recovers")', 'print("AGENT half", end="")'), before=BEFORE)
    output = run(pytester, CRASH, "-s")
    assert "AGENT begins stdout" in output
    assert "AGENT half" in output


def test_only_the_exploration_that_a_replay_belongs_to_is_shown(pytester: pytest.Pytester) -> None:
    """The others of the test have no such point."""
    other = """
    chaos.watch(shared)
    chaos.explore(run=lambda: print("OTHER") or (shared / "o").touch(), recover=lambda: None)
"""
    write_test(pytester, other + AGENT.replace("chaos.watch(shared)", "pass"), before=BEFORE)
    output = run(pytester, CRASH, "-s")
    assert "AGENT begins stdout" in output
    assert "OTHER" not in output


def test_a_fault_free_run_that_fails_says_what_it_printed(pytester: pytest.Pytester) -> None:
    """The last fifty lines, with the error; not as captured output."""
    write_test(
        pytester,
        """
        def agent():
            for number in range(60):
                print(f"AGENT line {number}")
            raise ValueError("no such topic")
        chaos.watch(shared)
        chaos.explore(run=agent)
    """,
    )
    output = run(pytester)
    assert "[fails-without-a-fault]" in output
    assert "it printed last:" in output
    assert "… 10 lines before these" in output
    assert "AGENT line 9\n" not in output
    assert output.count("AGENT line 10\n") == output.count("AGENT line 59\n") == 1


def test_the_second_fault_free_run_says_it_too(pytester: pytest.Pytester) -> None:
    """Where it fails and the first did not, one wants to know why."""
    write_test(
        pytester,
        """
        import datetime
        def agent():
            (shared / "a").touch()
            print("AGENT in", datetime.date.today().year)
            assert datetime.date.today().year == 2026
        chaos.watch(shared)
        chaos.explore(run=agent)
    """,
    )
    output = run(pytester)
    assert "AGENT in 2027" in output
    assert "AGENT in 2026" not in output
    assert re.search(r'test_it.py", line \d+, in agent', output), output


@pytest.mark.parametrize("capture", ["--capture=fd", "--capture=sys"])
@pytest.mark.parametrize("fixture", ["capfd", "capsys"])
def test_an_agent_that_prints_past_a_capture(pytester: pytest.Pytester, fixture: str, capture: str) -> None:
    """Neither a fixture that captures nor its way around it leads to the terminal; the test's own prints stay there."""
    write_test(
        pytester,
        f"""
        def agent():
            with captured.disabled():
                say("past")
            say("within")
            (shared / "a").touch()
        captured = request.getfixturevalue("{fixture}")
        chaos.watch(shared)
        print("TEST before")
        chaos.explore(run=agent, recover=lambda: say("recovers"))
        assert captured.readouterr().out == "TEST before\\n"
    """,
        before=BEFORE,
    )
    file = pytester.path / "test_it.py"
    file.write_text(file.read_text().replace("folders, tmp_path", "folders, request"))
    output = run(pytester, capture)
    assert "1 passed" in output or "all_or_nothing broken" in output
    assert "AGENT" not in output
    assert "AssertionError" not in output


def test_a_process_that_dies_says_so_to_nobody(pytester: pytest.Pytester) -> None:
    """What pytest lets the interpreter write then is no output of the session."""
    write_test(
        pytester,
        """
        chaos.watch(shared)
        chaos.explore(run=lambda: (shared / "a").touch(), recover=os.abort)
    """,
    )
    output = run(pytester)
    assert "recovery_succeeds" in output
    assert "Fatal Python error" not in output


def test_an_ordinary_run_prints_as_ever(pytester: pytest.Pytester) -> None:
    """It is an ordinary test."""
    write_test(pytester, AGENT, before=BEFORE)
    output = pytester.runpytest_subprocess("-p", "rollproof.plugin", "-rA").stdout
    output.fnmatch_lines(["TEST before", "AGENT begins stdout", "AGENT begins descriptor", "AGENT ends program"])
    output.fnmatch_lines(["WARNING *AGENT begins log"])
