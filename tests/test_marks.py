"""What the suite says of itself: its marks by folder, and its marks of rare paths."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from . import conftest, rare

ROOT = Path(__file__).parent.parent
TOLD = """
import os, signal
from rollproof.values.rare import rare
for name in ("once", "once"):
    rare(name)
if os.fork() == 0:
    rare("once")
    rare("in a fork")
    os.kill(os.getpid(), signal.SIGKILL)
os.wait()
os.closerange(3, 1000)
other = os.open("other", os.O_CREAT | os.O_RDWR)
for number in range(600, 1000):
    os.dup2(other, number)
rare("into somebody else's file")
"""


def test_each_folder_of_tests_has_a_mark_that_is_registered(request: pytest.FixtureRequest) -> None:
    """Those that the table does not name explore."""
    registered = {line.partition(":")[0] for line in request.config.getini("markers")}
    assert {*conftest.MARKS.values(), "explores"} <= registered
    assert all((ROOT / "tests" / name).exists() for name in conftest.MARKS)
    assert request.node.get_closest_marker("pure") is not None


def test_each_mark_of_a_rare_path_has_a_name_of_its_own() -> None:
    """One that stood at two places would say of neither that it was reached."""
    names = Counter(name for name, _ in rare.marks())
    assert len(names) >= 25
    assert [name for name, count in names.items() if count > 1] == []


def test_a_mark_is_told_once_whatever_ends_the_process(tmp_path: Path) -> None:
    """By a fork that is killed too; an agent that has another file under the number of ours keeps it as it is."""
    told = tmp_path / "reached"
    environment = {**os.environ, "ROLLPROOF_RARE": str(told)}
    subprocess.run([sys.executable, "-c", TOLD], cwd=tmp_path, env=environment, check=True)
    assert told.read_text().splitlines() == ["once", "in a fork"]
    assert (tmp_path / "other").read_bytes() == b""


def test_without_the_variable_nothing_is_told(tmp_path: Path) -> None:
    """A user's session writes nothing."""
    environment = {name: value for name, value in os.environ.items() if name != "ROLLPROOF_RARE"}
    subprocess.run([sys.executable, "-c", TOLD], cwd=tmp_path, env=environment, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_what_was_never_reached_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And fails the suite."""
    first, *others = rare.marks()
    (tmp_path / "reached").write_text("".join(f"{name}\n" for name, _ in others))
    assert rare.main(tmp_path / "reached") == 1
    assert capsys.readouterr().err == f"never reached: {first[0]} ({first[1]})\n"
    with open(tmp_path / "reached", "a") as file:
        file.write(f"{first[0]}\n")
    assert rare.main(tmp_path / "reached") == 0
