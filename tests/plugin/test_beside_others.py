"""Beside real plugins that others wrote: those that claim ``--chaos`` too, and those that everybody has.

`make test` puts each into a folder of its own below the environment, from where only these tests load them.
"""

import os
import sys
from pathlib import Path

import pytest

BESIDE = Path(sys.prefix) / "beside"
RIVALS = ("ordeal", "agentic-chaos")
TESTS = """
import pytest

@pytest.mark.rollproof(faults="process.kill")
def test_of_ours(rollproof, tmp_path):
    (tmp_path / "shared").mkdir()
    rollproof.watch(tmp_path / "shared")
    found = rollproof.explore(run=lambda: (tmp_path / "shared" / "a").touch())
    print(f"executions: {found.executions}")
"""
ASYNC = """
import asyncio

import pytest

@pytest.mark.MARK
async def test_of_ours(rollproof, tmp_path):
    async def write():
        await asyncio.sleep(1)
        (tmp_path / "shared" / "a").touch()

    (tmp_path / "shared").mkdir()
    rollproof.watch(tmp_path / "shared")
    rollproof.explore(run=write)
    await asyncio.sleep(0)

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
COMPANIONS = {
    "in any order, timeout by signal": ("--timeout=60",),
    "a fixed order, timeout by thread": ("-p", "no:randomly", "--timeout=60", "--timeout-method=thread"),
    "without others": ("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:anyio", "-p", "no:allure_pytest"),
    "without hypothesis and respx": ("-p", "no:hypothesispytest", "-p", "no:respx", "-p", "no:faker"),
}


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> "Beside":
    """Let the pytest that a test starts see plugins."""
    return Beside(monkeypatch)


class Beside:
    """Adds installed plugins to what a started Python finds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, *names: str) -> None:
        """Show these, in this order."""
        folders = [BESIDE / name for name in names]
        if not all(folder.is_dir() for folder in folders):
            pytest.skip(f"{', '.join(names)} not installed: make test does that")
        self._monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, folders)))
        self._monkeypatch.setenv("COVERAGE_FILE", "coverage-data")


def assert_explored(result: pytest.RunResult) -> None:
    """Check that one test passed, and that it explored."""
    result.assert_outcomes(passed=1)
    assert "1 point," in result.stdout.str().partition("= chaos =")[2], result.stdout.str()


@pytest.mark.parametrize("rival", RIVALS)
def test_beside_one_that_claims_our_names(pytester: pytest.Pytester, beside: Beside, rival: str) -> None:
    """Pytest starts with it as it does without us; ``--rollproof`` explores, and one line says who has ``--chaos``."""
    beside(rival)
    pytester.makepyfile(test_it=TESTS)
    result = pytester.runpytest_subprocess("--rollproof")
    assert_explored(result)
    assert result.stdout.str().count("of another plugin") == 1


def test_two_that_claim_one_name_cannot_start(pytester: pytest.Pytester, beside: Beside) -> None:
    """Pytest refuses the second of them with or without us; with either of them off, all is well."""
    beside(*RIVALS)
    pytester.makepyfile(test_it=TESTS)
    both = pytester.runpytest_subprocess("-p", "no:rollproof")
    assert both.ret != 0
    assert "option dest 'chaos' already used" in both.stderr.str() + both.stdout.str()
    assert_explored(pytester.runpytest_subprocess("--rollproof", "-p", "no:ordeal"))


@pytest.mark.parametrize("way", COMPANIONS)
def test_beside_what_everybody_has(pytester: pytest.Pytester, beside: Beside, way: str) -> None:
    """In any order, under a timeout, and without plugins that came with us."""
    beside("companions")
    pytester.makepyfile(test_it=TESTS)
    assert_explored(pytester.runpytest_subprocess("--rollproof", *COMPANIONS[way]))


@pytest.mark.parametrize("mark", ["asyncio", "anyio"])
def test_a_test_that_is_a_coroutine(pytester: pytest.Pytester, beside: Beside, mark: str) -> None:
    """The fixture explores from within the loop of pytest-asyncio and of anyio's plugin."""
    beside("companions")
    pytester.makepyfile(test_it=ASYNC.replace("MARK", mark))
    assert_explored(pytester.runpytest_subprocess("--rollproof", "--rollproof-faults=process.kill"))


def test_under_coverage(pytester: pytest.Pytester, beside: Beside) -> None:
    """What runs in the test's process is measured; that the agent is killed a dozen times does it no harm."""
    beside("companions")
    pytester.makepyfile(agent="def add(a, b):\n    return a + b\n")
    pytester.makepyfile(test_it=f"import agent\nassert agent.add(1, 2)\n{TESTS}")
    result = pytester.runpytest_subprocess("--rollproof", "--cov=agent", "--cov-report=term")
    assert_explored(result)
    result.stdout.fnmatch_lines(["agent.py*100%*"])
