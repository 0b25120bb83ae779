"""From run to run: what is new, known, resolved and fixed, and what nobody looked at."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from rollproof.__main__ import main

from .projects import refused, unwrapped

AGENT = """
def publish(shared):
    (shared / "page.html").touch()
    (shared / "index.html").touch()

def undo(shared):
    for file in shared.glob("*.html"):
        file.unlink()
"""
TEST = """
from agent import publish, undo

def test_it(chaos, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    def run():
        publish(shared)
        {further}
    chaos.watch(shared)
    chaos.explore(run=run, recover=lambda: {recover})
    assert (shared / "index.html").exists()
"""
CONFTEST = """
import json

def pytest_chaos_writers(config):
    return [lambda report: (config.rootpath / "out.json").write_text(json.dumps(report))]
"""
YESTERDAY = date.today() - timedelta(days=1)
Exploration = dict[str, Any]


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return a project whose agent publishes a page and its index, and whose recovery does nothing."""
    pytester.makepyfile(agent=AGENT)
    pytester.makeconftest(CONFTEST)
    pytester.makeini("[pytest]\nchaos = true\n")
    write(pytester)
    return pytester


def write(project: pytest.Pytester, *, recover: str = "None", further: str = "pass") -> None:
    """Write the test, with a recovery and with what the agent does last."""
    project.makepyfile(test_it=TEST.format(recover=recover, further=further))


def run(project: pytest.Pytester, *arguments: str, faults: str = "process.kill") -> tuple[str, Exploration]:
    """Explore; returns what was printed, and the exploration in version 2 of the result."""
    output = project.runpytest_inprocess(f"--chaos-faults={faults}", *arguments).stdout.str()
    return output, result(project)


def result(project: pytest.Pytester) -> Exploration:
    """Return the only exploration of the last session."""
    (exploration,) = json.loads((project.path / "out.json").read_text())["explorations"]
    assert isinstance(exploration, dict)
    return exploration


def told(exploration: Exploration) -> list[tuple[Any, ...]]:
    """Return what is said of each violation."""
    return [(one["new"], one["known"], one["reason"]) for one in exploration["violations"]]


def known_file(project: pytest.Pytester, id: str, until: date) -> None:
    """Write a file in which one finding is known until a day."""
    text = f'[[known]]\nid = "{id}"\nreason = "ticket 12"\nuntil = {until}\ntest = "test_it.py::test_it"\n'
    (project.path / "chaos-known.toml").write_text(text)


def test_a_finding_from_its_first_run_to_its_last(project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    """Found, found again when the day is over until which it was known, known, mended, and pruned."""
    output, first = run(project)
    assert "1 failed" in output
    assert "compared with no earlier run" in output
    assert (told(first), first["compared"]) == ([(None, False, "")], "")
    (id,) = [violation["id"] for violation in first["violations"]]

    known_file(project, id, YESTERDAY)
    output, again = run(project)
    assert "1 failed" in output
    assert (told(again), again["compared"]) == ([(False, False, "ticket 12")], "the last run here")
    assert f"known until {YESTERDAY}, which is over: " in output
    assert again["executions"] == first["executions"], "nothing is resolved: nothing is carried out once more"

    (project.path / "chaos-known.toml").unlink()
    assert main(["known", "add", id, "--reason", "see ticket 12"]) == 0
    output, accepted = run(project)
    assert "1 passed" in output, "and the outside is as a fault-free run leaves it"
    assert (told(accepted), accepted["known"]) == ([(False, True, "see ticket 12")], [id])
    assert f"({id}, see ticket 12)" in output
    assert "found after" not in output

    write(project, recover="undo(shared)")
    project.makeini("[pytest]\nchaos = true\nchaos_faults = process.kill\n")
    output = project.runpytest_inprocess().stdout.str()
    mended = result(project)
    assert "1 passed" in output
    assert (mended["violations"], mended["resolved"], mended["unresolved"]) == ([], [id], {})
    (fixed,) = mended["fixed"]
    assert (fixed["schedule"], fixed["replayed"]) == (first["violations"][0]["schedule"], True)
    assert f"fixed: {fixed['title']} ({id})" in output
    assert f"known and not found any more: {fixed['title']} ({id}): rollproof known prune" in output
    assert "compared with the last run here: 0 new, 1 resolved, 0 known" in output

    capsys.readouterr()
    assert main(["known", "prune"]) == 0
    assert f"removed: {id}  see ticket 12" in capsys.readouterr().out
    assert (project.path / "chaos-known.toml").read_text() == ""


def test_a_run_is_compared_with_a_result(project: pytest.Pytester) -> None:
    """What is known hides nothing new, what still fails is not resolved, nor is what a selection leaves out."""
    _, first = run(project)
    (violation,) = first["violations"]
    id, gone, same = violation["id"], "0" * 12, "1" * 12
    known_file(project, id, date.today())
    token = "process.kill@file.open:shared/a#1:after"
    first["violations"].append({**violation, "id": gone, "title": "gone", "schedule": token})
    first["violations"].append({**violation, "id": same})
    base = json.dumps({"version": 2, "seed": 0, "explorations": [first]})
    (project.path / "base.json").write_text(base)
    words = ("--chaos-baseline=base.json", "-p", "no:cacheprovider")

    write(project, further='(shared / "report.lock").touch() or (shared / "report.lock").unlink()')
    output, both = run(project, *words)
    assert "1 failed" in output
    assert sorted(told(both)) == [(False, True, "ticket 12"), (True, False, "")]
    assert (both["resolved"], [one["replayed"] for one in both["fixed"]]) == ([gone], [False])
    assert both["unresolved"] == {same: "its schedule still fails, as another finding"}
    printed = unwrapped(output)
    assert f"({id}, ticket 12, until {date.today()})" in printed
    assert f"not reached any more: gone ({gone})" in printed
    assert f"not resolved: {same}: its schedule still fails, as another finding" in printed
    assert f"compared with base.json (written {date.today()}): 1 new, 1 resolved, 1 known" in printed

    _, until_one_fails = run(project, *words, "-x")
    assert (True, False, "") in told(until_one_fails), "a known one does not end it"

    write(project, recover="undo(shared)")
    output, other = run(project, *words, faults="storage.full")
    assert (other["resolved"], other["unresolved"][id]) == ([], "not looked at, process.kill is not selected")
    assert f"{same}: not looked at, process.kill is not selected" in unwrapped(output)
    shards = {part: run(project, *words, f"--chaos-shard={part}/2")[1] for part in (1, 2)}
    assert sorted(shards[1]["resolved"] + shards[2]["resolved"]) == sorted([id, gone, same])
    for part, shard in shards.items():
        left = {id, gone, same}.difference(shard["resolved"])
        assert shard["unresolved"] == dict.fromkeys(left, f"not looked at, this is shard {part} of 2")


def test_workers_know_what_is_known(project: pytest.Pytester) -> None:
    """And what the last session found; the controller keeps it."""
    words = ("--chaos-faults=process.kill", "-n", "2")
    project.runpytest_subprocess(*words).assert_outcomes(failed=1)
    (id,) = [violation["id"] for violation in result(project)["violations"]]
    known_file(project, id, date.today())
    again = project.runpytest_subprocess(*words)
    again.assert_outcomes(passed=1)
    assert told(result(project)) == [(False, True, "ticket 12")]
    assert "compared with the last run here: 0 new, 0 resolved, 1 known" in again.stdout.str()


def test_a_wrong_file_is_one_message(project: pytest.Pytester) -> None:
    """Before anything runs."""
    (project.path / "chaos-known.toml").write_text('[[known]]\nid = "3f2a"\nuntil = 2027-01-31\n')
    refused(project.runpytest_inprocess(), "bad-known", "entry 1 of", "has no reason")
    (project.path / "chaos-known.toml").unlink()
    (project.path / "base.json").write_text('{"version": 1, "explorations": []}')
    old = project.runpytest_inprocess("--chaos-baseline=base.json")
    refused(old, "bad-baseline", "base.json (written", "is version 1 of the JSON result, in which", "--chaos-json=FILE")
    missing = project.runpytest_inprocess("--chaos-baseline=none.json")
    refused(missing, "bad-baseline", "there is no file 'none.json' that can be read (--chaos-baseline)")
