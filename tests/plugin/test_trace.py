"""``--chaos-trace``: what happens, line by line, the same in each session."""

import re

import pytest

from .projects import refused, write_test

AGENT = """
chaos.watch(shared)
chaos.private(own)
def run():
    os.mkdir(shared / "a")
    os.mkdir(shared / "b")
chaos.explore(run=run, recover=lambda: None)
"""
CONFTEST = """
from rollproof import Fail, fault

@fault("mine.slow", at="file.mkdir")
def slow(effect):
    "The folder is not made."
    yield Fail(OSError())

def pytest_chaos_faults():
    return [slow]
"""
LINES = """\
explore                       test_it.py::test_it
process      1         0.000  run starts
point        1                file.mkdir:shared/a#1
point        1                file.mkdir:shared/b#1
process      1         0.002  run returned
process      2  34580601.734  run starts
point        2                file.mkdir:shared/a#1
point        2                file.mkdir:shared/b#1
process      2  34580601.736  run returned
state        1                after process.kill@file.mkdir:shared/b#1:before
process      3         1.002  recover starts
process      3         1.002  recover returned
process      4         2.002  recover again starts
process      4         2.002  recover again returned
verdict                       violated  process.kill@file.mkdir:shared/b#1:before: all_or_nothing
process      5         0.000  run starts
point        5                file.mkdir:shared/a#1
point        5                file.mkdir:shared/b#1
fault        5         0.002  process.kill@file.mkdir:shared/b#1:before
process      5         0.002  run killed
process      6         1.002  recover starts
process      6         1.002  recover returned
process      7         2.002  recover again starts
process      7         2.002  recover again returned
verdict                       violated  process.kill@file.mkdir:shared/b#1:before: all_or_nothing
finding                       process.kill@file.mkdir:shared/b#1:before: all_or_nothing
"""


_LINE = re.compile(r"[a-z ]{8} [ \d]{5} [ .\d]{13}  \S.*")


def traced(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Explore crashes of the project's one test."""
    return pytester.runpytest("--chaos", "--chaos-faults=process.kill", "-p", "no:cacheprovider", *arguments)


def test_each_crossing_fault_process_state_and_verdict_is_a_line(pytester: pytest.Pytester) -> None:
    """The columns are aligned, and times are virtual: the lines can be compared."""
    write_test(pytester, AGENT)
    traced(pytester, "--chaos-trace=deep/trace.txt")
    trace = (pytester.path / "deep/trace.txt").read_text()
    assert trace.startswith(LINES)
    assert [line for line in trace.splitlines() if not _LINE.fullmatch(line)] == []


def test_the_file_of_the_trace_may_be_there_already(pytester: pytest.Pytester) -> None:
    """As two words, from the second session on: it is no test, and the conftest is found."""
    write_test(pytester, AGENT)
    pytester.makeconftest(CONFTEST)
    for _ in range(2):
        result = pytester.runpytest_subprocess("--chaos", "--chaos-faults=mine.slow", "--chaos-trace", "trace.txt")
        result.stdout.no_fnmatch_line("*unknown-fault*")
    assert "mine.slow@file.mkdir:shared/a#1:before" in (pytester.path / "trace.txt").read_text()


def test_without_a_file_the_trace_is_on_the_terminal(pytester: pytest.Pytester) -> None:
    """It is among the errors, whatever pytest captures, and the option may stand in the ini file."""
    write_test(pytester, AGENT)
    pytester.makeini("[pytest]\nchaos_trace = -\n")
    errors = pytester.runpytest_subprocess("--chaos", "--chaos-faults=process.kill").stderr.str()
    assert LINES in errors


def test_each_worker_has_a_file_of_its_own(pytester: pytest.Pytester) -> None:
    """Workers of pytest-xdist write side by side; without a file nothing is shown, which the header says."""
    write_test(pytester, AGENT)
    result = traced(pytester, "-n1", "--chaos-trace=trace.txt")
    result.assert_outcomes(failed=1)
    assert (pytester.path / "trace.txt.gw0").read_text().startswith(LINES)
    assert not (pytester.path / "trace.txt").exists()
    traced(pytester, "-n1", "--chaos-trace", "--collect-only").stdout.fnmatch_lines(["chaos: no trace, workers have*"])


def test_a_test_is_not_written_over(pytester: pytest.Pytester) -> None:
    """The word behind ``--chaos-trace`` is its file."""
    write_test(pytester, AGENT)
    before = (pytester.path / "test_it.py").read_text()
    refused(traced(pytester, "--chaos-trace", "test_it.py"), "bad-file", "'test_it.py' is no file for a trace")
    assert (pytester.path / "test_it.py").read_text() == before
