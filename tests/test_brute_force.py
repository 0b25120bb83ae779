"""Closure and brute force find the same violations; of each wrong agent `test_mutants` compares them too."""

from pathlib import Path
from typing import Any

import pytest
from rollproof.values.exploration import Exploration
from rollproof.values.schedule import Schedule

from .brute_forcing import KILL, agree, broken, is_tried
from .brute_forcing import WHOLE as EVERYTHING
from .exploring import explored, scenario
from .test_mutants import RIGHT, agent

# Small enough for all faults, and each pair of an error and a crash; another agent takes up to a minute.
WHOLE = ("right_foreign_files_stay", "wrong_rows_replaced_without_transaction")


def both(agent: Any, folder: Path, **changed: Any) -> tuple[Exploration, Exploration]:
    """Explore an agent with and without merging."""
    closed = explored(agent, folder / "closed", **changed)
    unmerged = explored(agent, folder / "unmerged", reduce=False, **changed)
    assert closed.executions < unmerged.executions
    return closed, unmerged


def few(each: int) -> list[str]:
    """Return the right agents that are tried: in CI one of `each`, and none on our runtime, which takes a minute."""
    names = [name for name in RIGHT if name not in WHOLE and (EVERYTHING or not name.startswith("right_runtime_"))]
    return [name for name in names if is_tried(name, names, each)]


@pytest.mark.parametrize("name", few(5))
@pytest.mark.usefixtures("sampled")
def test_every_crash_and_second_ones_of_a_right_agent(name: str, tmp_path: Path) -> None:
    """Nothing breaks; that closure finds nothing either, under any fault, is tested with the agents."""
    assert broken(explored(agent(name), tmp_path, faults=KILL, reduce=False)) == set()


@pytest.mark.skipif(not EVERYTHING, reason="takes a minute: make nightly")
def test_the_first_scenario_too(tmp_path: Path, sampled: list[Schedule]) -> None:
    """Brute force accuses it of nothing, as closure does."""
    story = scenario("publish_report", "test_a_failed_email_leaves_no_half_written_report")
    closed, unmerged = both(story, tmp_path, faults=KILL)
    agree(closed, unmerged, KILL, whole=not sampled)
    assert closed.closed
    assert unmerged.schedules > 80


@pytest.mark.parametrize("name", WHOLE)
def test_every_fault_and_every_crash_after_it(name: str, tmp_path: Path) -> None:
    """The same with all faults, and every crash in the recovery from an error."""
    closed, unmerged = both(agent(name), tmp_path)
    assert broken(unmerged) == broken(closed)
