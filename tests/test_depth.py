"""Second faults, budgets and shards, through the fixture's own calls."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rollproof.engine.claim import Ran, claim
from rollproof.values.exploration import Exploration

from .exploring import explored, options, replayed, two_folders

FAULTS = ("process.kill", "storage.io_error", "http.timeout")
SELECTED = tuple(options().known[name] for name in FAULTS)


def put(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    os.replace(part, path)


def publish(shared: Path) -> str:
    """Publish a page; the index comes last."""
    for name in ("one.md", "index.md"):
        put(shared / name, name)
    return "published"


def roll_back(shared: Path, *, careful: bool) -> None:
    """Take back what is not complete; the careless one believes that what it could not remove was never there."""
    if (shared / "index.md").exists():
        return
    for path in sorted(shared.iterdir()):
        try:
            path.unlink()
        except OSError:
            if careful:
                raise
    (shared / ".rolled-back").touch()
    (shared / ".rolled-back").unlink()


def agent(*, careful: bool) -> Any:
    """Return an agent whose rollback is right, or wrong as soon as a fault strikes in it."""

    def explore(chaos: Any, folder: Path) -> None:
        shared, own = two_folders(chaos, folder, "agent")
        chaos.explore(run=lambda: publish(shared), recover=lambda: recover(shared, own, careful=careful))

    return SimpleNamespace(explore=explore)


def recover(shared: Path, own: Path, *, careful: bool) -> None:
    """Roll back once; a note says that it was done, and it is not done again."""
    note = own / "done.json"
    if note.exists() and json.loads(note.read_text()) == {"state": "rolled back"}:
        return
    roll_back(shared, careful=careful)
    if not (shared / "index.md").exists():
        put(note, json.dumps({"state": "rolled back"}))


def test_a_bug_that_needs_two_faults_is_found_at_depth_two(tmp_path: Path) -> None:
    """A crash, then an error in the rollback that is swallowed: the page without an index stays for ever."""
    assert explored(agent(careful=False), tmp_path / "one", faults=SELECTED).violations == ()
    result = explored(agent(careful=False), tmp_path / "two", faults=SELECTED, depth=2)
    assert result.violations
    smallest = result.violations[0]
    assert "all_or_nothing" in smallest.invariants
    assert smallest.schedule.count(" + ") == 1
    assert "storage.io_error@recover/file.remove" in smallest.schedule
    again = replayed(agent(careful=False), tmp_path / "again", smallest.schedule, depth=2)
    assert [finding.invariants for finding in again.violations] == [smallest.invariants]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Exploration:
    """Explore the careful one at depth two."""
    return explored(agent(careful=True), tmp_path_factory.mktemp("whole") / "it", faults=SELECTED, depth=2)


def test_a_right_agent_is_left_alone_at_depth_two(whole: Exploration) -> None:
    """The careful one raises, recovers again, and ends right; the statement says what was covered."""
    assert (whole.violations, whole.flaky, whole.errors, whole.drifted) == ((), (), (), ())
    assert whole.closed
    assert "alone and after another and any number of crashes (closed)" in whole.statement


def test_shards_are_disjoint_and_make_up_the_whole(whole: Exploration, tmp_path: Path) -> None:
    """Every schedule of the whole is in exactly one shard."""
    parts = [
        explored(agent(careful=True), tmp_path / f"part{k}", faults=SELECTED, depth=2, shard=(k, 3)) for k in (1, 2, 3)
    ]
    singles = [{cell.point + cell.fault for cell in part.cells} for part in parts]
    assert set().union(*singles) == {cell.point + cell.fault for cell in whole.cells}
    assert all("shard" in part.statement and "exhaustive" not in part.statement for part in parts)
    assert all(part.executions < whole.executions for part in parts)


def test_what_a_budget_leaves_out_is_counted_and_said(tmp_path: Path) -> None:
    """Nothing is exhaustive or closed then; what was found before still counts."""
    result = explored(agent(careful=True), tmp_path / "it", faults=SELECTED, budget_s=1e-9)
    assert result.skipped["budget"] > 0
    assert not result.closed
    assert "exhaustive" not in result.statement
    assert f"left out: {result.skipped['budget']} by budget" in result.statement


def test_the_statement_of_a_cut_exploration_does_not_claim_a_number_of_crashes() -> None:
    """Where worlds were left out, no number of crashes is covered whole."""
    from rollproof.engine.config import ExplorationConfig
    from rollproof.values.exploration import Exploration

    config = ExplorationConfig(lambda: None, lambda: None, (), (), (), SELECTED, {}, ())
    text = claim(Exploration(skipped={"max_worlds": 58}), config, Ran(cut_at=0, reduced=True))
    assert "not all of them (not closed)" in text
    assert "exhaustive" not in text
