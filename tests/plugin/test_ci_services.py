"""The workflows in ``docs/ci``: their steps are run as scripts, in an agent's project."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .projects import AGENT, TEST

DOCS = Path(__file__).parents[2] / "docs" / "ci"


def step(name: str) -> str:
    """Return the script of a step of GitHub's workflow."""
    jobs = yaml.safe_load((DOCS / "github.yml").read_text())["jobs"].values()
    (script,) = [one["run"] for job in jobs for one in job["steps"] if one.get("name") == name]
    return str(script)


def job(name: str) -> str:
    """Return the script of a job of GitLab's."""
    jobs = yaml.safe_load((DOCS / "gitlab.yml").read_text())
    return "\n".join(jobs[name]["script"])


def run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a runner does, with our commands on its path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {**os.environ, "PATH": path, "PYTEST_ADDOPTS": "--chaos-faults=process.kill -p no:cacheprovider"}
    command = ["bash", "-e", "-o", "pipefail", "-c", script]
    return subprocess.run(command, cwd=folder, env=settings | environment, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a project whose agent leaves its draft behind."""
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "test_it.py").write_text(TEST.format(mark="", fixture="chaos", recover="None", after=""))
    return tmp_path


def test_the_workflow_of_github(folder: Path) -> None:
    """Shards find what they find; one report has all of it, compared with the main branch: page, SARIF, summary."""
    for shard in ("1", "2"):
        done = run(step("explore"), folder, SHARD=shard, SHARDS="2")
        assert done.returncode in (0, 1), done.stderr
    done = run(step("report"), folder, GITHUB_STEP_SUMMARY=str(folder / "summary.md"))
    assert done.returncode == 1
    assert "::error file=" in done.stdout
    (exploration,) = json.loads((folder / "chaos.json").read_text())["explorations"]
    assert len(exploration["violations"]) == 1
    assert len(json.loads((folder / "chaos.sarif").read_text())["runs"][0]["results"]) == 1
    assert (folder / "chaos.html").read_text().count("<article") == 1
    assert (folder / "summary.md").read_text().startswith("## Recovery: 1 finding")
    (folder / "baseline").mkdir()
    (folder / "chaos.json").rename(folder / "baseline" / "chaos.json")
    run(step("explore"), folder, SHARD="1", SHARDS="1")
    (again,) = json.loads((folder / "chaos-1.json").read_text())["explorations"]
    assert [one["new"] for one in again["violations"]] == [False]


def test_the_jobs_of_gitlab(folder: Path) -> None:
    """The same, with GitLab's names."""
    run(job("explore"), folder, CI_NODE_INDEX="1", CI_NODE_TOTAL="1")
    assert run(job("report"), folder).returncode == 1
    assert len(json.loads((folder / "code-quality.json").read_text())) == 1
    assert "chaos.replay" in (folder / "junit-1.xml").read_text()
