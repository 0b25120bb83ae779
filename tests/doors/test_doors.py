"""What a stranger adds: one small package a door, installed, and used by public names alone."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rollproof.testing import check_fault, check_invariant, world

HERE = Path(__file__).parent
PACKAGES, PROJECT = HERE / "packages", HERE / "project"
MODULES = sorted([*PACKAGES.glob("*/*.py"), *PROJECT.glob("*.py")])


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which the five packages were installed from copies of them."""
    source, target = tmp_path_factory.mktemp("packages") / "copy", tmp_path_factory.mktemp("installed")
    shutil.copytree(PACKAGES, source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(target), *map(str, source.iterdir())], check=True)
    return target


def test_five_packages_are_found_and_used(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, installed: Path
) -> None:
    """One session: source and twin are the outside, the fault strikes with its own body, invariant and writer tell."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(installed), str(pytester.path)]))
    shutil.copytree(PROJECT, pytester.path, dirs_exist_ok=True)
    (pytester.path / "story.py").rename(pytester.path / "test_payer.py")
    faults = "--chaos-faults=process.kill,llm.quota_used_up"
    result = pytester.runpytest_subprocess("--chaos", faults, "--chaos-json=all.json", "--sarif=all.sarif")
    result.assert_outcomes(passed=1, failed=1)
    explored = json.loads((pytester.path / "all.json").read_text())["explorations"][0]
    assert (explored["closed"], explored["points"], explored["errors"]) == (True, 6, [])
    (found,) = explored["violations"]
    assert set(found["invariants"]) == {"all_or_nothing", "honest_outcome", "nobody_is_overdrawn"}
    assert found["schedule"] == "llm.quota_used_up@llm.chat:api.openai.com#1:before"
    assert found["cause"]["effect"] == "http.transfer:ledger.test"
    run = json.loads((pytester.path / "all.sarif").read_text())["runs"][0]
    (told,) = run["results"]
    assert told["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "payer.py"}
    assert f"--chaos-replay={found['schedule']}" in told["message"]["text"].replace("'", "")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_only_public_names_are_used(path: Path) -> None:
    """What is imported of Rollproof is `rollproof` or `rollproof.testing`."""
    imported = {
        node.module
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "rollproof"
    }
    assert imported <= {"rollproof", "rollproof.testing"}


@pytest.mark.parametrize("package", sorted(PACKAGES.iterdir()), ids=lambda path: path.name)
def test_to_add_something_takes_one_file(package: Path) -> None:
    """The table in CONTRIBUTING says so: one small module, and what makes a package of it."""
    (module,) = package.glob("*.py")
    assert module.read_text().count("\n") <= 70


BLOCKS = re.findall(r"```python\n(.*?)```", (HERE.parents[1] / "CONTRIBUTING.md").read_text(), re.DOTALL)


def test_what_contributing_shows_is_run() -> None:
    """A block of it is a part of a package that was used above, or is checked here."""
    packaged = "".join(path.read_text() for path in MODULES)
    alone: dict[str, Any] = {}
    for block in BLOCKS:
        if block not in packaged:
            exec(block, alone)
    check_fault(alone["read_only"])
    check_invariant(alone["no_empty_files"], catches=world({"a": b""}), leaves_alone=world({"a": b"x"}))
    assert len(BLOCKS) == 6
