"""A rollback that comes back exactly to the start is judged; where there is none, the statement says so."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from rollproof.values.exploration import Exploration

from .exploring import explored, only, two_folders

API = "https://api.shop.test"
NOTHING = "nothing was rolled back"


def exploration(
    tmp_path: Path, fault: str, run: Callable[[Path], Any], recover: Callable[[Path], Any] | None = None, **rest: Any
) -> Exploration:
    """Explore an agent that works in a watched folder and may ask a service."""

    def explore(chaos: Any, folder: Path) -> None:
        shared, _ = two_folders(chaos, folder)
        chaos.api(API)
        chaos.explore(run=lambda: run(shared), recover=recover and (lambda: recover(shared)), **rest)

    return explored(SimpleNamespace(explore=explore), tmp_path / "it", **only(fault))


def publish(shared: Path) -> None:
    """Write a report beside its place, and move it there."""
    (shared / "report.part").write_text("done")
    os.replace(shared / "report.part", shared / "report")


def take_back(shared: Path) -> None:
    """Undo all of it."""
    (shared / "report.part").unlink(missing_ok=True)
    (shared / "report").unlink(missing_ok=True)


def publish_or_nothing(shared: Path) -> None:
    """Ask in the middle of the work, and take back what was done where nobody answers."""
    (shared / "report.part").write_text("done")
    try:
        httpx.get(f"{API}/orders").raise_for_status()
    except httpx.HTTPError:
        take_back(shared)
        raise
    os.replace(shared / "report.part", shared / "report")


def test_a_rollback_to_the_last_bit_holds_by_the_fault_free_run(tmp_path: Path) -> None:
    """Nothing is left that a retry could meet."""
    result = exploration(tmp_path, "process.kill", publish, take_back)
    assert (result.verdicts["clean_retry"], result.violations) == ("holds", ())
    assert NOTHING not in result.statement


def test_a_rollback_in_a_handler_is_one(tmp_path: Path) -> None:
    """Nobody looked between: crashes are not selected."""
    result = exploration(tmp_path, "http.timeout", publish_or_nothing, errors="handled")
    assert (result.verdicts["clean_retry"], result.violations) == ("holds", ())


@pytest.mark.parametrize("recover", [None, publish])
def test_where_nothing_is_rolled_back_the_statement_says_so(
    tmp_path: Path, recover: Callable[[Path], Any] | None
) -> None:
    """Who goes on until it is done never comes back to the start, and has no retry."""
    result = exploration(tmp_path, "process.kill", publish, recover)
    assert (result.verdicts["clean_retry"], result.violations) == ("vacuous", ())
    assert NOTHING in result.statement
    assert "vacuous" not in result.statement


def test_what_was_never_begun_is_not_rolled_back(tmp_path: Path) -> None:
    """It failed before it did anything: that is the start, and no rollback."""

    def run(shared: Path) -> None:
        httpx.get(f"{API}/orders").raise_for_status()
        publish(shared)

    result = exploration(tmp_path, "http.timeout", run, errors="handled")
    assert (result.verdicts["clean_retry"], result.violations) == ("vacuous", ())
    assert NOTHING in result.statement


def test_who_wants_no_retry_hears_nothing_of_it(tmp_path: Path) -> None:
    """With `retry=False` nothing was asked."""
    result = exploration(tmp_path, "process.kill", publish, take_back, retry=False)
    assert result.verdicts["clean_retry"] == "vacuous"
    assert NOTHING not in result.statement
