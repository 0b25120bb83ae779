"""What stands on the terminal: a live line where somebody watches, and at the end what was proved and what was not."""

import json
import os
import re
import subprocess
import sys

import pytest
from rollproof.reports.layout import plain
from rollproof.reports.terminal import failure_lines
from rollproof.values.exploration import Exploration, Finding
from rollproof.values.replaying import ReplayCommand
from rollproof.values.report import reported
from rollproof.values.schedule import Schedule

from .projects import unwrapped, write_project, write_test

LIVE = re.compile(r"test_publishing: \d+ executions, \d+/s, \d+ s, (run|recover)")


def on_a_terminal(pytester: pytest.Pytester, **environment: str) -> str:
    """Run pytest as a user at a terminal does, and return all that was written there."""
    ours, theirs = os.openpty()
    calm = {name: value for name, value in os.environ.items() if name != "CI"}
    command = [sys.executable, "-m", "pytest", "--chaos", "-p", "no:cacheprovider"]
    written = bytearray()
    with subprocess.Popen(command, cwd=pytester.path, stdout=theirs, stderr=theirs, env={**calm, **environment}):
        os.close(theirs)
        while chunk := _read(ours):
            written += chunk
    os.close(ours)
    return written.decode()


def on_screen(output: str) -> str:
    """Return what a person sees in the end: what comes after a return stands over what was there."""
    lines = []
    for written in output.replace("\r\n", "\n").split("\n"):
        line = ""
        for part in written.split("\r"):
            line = part + line[len(part) :]
        lines.append(line.rstrip())
    return "\n".join(lines)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # Linux: the other side was closed
        return b""


def test_a_live_line_says_how_far_it_is(pytester: pytest.Pytester) -> None:
    """A count, a rate, what is running; overwritten in place, and taken away by what follows."""
    write_project(pytester)
    output = on_a_terminal(pytester)
    assert "1 passed" in output
    assert LIVE.search(output), output
    left = on_screen(output)
    assert not LIVE.search(left)
    assert re.search(r"^test_it\.py \.\s+\[100%\]$", left, re.MULTILINE), left


def test_it_is_quiet_in_ci(pytester: pytest.Pytester) -> None:
    """A log keeps every line: none is overwritten there."""
    write_project(pytester)
    output = on_a_terminal(pytester, CI="true")
    assert "1 passed" in output
    assert not LIVE.search(output)


def test_it_is_quiet_where_nobody_watches(pytester: pytest.Pytester) -> None:
    """In a pipe there is no live line either."""
    write_project(pytester)
    output = pytester.runpytest_subprocess("--chaos").stdout.str()
    assert "1 passed" in output
    assert not LIVE.search(output)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_log_is_told_how_far_it_is_each_minute(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """What is tried and how much is left, in whole lines, from workers too; a minute is no time here."""
    write_project(pytester)
    pytester.makeconftest("import rollproof.plugin.screen\nrollproof.plugin.screen._IN_A_LOG_S = 0.0")
    result = pytester.runpytest_subprocess("--chaos", *workers)
    written = result.stderr.str() if workers else result.stdout.str()
    told = re.findall(r"^chaos: test_publishing: \d+ executions, \d+/s, \d+ s, (.*)$", written, re.MULTILINE)
    assert any(re.search(r"^single faults: recover, \d+ left$", line) for line in told), written


def test_what_was_hidden_or_not_seen_is_said(pytester: pytest.Pytester) -> None:
    """Each mask, each file that nobody watches, and each invariant that had nothing to judge."""
    write_test(
        pytester,
        """
        import uuid
        def agent():
            (shared / "report.md").write_text(f"id: {uuid.uuid4()}")
            (tmp_path / "forgotten.log").write_text("done")
        def again():
            (shared / "report.md").unlink(missing_ok=True)
        chaos.watch(shared)
        chaos.explore(run=agent, recover=again)
    """,
    )
    output = unwrapped(pytester.runpytest_inprocess("--chaos").stdout.str())
    assert " masked: shared/report.md" in output
    assert re.search(r" written and not watched: \S+/forgotten\.log ", output)
    idle = re.search(r" nothing to judge: (\w+(?:, \w+)*)", output)
    assert idle
    assert "all_or_nothing" not in idle[1]
    assert "credential_hygiene" in idle[1]


def test_a_story_says_how_each_process_ended(pytester: pytest.Pytester) -> None:
    """Also what a model said in whose mouth a fault put words, which time it was, and that the run itself recovers."""
    write_test(
        pytester,
        """
        import json
        from openai import OpenAI
        def agent():
            for number in (1, 2):
                question = [{"role": "user", "content": f"Name tool {number}"}]
                answer = OpenAI().chat.completions.create(model="gpt-4o-mini", messages=question)
                with (shared / "tools").open("a") as tools:
                    tools.write(",".join(json.loads(answer.choices[0].message.content)["tools"]))
        chaos.watch(shared)
        chaos.llm({"Name tool 1": '{"tools": ["saw"]}', "Name tool 2": '{"tools": ["hammer"]}'})
        chaos.explore(run=agent)
    """,
    )
    token = "llm.wrong_type@llm.chat:api.openai.com#2:after"
    output = unwrapped(pytester.runpytest_inprocess("--chaos", f"--chaos-replay={token}").stdout.str())
    said = 'the model says something else: {"tools": "hammer"}'
    assert re.search(
        rf"> 5 run llm\.chat:api\.openai\.com#2 {re.escape(said)} test_it\.py:\d+ 6 run file\.write", output
    )
    assert " 7 run returned None " in output
    token = "process.kill@file.write:shared/tools#1:middle"
    output = unwrapped(pytester.runpytest_inprocess("--chaos", f"--chaos-replay={token}").stdout.str())
    assert "and run(), started again, returns without an error." in output
    assert re.search(r" 5 run killed test_it\.py:\d+ 6 recover llm\.chat:", output)
    assert " 10 recover returned None " in output


def test_an_error_of_several_lines_stays_in_its_column(pytester: pytest.Pytester) -> None:
    """Errors of httpx have a second line, which says where to read more; it stands under the first."""
    write_test(
        pytester,
        """
        import httpx
        chaos.api("https://api.mail.test")
        def agent():
            httpx.post("https://api.mail.test/mails", json={"to": "a"})
        def again():
            raise OSError("the mail service is down\\nsee its page")
        chaos.explore(run=agent, recover=again)
    """,
    )
    output = pytester.runpytest_inprocess("--chaos", "--chaos-faults=process.kill").stdout.str()
    assert re.search(r"^ +3 recover  raises OSError: the mail service is down …$", output, re.MULTILINE)
    assert "a healthy recovery raised: OSError: the mail service is down\n           see its page\n" in output


def test_an_error_of_a_check_of_ones_own_stays_in_its_column(pytester: pytest.Pytester) -> None:
    """What could not be judged is told in one block."""
    write_test(
        pytester,
        """
        def agent():
            (shared / "report.md").touch()
        @chaos.invariant
        def report_is_short(world):
            raise ValueError("no report\\nhere")
        chaos.watch(shared)
        chaos.explore(run=agent, recover=lambda: None)
    """,
    )
    output = pytester.runpytest_inprocess("--chaos", "--chaos-faults=process.kill").stdout.str()
    assert "could not be judged: invariant report_is_short failed: ValueError: no report\n  here\n" in output


def test_options_without_exploring_are_said_to_be_idle(pytester: pytest.Pytester) -> None:
    """Who forgot ``--chaos`` would take the pass for more than it is."""
    write_project(pytester)
    result = pytester.runpytest_inprocess("--chaos-depth=2", "--chaos-seed=3", "-q")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines("*PytestConfigWarning: --chaos-depth without --chaos: nothing is explored")


def test_only_the_first_findings_are_told(pytester: pytest.Pytester) -> None:
    """Of the others it is said how many there are, and where."""
    steps = "\n".join(f"    (own / '{name}.lock').touch()\n    (own / '{name}.lock').unlink()" for name in "abcdefg")
    body = f"def agent():\n{steps}\nchaos.private(own)\nchaos.watch(shared)\n"
    write_test(pytester, body + "chaos.explore(run=agent, recover=lambda: None)")
    words = ("--chaos", "--chaos-faults=process.kill", "--chaos-json=chaos.json")
    output = pytester.runpytest_inprocess(*words).stdout.str()
    (explored,) = json.loads((pytester.path / "chaos.json").read_text())["explorations"]
    found = len(explored["violations"])
    assert found == 7
    assert output.count("  replay   pytest --chaos") == 5
    assert f"… and {found - 5} more violations (--chaos-json=FILE has all)" in output


@pytest.mark.parametrize(("found", "told"), [(6, "1 more violation "), (7, "2 more violations ")])
def test_how_many_more_there_are(found: int, told: str) -> None:
    """One is told as one."""
    schedules = [Schedule.parse(f"process.kill@file.open:a#{n}:after") for n in range(1, found + 1)]
    findings = tuple(Finding(("no_leftovers",), schedule, "left") for schedule in schedules)
    explored = reported(Exploration(violations=findings), ReplayCommand("test_it.py::test_it"))
    text = plain(failure_lines(explored, 80))
    assert f"… and {told}(--chaos-json=FILE has all)" in text


def test_only_the_first_differences_are_shown() -> None:
    """The others are counted, where there are no states to show what is outside."""
    diff = tuple(f"- shared/shop.db:orders: {{'name': 'second {number:02}'}}" for number in range(12))
    schedule = Schedule.parse("process.kill@sqlite.insert:shared/shop.db:orders#2:before")
    finding = Finding(("all_or_nothing",), schedule, "half", diff)
    text = plain(failure_lines(reported(Exploration(violations=(finding,)), ReplayCommand("test_it.py::test_it")), 80))
    assert "{'name': 'second 07'}" in text
    assert "           … 4 more differences" in text
    assert "second 08" not in text


def test_each_finding_stands_once_also_in_ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest repeats a message in its last lines there, whole: that is the title. The statement stands once, too."""
    monkeypatch.setenv("CI", "true")
    write_project(pytester, right=False)
    words = ("--chaos", "--chaos-faults=process.kill", "-rA", "--junitxml=it.xml")
    output = pytester.runpytest_inprocess(*words).stdout.str()
    [title] = re.findall(r"^(A temporary file stays behind: .*?) +minor$", output, re.MULTILINE)
    assert len(re.findall(r"^  wrong    no_leftovers broken$", output, re.MULTILINE)) == 1
    assert output.count("schedules judged in") == 1
    [last] = re.findall(r"^FAILED .* - (.*)$", output, re.MULTILINE)
    assert last == title
    failure = (pytester.path / "it.xml").read_text()
    assert failure.count("  wrong    no_leftovers broken") == 1
    assert re.search(r"^  struck runs: \d+ done, \d+ rolled back, \d+ wrong; recovery 1.* s of virtual", output, re.M)
    quiet = pytester.runpytest_inprocess(*words, "-q").stdout.str()
    assert "struck" not in quiet
    assert re.search(r"^test_it\.py::test_publishing: 1 finding, \d+ schedules, closed, [\d.]+ s$", quiet, re.MULTILINE)
    assert "schedules judged in" not in quiet


def test_verbose_has_the_cells_and_a_replay_the_whole_story(pytester: pytest.Pytester) -> None:
    """Each point has a line of its own, and each fault there; a replay tells what came in each process, and when."""
    write_project(pytester, right=False)
    output = pytester.runpytest_inprocess("--chaos", "--chaos-faults=process.kill", "-v").stdout.str()
    point = re.escape("file.write:own/report.part#1")
    assert re.search(rf"^  {point}\n    process\.kill  violated  +\d+  no_leftovers$", output, re.MULTILINE), output
    [token] = re.findall(r"--chaos-replay='?([^' ]+)'?$", output, re.MULTILINE)[:1]
    replayed = pytester.runpytest_inprocess("--chaos", f"--chaos-replay={token}", "-v").stdout.str()
    assert "file.open:own/report.part" in replayed.partition("= FAILURES")[2].partition("  wrong ")[0]
