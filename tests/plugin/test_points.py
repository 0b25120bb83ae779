"""Faults chosen by place (``--chaos-points``), and what would be tried (``--chaos-dry-run``)."""

import json
from typing import Any

import pytest

from .projects import refused, unwrapped, write_project, write_test

KILL_AND_FULL = "--chaos-faults=process.kill,storage.full"


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Explore in the project."""
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "--chaos", KILL_AND_FULL, *arguments)


def explored(pytester: pytest.Pytester, *arguments: str) -> dict[str, Any]:
    """Explore the project's one test and return what the JSON file says of it."""
    run(pytester, "--chaos-json=out.json", *arguments)
    (found,) = json.loads((pytester.path / "out.json").read_text())["explorations"]
    assert isinstance(found, dict)
    return found


def test_faults_and_crashes_are_at_these_points_alone(pytester: pytest.Pytester) -> None:
    """In the run, in recoveries and behind a first fault; and the result never says that it were everything."""
    write_project(pytester, right=False)
    found = explored(pytester, "--chaos-points=file.replace:*,http.*", "--chaos-depth=2")
    points = {cell["point"] for cell in found["cells"]}
    assert points == {"file.replace:shared/report.md#1"}
    assert {cell["fault"] for cell in found["cells"]} == {"process.kill", "storage.full"}
    said = "faults only at points that match file.replace:*, http.*: 1 of 3"
    assert f"{said}; none in the run without a fault matches http.*" in found["statement"]
    assert "exhaustive" not in found["statement"]
    assert "any number of crashes at these alone" in found["statement"]
    assert not found["closed"]
    assert any(sentence.startswith("Faults only at points") for sentence in found["not_proved"])
    assert [row["name"] for row in found["grid"]["points"]] == ["file.replace:shared/report.md#1"]
    assert found["violations"]
    assert all("file.replace" in violation["schedule"] for violation in found["violations"])


def test_a_mark_names_points_and_brute_force_keeps_to_them(pytester: pytest.Pytester) -> None:
    """With and without the number of a point, as text or a list; the command line wins."""
    write_project(pytester, mark='(points=["file.replace:*", "file.write:own/report.part"])')
    found = explored(pytester, "--chaos-no-reduce")
    assert {cell["point"].partition(":")[0] for cell in found["cells"]} == {"file.replace", "file.write"}
    assert {c["point"] for c in explored(pytester, "--chaos-points=file.open:*#1")["cells"]} == {
        "file.open:own/report.part#1"
    }


def test_points_that_are_not_there(pytester: pytest.Pytester) -> None:
    """Typed for a whole suite they leave nothing of this test, which is skipped; in its own mark they are an error.

    Both name the nearest points of the run.
    """
    write_project(pytester)
    for arguments in ([], ["--chaos-dry-run"]):
        result = run(pytester, "--chaos-points=file.replce:shared/report.md", "-rs", *arguments)
        result.assert_outcomes(skipped=1)
        told = unwrapped(result.stdout.str())
        assert "no point of this run matches 'file.replce:shared/report.md' (--chaos-points)" in told
        assert "nearest: file.replace:shared/report.md#1" in told
    write_project(pytester, mark='(points="file.replce:*")')
    refused(run(pytester), "unknown-point", "nearest: file.replace:shared/report.md#1")
    write_project(pytester, mark="(points=3)")
    refused(run(pytester), "bad-points", "3 names no points (@pytest.mark.chaos(points=…))")


TWO = """
    def work():
        (shared / "a.txt").write_text("a")
    chaos.watch(shared)
    found = chaos.explore(run=work, recover=lambda: None, name="first")
    assert (shared / "a.txt").read_text() == "a"
    (shared / "a.txt").unlink()
    chaos.explore(run=work, recover=lambda: (shared / "never").touch())
"""


def test_a_dry_run_counts_and_explores_nothing(pytester: pytest.Pytester) -> None:
    """A line for each point, the counts of each test and of all; the outside is as a fault-free run leaves it."""
    write_test(pytester, TWO)
    pytester.makeini("[pytest]\nchaos_json = out.json")
    result = run(pytester, "--chaos-dry-run", "-n1")
    assert result.ret == pytest.ExitCode.OK
    told = unwrapped(result.stdout.str())
    assert "test_it.py::test_it [first] 2 points; 8 schedules of one fault, 36 with a second at depth 2" in told
    assert "test_it.py::test_it [exploration 2] 2 points; 8 schedules of one fault" in told
    assert "in all: 16 schedules of one fault, 72 with a second at depth 2 (upper bound" in told
    assert "4 file.open:shared/a.txt#1 process.kill×2, storage.full×2" in told
    assert "Nothing was explored." in told
    assert not (pytester.path / "out.json").exists()


def test_a_dry_run_counts_what_an_exploration_tries(pytester: pytest.Pytester) -> None:
    """Where no recovery adds a crash, they are the same number, also of a selection and of a shard."""
    write_test(pytester, "chaos.watch(shared)\nchaos.explore(run=lambda: write(shared))")
    for arguments in (["--chaos-faults=storage.*"], ["--chaos-faults=storage.*", "--chaos-shard=1/2"]):
        count = explored(pytester, *arguments)["schedules"]
        told = unwrapped(run(pytester, "--chaos-dry-run", "-q", *arguments).stdout.str())
        assert f"; {count} schedules of one fault" in told
        assert "file.write" not in told


@pytest.mark.parametrize("other", ["--chaos-json=x.json", "--chaos-html=x.html", "--chaos-replay=a.b@file.open:x#1"])
def test_a_dry_run_has_no_result(pytester: pytest.Pytester, other: str) -> None:
    """What would be made of one is refused."""
    write_project(pytester)
    refused(run(pytester, "--chaos-dry-run", other), "bad-dry-run", other.partition("=")[0])


def test_a_dry_run_of_a_pinned_test(pytester: pytest.Pytester) -> None:
    """It has one schedule."""
    token = "process.kill@file.replace:shared/report.md#1:before"
    write_project(pytester, mark=f'(replay="{token}")')
    told = unwrapped(run(pytester, "--chaos-dry-run").stdout.str())
    assert "3 points; 1 schedule of one fault" in told
    assert f"pinned: {token}" in told
