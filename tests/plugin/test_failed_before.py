"""With ``--lf`` and ``--ff`` an exploration begins with what failed in the last session."""

import json
import re
from typing import Any

import pytest

from .projects import when_found, write_test

WRONG = """
    def agent():
        for name in "abcd":
            (shared / name).touch()
    def again():
        {again}
    chaos.watch(shared)
    chaos.explore(run=agent, recover=again)
"""
UNDO = "[path.unlink() for path in shared.iterdir()]"
TWICE = """
    import pytest
    for letter, is_right in {rights}.items():
        write = lambda: (shared / letter).touch() or (shared / (letter * 2)).touch()
        undo = lambda: is_right and [path.unlink() for path in shared.glob(letter + "*")]
        try:
            chaos.explore(run=write, recover=undo, name={name})
        except pytest.fail.Exception:
            if letter == "b":
                raise
"""


def agent(again: str = "pass") -> str:
    """Return the body of a test whose agent makes four files, and whose recovery does this."""
    return WRONG.format(again=again)


def run(pytester: pytest.Pytester, *arguments: str) -> tuple[str, list[dict[str, Any]]]:
    """Explore with crashes only; returns what was printed and what stands in the JSON file."""
    (pytester.path / "out.json").unlink(missing_ok=True)
    words = ("--chaos", "--chaos-faults=process.kill", "--chaos-json=out.json", *arguments)
    output = pytester.runpytest_inprocess(*words).stdout.str()
    return output, json.loads((pytester.path / "out.json").read_text())["explorations"]


def failed(pytester: pytest.Pytester) -> Any:
    """Return what is kept, by the test's name."""
    file = pytester.path / ".pytest_cache" / "v" / "rollproof" / "failed"
    return json.loads(file.read_text()) if file.exists() else None


def keep(pytester: pytest.Pytester, *tokens: str) -> None:
    """Let these be what failed in the last session."""
    file = pytester.path / ".pytest_cache" / "v" / "rollproof" / "failed"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"test_it.py::test_it": {"": list(tokens)}}))


def tokens(explorations: list[dict[str, Any]]) -> list[str]:
    """Return the schedules of the first exploration's violations."""
    return [violation["schedule"] for violation in explorations[0]["violations"]]


def alone(exploration: dict[str, Any]) -> dict[str, Any]:
    """Return an exploration without how long it took, and without what compares it with the last session."""
    kept = {key: value for key, value in exploration.items() if key not in ("seconds", "spent", "compared")}
    return {**kept, "violations": [{**violation, "new": None} for violation in exploration["violations"]]}


def found_after(output: str) -> int:
    """Return after how many executions the first finding was told."""
    [count] = re.findall(r"^chaos: found after (\d+) executions", output, re.MULTILINE)
    return int(count)


DEEP = "process.kill@file.open:shared/c#1:after"


@pytest.mark.parametrize("option", ["--lf", "--ff"])
def test_what_still_fails_is_told_first(pytester: pytest.Pytester, option: str) -> None:
    """After the fault-free runs, the schedule and its confirmation; what was found is the same as without it."""
    write_test(pytester, agent())
    _, [whole] = run(pytester)
    pytester.makepyfile(test_other="def test_other(): pass")
    keep(pytester, DEEP)
    output, [again] = run(pytester, option)
    told = rf"^chaos: found after \d+ .*\n(?:  .*\n)*?  pytest .*--chaos-replay={DEEP!r}$"
    assert re.search(told, output, re.MULTILINE)
    assert found_after(output) <= 10
    assert again["executions"] >= whole["executions"]
    whole, again = alone(whole), alone(again)
    changed = ("executions", "proved", "statement", "violations")
    assert {key: again[key] for key in again if key not in changed} == {
        key: whole[key] for key in whole if key not in changed
    }
    assert again["proved"][1:] == whole["proved"][1:]  # the first line counts executions
    assert sorted(map(str, again["violations"])) == sorted(map(str, whole["violations"]))
    assert sorted(failed(pytester)["test_it.py::test_it"][""]) == sorted(tokens([whole]))


def test_a_session_that_does_not_ask_for_it_begins_as_ever(pytester: pytest.Pytester) -> None:
    """What is kept is of no consequence then."""
    write_test(pytester, agent())
    _, first = run(pytester)
    _, second = run(pytester)
    assert [*map(alone, first)] == [*map(alone, second)]


def test_with_x_one_that_still_fails_ends_it(pytester: pytest.Pytester) -> None:
    """After a handful of executions; those behind it, which were not tried, stay, and those before it do not."""
    write_test(pytester, agent())
    _, [whole] = run(pytester)
    (first,), second = tokens([whole]), DEEP
    keep(pytester, "process.kill@file.open:shared/gone#1:after", first, second)
    output, [again] = run(pytester, "--lf", "-x")
    assert found_after(output) == again["executions"] <= 10
    assert tokens([again]) == [first]
    assert again["skipped"]["first_finding"] > 1
    assert failed(pytester)["test_it.py::test_it"][""] == [first, second]


def test_what_holds_by_now_is_forgotten(pytester: pytest.Pytester) -> None:
    """Nothing is said of it, and the exploration goes on."""
    write_test(pytester, agent(UNDO))
    _, [whole] = run(pytester)
    assert failed(pytester) is None
    keep(pytester, DEEP)
    output, [again] = run(pytester, "--lf")
    assert "found after" not in output
    assert again["executions"] > whole["executions"]
    assert (again["schedules"], again["violations"], again["errors"]) == (whole["schedules"], [], [])
    assert failed(pytester) == {}


@pytest.mark.parametrize(
    "token",
    [
        "of an older version",
        "no.such_fault@file.open:shared/a#1:after",
        "storage.disk_full@file.open:shared/a#1:before",
        "process.kill@file.open:shared/gone#1:after",
        "process.kill@http.get:api.mail.test/#1:after",
    ],
)
def test_what_no_longer_fits_is_dropped(pytester: pytest.Pytester, token: str) -> None:
    """It cannot be read, is of a fault that is not there or not selected, or of a point that is gone."""
    write_test(pytester, agent(UNDO))
    keep(pytester, token)
    output, [found] = run(pytester, "--lf")
    assert "1 passed" in output
    assert (found["violations"], found["drifted"], found["errors"]) == ([], 0, [])


@pytest.mark.parametrize("kept", ["[]", '{"test_it.py::test_it": []}', '{"test_it.py::test_it": {"": [1]}}', "{"])
def test_what_somebody_else_wrote_there_is_no_error(pytester: pytest.Pytester, kept: str) -> None:
    """A cache is anybody's."""
    write_test(pytester, agent(UNDO))
    keep(pytester)
    (pytester.path / ".pytest_cache" / "v" / "rollproof" / "failed").write_text(kept)
    assert "1 passed" in run(pytester, "--lf")[0]


def test_each_exploration_has_its_own(pytester: pytest.Pytester) -> None:
    """By its name, or by which one it is; other tests' stay, and a replay changes nothing."""
    write_test(pytester, "    chaos.watch(shared)\n" + TWICE.format(rights={"a": False, "b": False}, name="letter"))
    run(pytester)
    kept = failed(pytester)["test_it.py::test_it"]
    assert kept.keys() == {"a", "b"}
    pytester.makepyfile(
        test_other="def test_other(chaos, tmp_path):\n    chaos.watch(tmp_path)\n"
        "    chaos.explore(run=lambda: (tmp_path / 'o').touch(), recover=lambda: (tmp_path / 'x').touch())"
    )
    run(pytester, "test_other.py")
    assert failed(pytester).keys() == {"test_it.py::test_it", "test_other.py::test_other"}
    write_test(pytester, "    chaos.watch(shared)\n" + TWICE.format(rights={"a": True, "b": False}, name="''"))
    run(pytester, "test_it.py", f"--chaos-replay={kept['b'][0]}")
    assert failed(pytester)["test_it.py::test_it"] == kept
    run(pytester, "test_it.py", "--lf")
    assert failed(pytester)["test_it.py::test_it"].keys() == {"a", "b", "exploration 2"}
    write_test(pytester, "    chaos.watch(shared)\n" + TWICE.format(rights={"a": True, "b": True}, name="''"))
    run(pytester, "test_it.py", "--lf")
    assert failed(pytester).keys() == {"test_other.py::test_other"}


def test_the_controller_keeps_what_workers_found(pytester: pytest.Pytester) -> None:
    """And workers begin with it."""
    write_test(pytester, agent())
    words = ("--chaos", "--chaos-faults=process.kill", "--chaos-json=out.json", "-n", "2")
    pytester.runpytest_subprocess(*words)
    whole = json.loads((pytester.path / "out.json").read_text())["explorations"]
    assert failed(pytester)["test_it.py::test_it"][""] == tokens(whole)
    keep(pytester, DEEP)
    pytester.runpytest_subprocess(*words, "--lf", "-x")
    assert failed(pytester)["test_it.py::test_it"][""] == [DEEP]


def test_nothing_is_kept_without_a_cache(pytester: pytest.Pytester) -> None:
    """Who turned pytest's cache off has none of ours either."""
    write_test(pytester, agent())
    run(pytester, "-p", "no:cacheprovider")
    assert failed(pytester) is None


def test_an_interrupted_exploration_forgets_nothing(pytester: pytest.Pytester) -> None:
    """Nobody knows what it would have found."""
    write_test(pytester, when_found("pytest.exit('now')") + agent())
    later = "process.kill@file.open:shared/gone#1:after"
    keep(pytester, DEEP, later)
    run(pytester, "--lf")
    assert failed(pytester)["test_it.py::test_it"][""] == [DEEP, later]


def test_a_budget_holds_for_what_failed_before(pytester: pytest.Pytester) -> None:
    """One that is spent at once leaves all out, and says so."""
    write_test(pytester, agent())
    keep(pytester, DEEP)
    _, [found] = run(pytester, "--lf", "--chaos-budget=0.001")
    assert found["skipped"]["budget"]
