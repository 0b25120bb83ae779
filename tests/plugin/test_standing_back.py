"""Beside plugins that claim ``--chaos`` too, pytest starts, and ``--rollproof`` explores."""

from pathlib import Path

import pytest

from .projects import unwrapped

OTHER = """
import pytest

def pytest_addoption(parser):
    group = parser.getgroup("other")
    group.addoption("--chaos", action="store_true", default=False)
    group.addoption("--chaos-seed", type=int, default=None)
    parser.addini("chaos", "activate", type="bool", default=False)

def pytest_configure(config):
    config.addinivalue_line("markers", "chaos(settings): the other's mark")

@pytest.fixture
def chaos():
    return "the other's"
"""
TESTS = """
import pytest

def test_of_the_other(chaos):
    assert chaos == "the other's"

@pytest.mark.chaos("the other's setting")
@pytest.mark.rollproof(faults="process.kill")
def test_of_ours(rollproof, tmp_path):
    (tmp_path / "shared").mkdir()
    rollproof.watch(tmp_path / "shared")
    found = rollproof.explore(run=lambda: (tmp_path / "shared" / "a").touch())
    print(f"executions: {found.executions}")
"""


def install(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Install a plugin by an entry point, as pip would; entry points are loaded in the order of their folders."""
    site = pytester.mkdir(f"site_{name}")
    (site / f"{name}.py").write_text(OTHER)
    info = site / f"{name}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[pytest11]\n{name} = {name}\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))


@pytest.mark.parametrize("early", [False, True])
def test_beside_another_plugin(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, early: bool) -> None:
    """Whether it is loaded before ours (``-p``) or as an entry point, each keeps what is its own; one line says so."""
    install(pytester, monkeypatch, "other_chaos")
    pytester.makepyfile(test_it=TESTS)
    first = ["-p", "other_chaos"] if early else []
    result = pytester.runpytest_subprocess(*first, "--rollproof", "-s")
    result.assert_outcomes(passed=2)
    output = result.stdout.str()
    assert output.count("--chaos, --chaos-seed of another plugin") == 1
    assert "executions: 1\n" not in output
    assert "test_of_ours" in output.partition("= chaos =")[2]


def test_their_switch_is_theirs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--chaos`` switches the other one on, not ours."""
    install(pytester, monkeypatch, "other_chaos")
    pytester.makepyfile(test_it=TESTS)
    result = pytester.runpytest_subprocess("--chaos", "--chaos-seed=3")
    result.assert_outcomes(passed=2)
    assert "= chaos =" not in result.stdout.str()


def test_ours_alone_has_the_short_names(pytester: pytest.Pytester, tmp_path: Path) -> None:
    """Without another plugin nothing is said, and both spellings mean the same."""
    pytester.makepyfile(
        test_it="def test_it(chaos, tmp_path):\n"
        "    chaos.watch(tmp_path)\n"
        "    chaos.explore(run=lambda: (tmp_path / 'a').touch())\n"
    )
    short = pytester.runpytest_subprocess("--chaos", "--chaos-seed=3", f"--chaos-json={tmp_path / 'one'}")
    full = pytester.runpytest_subprocess("--rollproof", "--rollproof-seed=3", f"--rollproof-json={tmp_path / 'two'}")
    for result in (short, full):
        result.assert_outcomes(passed=1)
        assert "another plugin" not in result.stdout.str()
        assert "seed 3" in result.stdout.str()
    assert (tmp_path / "one").exists()
    assert (tmp_path / "two").exists()


def test_switches_in_the_ini_file(pytester: pytest.Pytester) -> None:
    """``chaos`` and ``chaos_no_reduce`` are ini options too."""
    pytester.makeini("[pytest]\nchaos = true\nchaos_no_reduce = true\nchaos_faults = process.kill\n")
    pytester.makepyfile(
        test_it="def test_it(chaos, tmp_path):\n"
        "    chaos.watch(tmp_path)\n"
        "    chaos.explore(run=lambda: (tmp_path / 'a').touch(), recover=lambda: None)\n"
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    assert "no schedule merged with another" in unwrapped(result.stdout.str())
