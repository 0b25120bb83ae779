"""The installed package, in a project whose folders are called like ours."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which this project was installed from a copy of it."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ("harness", "faults", "invariants", "scenarios", "reports", "pyproject.toml", "README.md", "LICENSE"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(source)], check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True)
    return target


def test_every_package_is_installed() -> None:
    """The list in pyproject.toml names each folder with code; an editable install would find those it leaves out."""
    folders = [ROOT / "harness", *(path for path in (ROOT / "harness").rglob("*") if (path / "__init__.py").exists())]
    names = {".".join(("rollproof", *path.relative_to(ROOT / "harness").parts)) for path in folders}
    names |= {f"rollproof.{name}" for name in ("faults", "invariants", "scenarios", "reports")}
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert set(packages) == names


def test_the_metadata_is_whole(installed: Path) -> None:
    """The licence goes with it, and a type checker finds the types."""
    (folder,) = installed.glob("rollproof-*.dist-info")
    told = (folder / "METADATA").read_text()
    assert "License-Expression: Apache-2.0" in told
    assert "Author: The Rollproof authors" in told
    assert "Apache License" in (folder / "licenses" / "LICENSE").read_text()
    assert (installed / "rollproof" / "py.typed").is_file()


def test_a_project_with_folders_of_the_same_names_uses_the_fixture(installed: Path, tmp_path: Path) -> None:
    """Neither side takes the other's ``reports``, ``scenarios`` or ``harness``."""
    for name in ("reports", "scenarios", "harness"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("MINE = True\n")
    (tmp_path / "test_mine.py").write_text(
        "import rollproof, harness, reports, scenarios\n"
        "def test_it(chaos, tmp_path):\n"
        "    assert harness.MINE and reports.MINE and scenarios.MINE\n"
        f"    assert rollproof.__file__.startswith({str(installed)!r})\n"
        "    chaos.watch(tmp_path / 'a.txt')\n"
        "    result = chaos.explore(run=lambda: (tmp_path / 'a.txt').touch())\n"
        "    assert result.points == 1\n"
    )
    first = f"import sys; sys.path.insert(0, {str(installed)!r})"
    code = f"{first}; import pytest; sys.exit(pytest.main(['--chaos', '-q']))"
    environment = {key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"}
    environment["PYTHONPATH"] = f"{installed}{os.pathsep}{tmp_path}"
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=environment, check=False
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "1 passed" in shown.stdout
