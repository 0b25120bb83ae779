"""Where the time of an exploration went: ``--chaos-durations=N``."""

import json
from pathlib import Path

import pytest
from rollproof.values.durations import PARTS, Spent, together

from .projects import write_project


def test_a_table_of_the_slowest_explorations(pytester: pytest.Pytester) -> None:
    """Seconds by part, the slowest first; the parts of one are its seconds, and JSON has them, too."""
    write_project(pytester)
    result = pytester.runpytest_inprocess("--chaos", "--chaos-durations=3", "--chaos-json=r.json")
    result.stdout.fnmatch_lines(
        ["chaos durations (slowest 3; *)", "*seconds*fork*agent*restore*capture*", "*test_it.py*"]
    )
    (one,) = json.loads(Path("r.json").read_text())["explorations"]
    assert [*one["spent"]] == [*PARTS]
    assert one["spent"]["agent"] > 0


def test_without_the_option_nothing_is_told(pytester: pytest.Pytester) -> None:
    """And a number that cannot be meant is refused."""
    write_project(pytester)
    pytester.runpytest_inprocess("--chaos", "--chaos-faults=process.kill").stdout.no_fnmatch_line("*chaos durations*")
    refused = pytester.runpytest_inprocess("--chaos", "--chaos-durations=some")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines("*'some' is no number of explorations*")


def test_a_part_within_a_part_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seconds of all parts together are those that have gone by."""
    clock = iter([0.0, 1.0, 3.0, 6.0, 10.0, 15.0])
    monkeypatch.setattr("rollproof.values.durations.time.perf_counter", lambda: next(clock))
    spent = Spent()
    with spent.on("agent"), spent.on("capture"):
        pass
    found = spent.so_far()
    monkeypatch.undo()
    assert {part: seconds for part, seconds in found.items() if seconds} == {
        "rest": 1.0 + 5.0,
        "agent": 2.0 + 4.0,
        "capture": 3.0,
    }
    assert together([{"fork": 1.0}, {"fork": 2.5, "agent": 1.0}]) == {"fork": 3.5, "agent": 1.0}
