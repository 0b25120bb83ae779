"""Where the time of an exploration went: ``--chaos-durations=N``."""

import json
import time
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
    assert sum(one["spent"].values()) == pytest.approx(one["seconds"], abs=0.5)
    assert one["spent"]["agent"] > 0


def test_without_the_option_nothing_is_told(pytester: pytest.Pytester) -> None:
    """And a number that cannot be meant is refused."""
    write_project(pytester)
    pytester.runpytest_inprocess("--chaos", "--chaos-faults=process.kill").stdout.no_fnmatch_line("*chaos durations*")
    refused = pytester.runpytest_inprocess("--chaos", "--chaos-durations=some")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines("*'some' is no number of explorations*")


def test_a_part_within_a_part_counts_once() -> None:
    """The seconds of all parts together are those that have gone by."""
    began, spent = time.perf_counter(), Spent()
    with spent.on("agent"), spent.on("capture"):
        sum(range(100_000))
    found = spent.so_far()
    gone = time.perf_counter() - began
    assert found["capture"] > found["agent"]
    assert 0 < sum(found.values()) <= gone
    assert together([{"fork": 1.0}, {"fork": 2.5, "agent": 1.0}]) == {"fork": 3.5, "agent": 1.0}
