"""Right agents that were accused: each is left alone, however often it is explored."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rollproof.values.exploration import Exploration

from .exploring import explored, only, two_folders


def clean(result: Exploration) -> bool:
    """Return whether nothing was found, nothing was undecided, and no fault failed to strike."""
    return not (result.violations or result.flaky or result.errors or result.drifted)


def test_a_lasting_fault_that_can_change_no_later_answer_is_the_single_one(tmp_path: Path) -> None:
    """The second argument of a call gets another type; the answers after it have no second field to be changed."""

    def run(shared: Path) -> None:
        import anthropic

        client, said = anthropic.Anthropic(max_retries=0), []
        for prompt in ("Plan", "Confirm"):
            messages: list[Any] = [{"role": "user", "content": prompt}]
            answer = client.messages.create(model="claude-sonnet-4-5", max_tokens=500, messages=messages)
            said.append(json.loads("".join(block.text for block in answer.content if block.type == "text")))
        if not (isinstance(said[0].get("name"), str) and isinstance(said[0].get("day"), str) and said[1] == ["done"]):
            raise ValueError("no plan")
        draft = shared / "plan.part"
        draft.write_text(said[0]["name"])
        os.replace(draft, shared / "plan.txt")

    def explore(chaos: Any, folder: Path) -> None:
        shared, _ = two_folders(chaos, folder)
        chaos.llm({"Plan": '{"name": "solar", "day": "Monday"}', "Confirm": '["done"]'})
        chaos.explore(run=lambda: run(shared))

    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", **only("llm.wrong_type"))
    assert clean(result), result
    assert sum(cell.count for cell in result.cells) >= 4  # two fields, once and lasting


@pytest.mark.parametrize("number", range(2))
def test_what_a_program_writes_of_its_clock_is_volatile(tmp_path: Path, number: int) -> None:
    """Programs have the real clock: two fault-free runs in one second would write the same date."""

    def explore(chaos: Any, folder: Path) -> None:
        shared, _ = two_folders(chaos, folder)
        stamp = "date +%s > .draft && mv .draft stamp"
        chaos.explore(run=lambda: subprocess.run(stamp, shell=True, cwd=shared, check=True))

    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", **only("process.kill"))
    assert clean(result), result
    assert result.masked == ("shared/stamp: line 1",)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not here")
@pytest.mark.parametrize("number", range(2))
def test_a_right_agent_that_commits_is_clean(tmp_path: Path, number: int) -> None:
    """The hash of a commit has the second in it; what git keeps is ignored but for the names of commits."""

    def run(work: Path) -> None:
        if (work / ".git" / "index.lock").exists():  # of a git that was killed
            (work / ".git" / "index.lock").unlink()
        (work / "report.md").write_text("# Solar\n")
        git(work, "add", "report.md")
        if git(work, "status", "--porcelain", "report.md"):
            git(work, "commit", "--quiet", "--message", "The report")

    def explore(chaos: Any, folder: Path) -> None:
        work = folder / "work"
        work.mkdir()
        git(work, "init", "--quiet", "--initial-branch=main")
        git(work, "config", "user.name", "agent")
        git(work, "config", "user.email", "agent@example.test")
        git(work, "commit", "--quiet", "--allow-empty", "--message", "Nothing yet")
        others = ("objects", "logs", "hooks", "info", "index", "index.lock", "COMMIT_EDITMSG", "config", "description")
        chaos.watch(work, ignore=[part for name in others for part in (f".git/{name}", f".git/{name}/*")])
        chaos.explore(run=lambda: run(work))

    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", **only("process.kill"))
    assert clean(result), result


def git(work: Path, *words: str) -> str:
    """Run git in a folder and return what it says."""
    done = subprocess.run(["git", *words], cwd=work, check=True, capture_output=True, text=True)
    return done.stdout.strip()
