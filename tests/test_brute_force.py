"""Closure and brute force find the same violations.

Brute force carries out every single crash and every second one truly (SIGKILL) and merges nothing. What is restricted,
to stay within minutes: brute force tries ``process.kill`` alone (with all faults, and each pair of an error and a
crash, one agent takes up to a minute; those in `WHOLE` are small enough), and for the agents in `SAMPLED` it carries
out one second crash in `STRIDE`. Agents that restrict their faults are left out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rollproof.engine import brute
from rollproof.values.exploration import Exploration

from .exploring import explored, options
from .test_mutants import NAMES, agent

WHOLE = ("right_foreign_files_stay", "wrong_half_an_import_is_an_import", "wrong_rows_replaced_without_transaction")
SAMPLED = (
    "right_lease_taken_over",
    "right_moves_what_the_database_committed",
    "right_parallel_orders_with_keys",
    "right_release_folders",
    "wrong_checkpoint_before_effect",
    "wrong_checkpoint_torn",
    "wrong_done_marker_after_rollback",
    "wrong_finished_when_nothing_is_pending",
)
STRIDE = 7
KILL = (options().known["process.kill"],)


def broken(result: Exploration) -> set[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return each violation as the invariants that break together and the difference outside."""
    assert (result.flaky, result.errors, result.drifted) == ((), (), ()), result
    return {(finding.invariants, finding.diff) for finding in result.violations}


def both(name: str, folder: Path, **changed: Any) -> tuple[Exploration, Exploration]:
    """Explore an agent with and without merging."""
    closed = explored(agent(name), folder / "closed", **changed)
    unmerged = explored(agent(name), folder / "unmerged", reduce=False, **changed)
    assert closed.executions < unmerged.executions
    return closed, unmerged


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SAMPLED and not hasattr(agent(name), "FAULTS")])
def test_every_one_and_two_crashes(name: str, tmp_path: Path) -> None:
    """The same invariants break with the same differences, merged or not."""
    closed, unmerged = both(name, tmp_path, faults=KILL)
    assert broken(unmerged) == broken(closed)


@pytest.mark.parametrize("name", SAMPLED)
def test_every_crash_and_some_second_ones(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a sample of brute force finds, closure has found too."""
    every = brute.second_faults

    def some(setting: Any, lives: Iterable[Any], schedule: Any) -> Iterator[Any]:
        return every(setting, [replace(life, sightings=life.sightings[::STRIDE]) for life in lives], schedule)

    monkeypatch.setattr(brute, "second_faults", some)
    closed, unmerged = both(name, tmp_path, faults=KILL)
    assert broken(unmerged) <= broken(closed)


@pytest.mark.parametrize("name", WHOLE)
def test_every_fault_and_every_crash_after_it(name: str, tmp_path: Path) -> None:
    """The same with all faults, and every crash in the recovery from an error."""
    closed, unmerged = both(name, tmp_path)
    assert broken(unmerged) == broken(closed)
