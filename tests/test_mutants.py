"""Small agents with one seeded recovery bug each, and right ones that a naive harness would accuse."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from .exploring import explored, replayed

NAMES = sorted(path.stem for path in (Path(__file__).parent / "mutants").glob("*_*.py"))
WRONG = [name for name in NAMES if name.startswith("wrong_")]
RIGHT = [name for name in NAMES if name.startswith("right_")]


def agent(name: str) -> Any:
    """Import one agent."""
    return import_module(f".mutants.{name}", __package__)


def test_there_are_enough_agents_of_both_kinds() -> None:
    """At least twelve wrong ones and six right ones; a wrong one says what it breaks."""
    assert len(WRONG) >= 12
    assert len(RIGHT) >= 6
    assert all(agent(name).BREAKS for name in WRONG)
    assert not any(agent(name).BREAKS for name in RIGHT)


@pytest.mark.parametrize("name", WRONG)
def test_a_seeded_bug_is_reported_by_the_invariant_it_names(name: str, tmp_path: Path) -> None:
    """Every bug is found, and its token replays it in a world of its own."""
    result = explored(agent(name), tmp_path / "explored")
    found = {invariant for finding in result.violations for invariant in finding.invariants}
    assert found >= agent(name).BREAKS, result
    assert not result.flaky
    assert not result.errors
    smallest = result.violations[0]
    again = replayed(agent(name), tmp_path / "replayed", smallest.schedule)
    assert again.violations[0].invariants == smallest.invariants
    assert not again.drifted


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_agent_is_left_alone(name: str, tmp_path: Path) -> None:
    """No violation, nothing flaky, and all of it closed."""
    result = explored(agent(name), tmp_path / "explored")
    assert result.violations == ()
    assert (result.flaky, result.errors, result.drifted, result.unintercepted) == ((), (), (), ())
    assert result.closed, result.statement
