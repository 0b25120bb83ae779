"""Sets of faults beyond pairs: drawn, made small, bounded, and tried first the next time."""

import json
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from rollproof.values.drawn import DrawnSets, in_words, reported_drawn, together

from .exploring import explored, only

HOSTS = ("prices", "stock", "taxes")
PROJECT = f"""
import httpx

HOSTS = {HOSTS!r}


def total(shared):
    missing = 0
    for host in HOSTS:
        try:
            httpx.get(f"https://api.{{host}}.test/things", timeout=5).raise_for_status()
        except httpx.HTTPError:
            missing += 1
    (shared / "total.txt").write_text("0" if missing == 3 else "10")
    return "done"


def test_total(chaos, tmp_path):
    for host in HOSTS:
        chaos.api(f"https://api.{{host}}.test")
    chaos.watch(tmp_path)
    chaos.explore(run=lambda: total(tmp_path))
"""


def looking(hosts: tuple[str, ...], wrong_without: int) -> Any:
    """Return an agent that does without an answer of each host, but not without so many of them."""

    def run(shared: Path) -> str:
        missing = 0
        for host in hosts:
            try:
                httpx.get(f"https://api.{host}.test/things", timeout=5).raise_for_status()
            except httpx.HTTPError:
                missing += 1
        (shared / "total.txt").write_text("0" if missing == wrong_without else "10")
        return "done"

    def explore(chaos: Any, folder: Path) -> None:
        for host in hosts:
            chaos.api(f"https://api.{host}.test")
        chaos.watch(folder)
        chaos.explore(run=lambda: run(folder))

    return SimpleNamespace(explore=explore)


def test_a_bug_that_takes_three_faults_is_found_and_made_small(tmp_path: Path) -> None:
    """No one or two of them do it; what is shown is the plainest set, and it fails when it is carried out again."""
    agent = looking(HOSTS, wrong_without=3)
    result = explored(agent, tmp_path, depth=3, minutes=10, first=True, **only("http.timeout"))
    (finding,) = result.violations
    assert str(finding.planned) == " + ".join(
        f"http.timeout@http.get:api.{host}.test/things#1:before" for host in HOSTS
    )
    assert not result.flaky
    assert result.drawn.most == 3


def test_where_nothing_new_is_left_to_draw_it_ends(tmp_path: Path) -> None:
    """Long before the time is over; and the statement bounds what is left by what was drawn at random."""
    agent = looking(HOSTS[:2], wrong_without=3)
    result = explored(agent, tmp_path, depth=3, minutes=60, **only("http.unavailable"))
    assert not result.violations
    assert in_words(reported_drawn(result.drawn)) in result.statement
    assert "none failed in a way that one fault does not" in result.statement
    assert result.drawn.at_random > 100  # the same few again and again, which costs nothing
    assert result.executions < 100


def test_what_failed_is_tried_first_without_the_option(pytester: pytest.Pytester) -> None:
    """A set that failed in the last session is a schedule like any other one."""
    pytester.makepyfile(test_total=PROJECT)
    drawing = ("--chaos-depth=3", "--chaos-minutes=10", "--chaos-first")
    pytester.runpytest_inprocess("--chaos", "--chaos-faults=http.timeout", *drawing).assert_outcomes(failed=1)
    again = pytester.runpytest_inprocess(
        "--chaos", "--chaos-faults=http.timeout", "--chaos-first", "--chaos-json=r.json"
    )
    again.assert_outcomes(failed=1)
    (exploration,) = json.loads(Path("r.json").read_text())["explorations"]
    (violation,) = exploration["violations"]
    assert violation["schedule"].count(" + ") == 2
    assert exploration["drawn"] == reported_drawn(DrawnSets())


def test_one_fault_that_fails_in_two_ways_makes_no_set_fail(tmp_path: Path) -> None:
    """What one fault shows, all of it, is no news of a set; nor is it later, when it is known."""
    agent = looking(HOSTS[:2], wrong_without=1)
    result = explored(agent, tmp_path, depth=3, minutes=60, **only("http.timeout"))
    assert {len(finding.planned.injections) for finding in result.violations} == {1}
    assert result.drawn.failed == 0
    assert result.drawn.at_random > 100


def test_a_set_that_fails_counts_each_time_it_is_drawn(tmp_path: Path) -> None:
    """Also when it is known: the share that is told is of all that were drawn."""
    agent = looking(HOSTS[:2], wrong_without=2)
    result = explored(agent, tmp_path, depth=3, minutes=60, **only("http.unavailable"))
    assert [len(finding.planned.injections) for finding in result.violations] == [2]
    assert result.drawn.failed > result.drawn.at_random / 2


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--chaos-depth=4"], "bad-depth", "--chaos-depth=4 --chaos-minutes=5"),
        (["--chaos-depth=2", "--chaos-minutes=2"], "bad-minutes", "--chaos-depth=3 --chaos-minutes=2"),
        (["--chaos-depth=10", "--chaos-minutes=2"], "bad-depth", "3 to 9 with minutes: --chaos-depth=3"),
        (["--chaos-depth=3", "--chaos-minutes=soon"], "bad-minutes", "a number above 0"),
    ],
)
def test_one_of_both_options_alone(pytester: pytest.Pytester, arguments: list[str], code: str, text: str) -> None:
    """It is refused before anything runs, with what to type."""
    pytester.makepyfile(test_total=PROJECT)
    result = pytester.runpytest_inprocess("--chaos", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    output = result.stdout.str() + result.stderr.str()
    assert f"[{code}]" in output
    assert text in output


def test_a_mark_draws_and_the_command_line_says_less(pytester: pytest.Pytester) -> None:
    """A smaller depth that is typed is enough; minutes without a depth, and brute force, are errors of the test."""
    marked = PROJECT.replace("def test_total", "@pytest.mark.chaos(depth=3, minutes=60)\ndef test_total")
    pytester.makepyfile(test_total="import pytest" + marked)
    only_refused = ("--chaos", "--chaos-faults=http.refused")
    pytester.runpytest_inprocess(*only_refused, "--chaos-depth=1").assert_outcomes(passed=1)
    result = pytester.runpytest_inprocess(*only_refused, "--chaos-no-reduce")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*brute force draws no sets of faults*", "*bad-minutes*"])
    pytester.makepyfile(test_total=PROJECT)
    pytester.runpytest_inprocess(*only_refused, "--chaos-minutes=2").assert_outcomes(errors=1)


def test_the_bound_is_what_the_number_of_draws_allows() -> None:
    """In 0 of n: with the bound itself as the share, n draws find nothing once in twenty times."""
    told = in_words(reported_drawn(DrawnSets(most=3, at_random=58, led=7)))
    assert "less than 5.04% do (95 % sure)" in told  # 5.034 %, and never less than that
    assert told.startswith("58 sets of 2 to 3 faults")
    dice = Random(0)
    share = 1 - 0.05 ** (1 / 58)
    missed = sum(all(dice.random() > share for _ in range(58)) for _ in range(2000))
    assert 0.04 < missed / 2000 < 0.06
    assert "95 %" not in in_words(reported_drawn(DrawnSets(most=3)))
    assert in_words(reported_drawn(DrawnSets())) == ""
    edited = in_words(reported_drawn(DrawnSets(most=3, at_random=9, failed=2, least=1, edited=5)))
    one = "in a way that one enumerated fault does not"
    assert edited.startswith(
        f"9 sets of 1 to 3 faults drawn at random, 5 of them with edits of a model's JSON, 2 of all failed {one}"
    )


def test_the_counts_of_shards_add_up() -> None:
    """A bound of the whole follows from the sum."""
    parts = [reported_drawn(DrawnSets(3, 10, 0, 2, 1, 4)), reported_drawn(DrawnSets(4, 20, 1, 3))]
    assert together(parts) == reported_drawn(DrawnSets(4, 30, 1, 5, 1, 4))
