"""The JSON result: what cannot be written is told in one line, and the session ends as its tests did."""

import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from rollproof.reports import json_file
from rollproof.testing import sample_report

from .projects import refused, write_project


def run(pytester: pytest.Pytester, path: str, *arguments: str) -> pytest.RunResult:
    """Explore the project with this file for its result."""
    begin = pytester.runpytest_subprocess if arguments else pytester.runpytest_inprocess
    return begin("--chaos", "-p", "no:cacheprovider", f"--chaos-json={path}", *arguments)


def check_told(result: pytest.RunResult, path: str, why: str) -> None:
    """Check that one line says what could not be written, and where."""
    output = result.stdout.str() + result.stderr.str()
    assert output.count(f"chaos: the result could not be written to {path}: {why} (--chaos-json)") == 1, output
    assert "Traceback" not in output
    assert "INTERNALERROR" not in output


@pytest.mark.parametrize(
    ("right", "arguments"),
    [(True, ()), (False, ()), (False, ("-n1",)), (False, ("-p", "no:terminal"))],
    ids=["right", "wrong", "xdist", "no terminal"],
)
def test_a_full_disk(pytester: pytest.Pytester, right: bool, arguments: tuple[str, ...]) -> None:
    """The exit code is that of the tests."""
    write_project(pytester, right=right)
    result = run(pytester, "/dev/full", *arguments)
    assert result.ret == (pytest.ExitCode.OK if right else pytest.ExitCode.TESTS_FAILED)
    check_told(result, "/dev/full", "No space left on device")


def test_a_folder_that_disappears(pytester: pytest.Pytester) -> None:
    """It could be written when the session began; the folder is made where it can be, and here it cannot."""
    after = "import os\nos.rmdir('results')\nopen('results', 'w').close()"
    write_project(pytester, after=after)
    (pytester.path / "results").mkdir()
    result = run(pytester, "results/chaos.json")
    result.assert_outcomes(passed=1)
    check_told(result, "results/chaos.json", "File exists")


@pytest.mark.parametrize(
    "name", ["a" * 256, "é" * 128, "a/" * 2100 + "chaos.json", "deep/" + "a" * 256 + "/chaos.json"]
)
def test_a_path_that_is_too_long(pytester: pytest.Pytester, name: str) -> None:
    """It is known before anything runs."""
    write_project(pytester)
    result = run(pytester, name)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert len(refused(result, "bad-file", "cannot be written (--chaos-json)")) < 1000


@pytest.mark.parametrize("name", ["a" * 255, "é" * 127])
def test_the_longest_name(tmp_path: Path, name: str) -> None:
    """It is written, and nothing else is left beside it."""
    json_file.write(str(tmp_path / "made" / name), sample_report())
    assert os.listdir(tmp_path / "made") == [name]
    assert json.loads((tmp_path / "made" / name).read_text())["seed"] == 7


@pytest.fixture
def _small_files() -> Iterator[None]:
    """No file of this process may have more than ten bytes: what a full disk leaves of a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("_small_files")
def test_what_was_there_before_stays(tmp_path: Path) -> None:
    """Where there is no room for a new result the old one is whole, and no half of the new one is left."""
    (tmp_path / "chaos.json").write_text("before")
    with pytest.raises(OSError, match="File too large"):
        json_file.write(str(tmp_path / "chaos.json"), sample_report())
    assert os.listdir(tmp_path) == ["chaos.json"]
    assert (tmp_path / "chaos.json").read_text() == "before"
