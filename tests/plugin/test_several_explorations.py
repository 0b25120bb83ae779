"""Several explorations of one test are told apart wherever something is said of one."""

import json
import re

import pytest

from .projects import write_test

THREE = """
    def explore(letter, **named):
        try:
            chaos.explore(run=lambda: (shared / letter).write_text("text"), recover=lambda: None, **named)
        except pytest.fail.Exception as failure:
            print(f"<{str(failure).splitlines()[0]}>")
    chaos.watch(shared)
"""


def run(pytester: pytest.Pytester, body: str, *arguments: str) -> str:
    """Explore with crashes only, and return what was printed."""
    write_test(pytester, THREE + body)
    words = ("--chaos", "--chaos-faults=process.kill", "--chaos-json=out.json", "-rP", *arguments)
    return pytester.runpytest_inprocess(*words).stdout.str()


def test_those_without_a_name_are_numbered(pytester: pytest.Pytester) -> None:
    """In the failure text, where the first finding is told, and in the summary; the first one is the test itself."""
    output = run(pytester, "    for letter in 'abc':\n        explore(letter)")
    assert re.findall(r"^<(.*?) +critical>$", output, re.MULTILINE) == [
        "shared/a stays empty",
        "[exploration 2] shared/b stays empty",
        "[exploration 3] shared/c stays empty",
    ]
    assert re.findall(r"^chaos: (.*)found after", output, re.MULTILINE) == [
        "",
        "[exploration 2] ",
        "[exploration 3] ",
    ]
    assert re.findall(r"^(test_it.*) \([\d.]+ s\)$", output, re.MULTILINE) == [
        "test_it.py::test_it",
        "test_it.py::test_it [exploration 2]",
        "test_it.py::test_it [exploration 3]",
    ]


def test_a_name_that_comes_twice_is_numbered_too(pytester: pytest.Pytester) -> None:
    """Which of the test's explorations it is stands behind it; JSON has that where the name alone does not say it."""
    output = run(
        pytester,
        "    for letter, name in ('a', 'x'), ('b', 'x'), ('c', 'y'), ('d', ''):\n        explore(letter, name=name)",
    )
    labels = ["x", "x, exploration 2", "y", "exploration 4"]
    assert re.findall(r"^test_it.* \[(.*)\] \([\d.]+ s\)$", output, re.MULTILINE) == labels
    found = json.loads((pytester.path / "out.json").read_text())["explorations"]
    assert [(e.get("name"), e.get("label")) for e in found] == [
        ("x", None),
        ("x", "x, exploration 2"),
        ("y", None),
        (None, "exploration 4"),
    ]


def test_each_is_a_test_of_its_own_in_allure(pytester: pytest.Pytester) -> None:
    """Two results with one identity would be two runs of one test."""
    run(pytester, "    for letter in 'ab':\n        explore(letter)", "--alluredir=allure")
    results = [json.loads(file.read_text()) for file in (pytester.path / "allure").glob("*-result.json")]
    whole = [result for result in results if result["name"] == "What green means here"]
    assert len({result["historyId"] for result in whole}) == len(whole) == 2
    assert sorted(result["titlePath"][-1] for result in whole) == ["test_it", "test_it [exploration 2]"]
