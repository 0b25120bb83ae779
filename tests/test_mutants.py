"""Small agents with one seeded recovery bug each, and right ones that a naive harness would accuse."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from rollproof.values.schedule import Schedule

from .brute_forcing import WHOLE, agree, broken, faults_of, is_tried, tried
from .exploring import breaks, causes, explored, options, replayed

NAMES = sorted(path.stem for path in (Path(__file__).parent / "mutants").glob("*_*.py"))
WRONG = [name for name in NAMES if name.startswith("wrong_")]
RIGHT = [name for name in NAMES if name.startswith("right_")]
TWO_FAULTS = (
    "wrong_backup_moved_back",
    "wrong_cleaning_ignores_errors",
    "wrong_death_is_no_attempt",
    "wrong_failed_look_sees_nothing",
    "wrong_handler_forgets_first",
    "wrong_lock_of_a_dead_recovery",
    "wrong_log_dropped_before_undo",
    "wrong_marked_as_cancelled_first",
    "wrong_newest_checkpoint_wins",
    "wrong_recovery_gives_up",
    "wrong_step_logged_beside_its_checkpoint",
    "wrong_undo_dies_when_gone",
)


def agent(name: str) -> Any:
    """Import one agent."""
    return import_module(f".mutants.{name}", __package__)


def settings(name: str, depth: int | None = None) -> dict[str, Any]:
    """Return how an agent wants to be explored: its `DEPTH`, and its `FAULTS` where it does not want all.

    Each tenth one is explored with another seed, for what is found is the same for all; `make nightly` tries ten.
    """
    mutant = agent(name)
    faults = [options().known[fault] for fault in narrowed(name)]
    seed = 0 if NAMES.index(name) % 10 else 7
    return {"depth": depth or getattr(mutant, "DEPTH", 1), "seed": seed, **({"faults": faults} if faults else {})}


def narrowed(name: str) -> tuple[str, ...]:
    """Return the faults of an agent that is not explored under all; in CI few are enough for those on our runtime.

    They are the dearest of all. A crash shows each bug of the wrong ones; what the runtime makes of every other fault,
    its scenarios and its own tests show.
    """
    usual: tuple[str, ...] = ()
    if not WHOLE and name.startswith("wrong_runtime_") and name != "wrong_runtime_takes_back_from_person":
        usual = ("process.kill",)
    if not WHOLE and name == "right_runtime_saga":
        usual = ("process.kill", "storage.io_error", "sqlite.locked")
    return getattr(agent(name), "FAULTS", usual)


@pytest.fixture(autouse=True)
def no_cures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try no cure in CI: `test_cures` and `test_kinds` do."""
    if not WHOLE:
        monkeypatch.setattr("rollproof.engine.curing._REMEDIES", ())


def test_there_are_enough_agents_of_both_kinds() -> None:
    """At least twelve wrong ones and six right ones; a wrong one says what it breaks."""
    assert len(WRONG) >= 12
    assert len(RIGHT) >= 6
    assert all(agent(name).BREAKS and agent(name).CAUSES for name in WRONG)
    assert not any(agent(name).BREAKS for name in RIGHT)


@pytest.mark.parametrize("name", WRONG)
def test_a_seeded_bug_is_reported_by_the_invariant_it_names(name: str, tmp_path: Path, sampled: list[Schedule]) -> None:
    """Every bug is found, with its cause; its token replays it elsewhere; brute force, where tried, finds the same."""
    result = explored(agent(name), tmp_path / "explored", **settings(name))
    assert breaks(result) >= agent(name).BREAKS, result
    assert causes(result) == sorted(agent(name).CAUSES)
    assert not result.flaky
    assert not result.errors
    smallest = result.violations[0]
    assert smallest.schedule.count(" + ") == (name in TWO_FAULTS)
    seed = settings(name)["seed"]
    again = replayed(agent(name), tmp_path / "replayed", smallest.schedule, seed=seed)
    assert again.violations[0].invariants == smallest.invariants
    assert not again.drifted
    if not is_tried(name, WRONG, 5):
        return
    others = {fault for finding in result.violations for fault in faults_of(finding)} - {f.name for f in tried(name)}
    if others or narrowed(name) or hasattr(agent(name), "DEPTH"):  # a finding shows its likeliest fault
        result = explored(agent(name), tmp_path / "closed", faults=tried(name), seed=seed)
    unmerged = explored(agent(name), tmp_path / "unmerged", faults=tried(name), reduce=False, seed=seed)
    agree(result, unmerged, tried(name), whole=not sampled)
    assert broken(unmerged) or name in TWO_FAULTS


@pytest.mark.parametrize("name", [name for name in TWO_FAULTS if hasattr(agent(name), "DEPTH")])
def test_a_bug_that_needs_two_faults_hides_from_one(name: str, tmp_path: Path) -> None:
    """With its own faults, one at a time and any number of crashes, nothing is found.

    The others need two crashes, or one in another order of effects side by side.
    """
    assert explored(agent(name), tmp_path / "explored", **settings(name, depth=1)).violations == ()


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_agent_is_left_alone(name: str, tmp_path: Path) -> None:
    """No violation, nothing flaky, and all of it closed."""
    result = explored(agent(name), tmp_path / "explored", **settings(name))
    assert result.violations == ()
    assert (result.flaky, result.errors, result.drifted, result.unintercepted) == ((), (), (), ())
    assert result.closed, result.statement
