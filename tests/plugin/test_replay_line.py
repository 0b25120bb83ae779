"""The printed replay line is pasted where pytest was started, and breaks there what it broke before."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ..exploring import options
from .projects import when_found
from .test_standing_back import install

TEST = """
import os
import pytest

def publish(folder):
    (folder / "report.part").write_text("text")
    os.replace(folder / "report.part", folder / "report.md")

def explore(chaos, tmp_path):
    chaos.watch(tmp_path)
    chaos.explore(run=lambda: publish(tmp_path), recover=lambda: None)

@pytest.mark.parametrize("way", ["a", "it's b", "[a/b::c]", "$HOME `x` é"])
def test_ways({fixture}, tmp_path, way):
    explore({fixture}, tmp_path)

class TestReport:
    def test_it({{self}}, {fixture}, tmp_path):
        explore({fixture}, tmp_path)
""".replace("{{self}}", "self")
PYTEST = [sys.executable, "-P", "-m", "pytest"]
LOADED = ["-p", "rollproof.plugin"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide a project in which plugins are loaded only where they are named: that is faster."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return tmp_path


def project(folder: Path, name: str = "test_it.py", fixture: str = "chaos") -> Path:
    """Write tests of an agent that is wrong, below the folder."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(TEST.format(fixture=fixture))
    return file


def run(words: list[str], started: Path) -> str:
    """Run a command in a folder, and return what it prints."""
    return subprocess.run(words, cwd=started, capture_output=True, text=True).stdout


def pasted(line: str, started: Path) -> str:
    """Run a printed command in a folder, and return what it prints."""
    words = shlex.split(line)
    assert words[0] == "pytest"
    return run([*PYTEST, *words[1:]], started)


def broken(output: str) -> list[list[str]]:
    """Return what each told finding breaks."""
    findings = re.split(r"^  replay   .+$", output, flags=re.MULTILINE)[:-1]
    return [re.findall(r"^  wrong    (.+) broken$", finding, re.MULTILINE) for finding in findings]


def lines(output: str) -> list[str]:
    """Return the printed commands that stand in the findings."""
    return re.findall(r"^  replay   (.+)$", output, re.MULTILINE)


def check(started: Path, *words: str) -> str:
    """Explore in a folder, paste the first printed line there, and see the same broken; returns the line."""
    loaded = [] if "--rollproof" in words else [*LOADED, "--chaos"]
    explored = run([*PYTEST, *loaded, "--rollproof-faults=process.kill", *words], started)
    assert lines(explored), explored
    line = lines(explored)[0]
    replayed = pasted(line, started)
    assert broken(replayed) == broken(explored)[:1], f"{line}\n{replayed}"
    assert lines(replayed) == [line]
    return line


def test_from_below_the_root(folder: Path) -> None:
    """The root has the ini file, and pytest was started in a folder below it."""
    project(folder, "sub/test_it.py")
    (folder / "pytest.ini").write_text("[pytest]\n")
    line = check(folder / "sub", "test_it.py", "-k", "TestReport")
    assert line.startswith("pytest --chaos test_it.py::TestReport::test_it --chaos-replay='process.kill@")
    assert line.endswith(" -p rollproof.plugin")


def test_from_beside_the_test(folder: Path) -> None:
    """The test is in a folder that is not below the one where pytest was started."""
    project(folder, "other/test_it.py")
    (folder / "here").mkdir()
    assert "../other/test_it.py::TestReport::test_it" in check(folder / "here", "../other", "-k", "TestReport")


def test_with_a_root_and_an_ini_file_that_were_typed(folder: Path) -> None:
    """What was typed to find them is needed again; a path from the root of the machine is told as seen from here."""
    project(folder, "sub/check_it.py")
    (folder / "other.ini").write_text("[pytest]\npython_files = check_*.py\n")
    (folder / "root").mkdir()
    typed = ["-c", str(folder / "other.ini"), "--rootdir", str(folder / "root"), "-k", "TestReport"]
    line = check(folder / "sub", *typed, ".")
    assert "pytest --chaos check_it.py::TestReport::test_it " in line
    assert line.endswith(" -p rollproof.plugin --config-file=../other.ini --rootdir=../root")


def test_with_an_ini_file_that_only_the_whole_project_has(folder: Path) -> None:
    """Pytest, given one file below another ini file, would take that one."""
    project(folder, "sub/check_it.py")
    (folder / "pytest.ini").write_text("[pytest]\npython_files = check_*.py\n")
    (folder / "sub" / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    line = check(folder, "-k", "TestReport", "--override-ini=addopts=-q")
    assert line.endswith(" --override-ini=addopts=-q --config-file=pytest.ini --rootdir=.")


@pytest.mark.parametrize("ini", ["[pytest]\naddopts = --no-such-option\n", "[pytest"])
def test_without_an_ini_file_where_one_test_alone_has_one(folder: Path, ini: str) -> None:
    """Also where that one cannot be read: this session did not meet it."""
    project(folder, "sub/test_it.py")
    project(folder, "other/test_it.py").write_text("")
    (folder / "sub" / "pytest.ini").write_text(ini)
    line = check(folder, "-k", "TestReport", "--import-mode=importlib")
    assert line.endswith(" --import-mode=importlib --config-file=/dev/null --rootdir=.")


def test_with_options_of_a_conftest(folder: Path) -> None:
    """They make the session what it is; what only shows, chooses or distributes is left out."""
    project(folder)
    (folder / "conftest.py").write_text(
        "import pytest\n"
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--stage', required=True, choices=['a b'])\n"
        "    parser.addoption('--fast', action='store_true')\n"
    )
    (folder / "arguments").write_text("--stage=a b\n-vqs\n--fast\n--tb=short\n-k\nTestReport\n")
    line = check(folder, "@arguments", "--maxfail=3", "--chaos-depth=1")
    assert line.endswith(" -p rollproof.plugin '--stage=a b' --fast")


def test_with_a_selection_that_takes_back_that_of_the_ini_file(folder: Path) -> None:
    """Without it the ini file would deselect the test."""
    project(folder)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -k nothing\n")
    assert check(folder, "-kTestReport").endswith(" -p rollproof.plugin -kTestReport")


@pytest.mark.parametrize("number", range(4))
def test_ids_of_parameters_are_quoted(folder: Path, number: int) -> None:
    """Spaces, quotes, brackets, slashes, colons, and what a shell would replace."""
    project(folder)
    ids = re.findall(r"^(test_it.py::test_ways.*)$", run([*PYTEST, *LOADED, "--co", "-q"], folder), re.MULTILINE)
    assert len(ids) == 4
    assert f"--chaos {shlex.quote(ids[number])} --chaos-replay" in check(folder, ids[number])


def test_in_workers(folder: Path) -> None:
    """A worker was started where its controller was; a group that xdist writes behind an id is no part of it."""
    file = project(folder, "sub/test_it.py")
    grouped = file.read_text().replace("    def test_it", "    @pytest.mark.xdist_group('g')\n    def test_it")
    file.write_text(grouped)
    (folder / "pytest.ini").write_text("[pytest]\n")
    workers = ["-p", "xdist", "-n1", "--dist=loadgroup"]
    line = check(folder / "sub", *workers, "--chaos-seed=3", "-k", "TestReport")
    assert "--chaos test_it.py::TestReport::test_it --chaos-replay=" in line
    assert line.endswith(" --chaos-seed=3 -p rollproof.plugin -p xdist")


def test_beside_another_plugin_that_has_our_options(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The long names are printed for those that are taken, and only for those."""
    install(pytester, monkeypatch, "other_chaos")
    file = project(pytester.path, fixture="rollproof")
    line = check(pytester.path, "--rollproof", "--rollproof-seed=3", "-k", "TestReport", str(file))
    assert line.startswith("pytest --rollproof test_it.py::TestReport::test_it --chaos-replay=")
    assert line.endswith(" --rollproof-seed=3")


def test_everything_that_prints_the_command_prints_this_one(folder: Path) -> None:
    """The finding that is told early, the properties of the report, Allure's results."""
    project(folder, "sub/test_it.py")
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "sub" / "conftest.py").write_text(
        "def pytest_runtest_logreport(report):\n"
        "    for name, value in report.user_properties:\n"
        "        print(name, value, file=open('properties', 'w'))\n"
    )
    allure = ["-p", "allure_pytest.plugin", "--alluredir=allure"]
    typed = [*LOADED, *allure, "--chaos", "--chaos-faults=process.kill", "-k", "TestReport"]
    output = run([*PYTEST, *typed], folder / "sub")
    [line] = lines(output)
    [early] = re.findall(r"^chaos: found after .*\n(?:  .+\n)*?  (pytest .+)$", output, re.MULTILINE)
    assert re.sub("'.*'", "…", early) == re.sub("'.*'", "…", line)
    assert (folder / "sub" / "properties").read_text() == f"chaos.replay {line}\n"
    results = "".join(file.read_text() for file in (folder / "sub" / "allure").glob("*-result.json"))
    assert f'"trace": "{line}"' in results


@pytest.mark.parametrize("how", ["os.kill(os.getpid(), 2)", "pytest.exit('now')", "os.sched_yield() or None[0]"])
def test_an_interrupted_exploration_prints_it_too(folder: Path, how: str) -> None:
    """No failure of the test tells it: the session was interrupted, or the test by something else."""
    file = project(folder, "sub/test_it.py")
    (folder / "pytest.ini").write_text("[pytest]\n")
    interrupting = when_found(how) + "    chaos.watch"
    file.write_text(f"{file.read_text()}".replace("    chaos.watch", interrupting))
    typed = [*LOADED, "--chaos", "--chaos-faults=process.kill", "-k", "TestReport"]
    output = run([*PYTEST, *typed], folder / "sub")
    [line] = re.findall(r"^    (pytest .+)$", output, re.MULTILINE)
    file.write_text(file.read_text().replace(interrupting, "    chaos.watch"))
    assert broken(pasted(line, folder / "sub"))


def test_without_a_session_the_id_is_printed_as_it_is() -> None:
    """Who makes a `Chaos` by hand has no root and no folder."""
    from rollproof.chaos import Chaos

    replay = Chaos(options(seed=2), "test_it.py::test_it").replay
    assert replay.of("a b") == "pytest --chaos test_it.py::test_it --chaos-replay='a b' --chaos-seed=2"
