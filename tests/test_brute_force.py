"""Closure and brute force find the same violations.

Brute force carries out every single crash and second ones truly (SIGKILL) and merges nothing. What is restricted, to
stay within minutes: it tries ``process.kill``, and where no crash shows a bug the error of `ERRORS` that does (with all
faults, and each pair of an error and a crash, an agent takes up to a minute; those in `WHOLE` are small enough). Of an
agent's second faults it carries out each `EACH`th: a bug that needs two may then be one that only closure shows.
"""

from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rollproof.engine import brute
from rollproof.values.exploration import Exploration
from rollproof.values.schedule import Schedule

from .exploring import explored, options
from .test_mutants import RIGHT, TWO_FAULTS, WRONG, agent

WHOLE = ("right_foreign_files_stay", "wrong_rows_replaced_without_transaction")
EACH = 50
KILL = (options().known["process.kill"],)
ERRORS = {
    "wrong_cancelled_and_still_locked": "process.cancel",
    "wrong_compensation_stops_at_first_error": "http.timeout",
    "wrong_effect_twice_after_timeout": "http.timeout",
    "wrong_error_swallowed": "sqlite.locked",
    "wrong_items_applied_while_parsing": "llm.truncated_json",
    "wrong_new_message_id_for_each_attempt": "mail.lost_answer",
    "wrong_partly_refused_mail": "mail.rejected",
    "wrong_retries_a_revoked_key": "credentials.revoked",
    "wrong_retry_storm": "http.unavailable",
    "wrong_truncated_plan_repaired": "llm.truncated_json",
}


def broken(result: Exploration) -> set[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return each violation as the invariants that break together and the difference outside."""
    assert (result.flaky, result.errors, result.drifted) == ((), (), ()), result
    return {(finding.invariants, finding.diff) for finding in result.violations}


def both(agent: Any, folder: Path, **changed: Any) -> tuple[Exploration, Exploration]:
    """Explore an agent with and without merging."""
    closed = explored(agent, folder / "closed", **changed)
    unmerged = explored(agent, folder / "unmerged", reduce=False, **changed)
    return closed, unmerged


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> list[Schedule]:
    """Let brute force carry out each `EACH`th of all second crashes; lists those that it left out."""
    every, numbers, left_out = brute.second_faults, count(), []

    def some(setting: Any, lives: Iterable[Any], schedule: Schedule) -> Iterator[Schedule]:
        for double in every(setting, lives, schedule):
            if next(numbers) % EACH:
                left_out.append(double)
            else:
                yield double

    monkeypatch.setattr(brute, "second_faults", some)
    return left_out


def agree(closed: Exploration, unmerged: Exploration, *, whole: bool) -> None:
    """Both break the same; of what only a second crash shows, a sample may have missed some."""
    assert closed.executions < unmerged.executions or not whole
    assert broken(unmerged) <= broken(closed)
    by_one = {f.invariants for f in closed.violations if len(Schedule.parse(f.schedule).injections) == 1}
    assert by_one <= {f.invariants for f in unmerged.violations}
    assert not whole or broken(unmerged) == broken(closed)


@pytest.mark.parametrize("name", WRONG)
def test_every_crash_and_second_ones(name: str, tmp_path: Path, sampled: list[Schedule]) -> None:
    """The same invariants break with the same differences, merged or not; something does."""
    error = [options().known[ERRORS[name]]] if name in ERRORS else []
    closed, unmerged = both(agent(name), tmp_path, faults=(*KILL, *error))
    agree(closed, unmerged, whole=not sampled)
    assert broken(unmerged) or name in TWO_FAULTS


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.usefixtures("sampled")
def test_every_crash_and_second_ones_of_a_right_agent(name: str, tmp_path: Path) -> None:
    """Nothing breaks; that closure finds nothing either, under any fault, is tested with the agents."""
    assert broken(explored(agent(name), tmp_path, faults=KILL, reduce=False)) == set()


def test_the_first_scenario_too(tmp_path: Path, sampled: list[Schedule]) -> None:
    """Brute force accuses it of nothing, as closure does."""
    module = import_module("rollproof.scenarios.test_publish_report")
    story = SimpleNamespace(explore=module.test_a_failed_email_leaves_no_half_written_report)
    closed, unmerged = both(story, tmp_path, faults=KILL)
    agree(closed, unmerged, whole=not sampled)
    assert closed.closed
    assert unmerged.schedules > 100


@pytest.mark.parametrize("name", WHOLE)
def test_every_fault_and_every_crash_after_it(name: str, tmp_path: Path) -> None:
    """The same with all faults, and every crash in the recovery from an error."""
    closed, unmerged = both(agent(name), tmp_path)
    assert broken(unmerged) == broken(closed)
