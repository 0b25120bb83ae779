"""Every command and example of the README does what it says."""

import re
from pathlib import Path

import pytest

from .plugin.projects import unwrapped

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def block(language: str, holding: str) -> str:
    """Return the one block of a language that contains a text."""
    found = [text for kind, text in BLOCKS if kind == language and holding in text]
    assert len(found) == 1, holding
    return found[0]


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return a project with the README's agent and test."""
    pytester.makepyfile(myagent=block("python", "# myagent.py"), test_myagent=block("python", "# test_myagent.py"))
    return pytester


def test_the_first_test_is_an_ordinary_one_without_chaos(project: pytest.Pytester) -> None:
    """It passes: the bug shows only under a fault."""
    project.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_command_prints_what_the_readme_shows(project: pytest.Pytester) -> None:
    """The shown finding is the first one, line by line."""
    arguments = block("sh", "pytest --chaos").split()[1:]
    result = project.runpytest_subprocess(*arguments)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([re.sub(r"[\[\]]", "?", line) for line in block("text", "to blame").splitlines()])


def test_the_cure_is_one(project: pytest.Pytester) -> None:
    """With the README's cure the exploration ends with the statement that the README shows."""
    cure = block("python", "# the cure").partition("\n")[2]
    agent = project.path / "myagent.py"
    sick = '            return httpx.post("https://api.mail.test/mails", json=message).raise_for_status()\n'
    assert sick in agent.read_text()
    agent.write_text(agent.read_text().replace(sick, cure))
    result = project.runpytest_subprocess("--chaos")
    result.assert_outcomes(passed=1)
    said = re.escape(block("text", "0 violations").strip()).replace("…", ".*")
    assert re.search(said, unwrapped(result.stdout.str()))


def test_a_script_runs_in_both_ways(pytester: pytest.Pytester) -> None:
    """In the test's process and in one of its own, as docs/scripts.md shows it; the README has the second one."""
    docs = (ROOT / "docs" / "scripts.md").read_text(encoding="utf-8")
    blocks = {text.split()[1]: text for text in re.findall(r"```python\n(.*?)```", docs, re.DOTALL)}
    assert block("python", "# test_script.py") == blocks["test_script.py"]
    pytester.makepyfile(**{name.removesuffix(".py"): text for name, text in blocks.items()})
    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_the_make_targets_exist_and_ci_runs_the_two_commands() -> None:
    """`make chaos` and `make test` are what CI runs, on a clean checkout."""
    makefile, ci = (ROOT / "Makefile").read_text(), (ROOT / ".ci" / "run").read_text()
    for target in re.findall(r"make (\w+)", README):
        assert target == "nothing" or re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert "make test" in ci
    assert "make chaos" in ci


def test_the_runtime_as_shown_keeps_its_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both steps are done, in order, and nothing is undone."""
    monkeypatch.chdir(tmp_path)
    done: list[str] = []
    steps = {name: lambda run, name=name: done.append(name) for name in ("reserve", "release", "pay")}
    exec(block("python", "from rollproof.runtime"), {"Path": Path, **steps})
    assert done == ["reserve", "pay"]
    assert (tmp_path / "agent.db").exists()


def test_every_option_of_the_table_is_there(pytester: pytest.Pytester) -> None:
    """The options that the README lists are options of pytest."""
    shown = pytester.runpytest_subprocess("--help").stdout.str()
    options = re.findall(r"^\| `(--[\w-]+)", README, re.MULTILINE)
    assert len(options) > 5
    assert [option for option in options if option not in shown] == []
