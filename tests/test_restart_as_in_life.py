"""What a restart must have of its own: where it is left out, a bug hides, and the agent that has it looks right."""

import os
import uuid
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rollproof.engine import recovery

from .exploring import breaks, explored, options
from .test_mutants import agent, settings

KILL = [options().known["process.kill"]]
SAME_FOR_ALL: dict[str, tuple[str, dict[str, Any]]] = {
    "wrong_lock_of_this_pid_only": ("os", {**vars(os), "getpid": lambda: 4711}),
    "wrong_new_key_for_each_attempt": ("uuid", {"uuid4": lambda: uuid.UUID(int=7)}),
    "wrong_key_of_the_moment": ("datetime", {"now": lambda zone: datetime(2026, 1, 15, tzinfo=UTC)}),
}


@pytest.mark.parametrize("name", SAME_FOR_ALL)
def test_with_one_for_all_processes_the_bug_hides(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One pid, one random stream, one moment: nothing is found that is found as in life."""
    module, replaced = SAME_FOR_ALL[name]
    monkeypatch.setattr(agent(name), module, SimpleNamespace(**replaced))
    result = explored(agent(name), tmp_path / "explored", **{**settings(name), "faults": KILL})
    assert result.closed
    assert result.violations == ()


def test_where_recovery_follows_each_error_it_hides_what_was_not_handled(tmp_path: Path) -> None:
    """An agent that must have cleaned up by itself looks right where the next start does it."""
    name = "wrong_cancelled_and_still_locked"

    def explore(chaos: Any, folder: Path) -> None:
        recovering = SimpleNamespace(
            api=chaos.api, explore=lambda run, recover, errors: chaos.explore(run=run, recover=recover)
        )
        agent(name).explore(recovering, folder)

    assert explored(SimpleNamespace(explore=explore), tmp_path / "explored", **settings(name)).violations == ()


def test_a_lease_that_is_excused_hides_that_it_never_ends(tmp_path: Path) -> None:
    """Who accepts whatever lies under a lease does not see that nobody will ever take it over."""
    name = "wrong_lease_without_an_end"

    def explore(chaos: Any, folder: Path) -> None:
        def excusing(run: Any) -> None:
            chaos.explore(run=run, allow=lambda world: "agent/lease.json" in world.private_files, retry=False)

        agent(name).explore(SimpleNamespace(watch=chaos.watch, private=chaos.private, explore=excusing), folder)

    assert explored(SimpleNamespace(explore=explore), tmp_path / "explored", **settings(name)).violations == ()


def test_a_lease_that_is_never_let_run_out_accuses_who_respects_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged at once after a crash, an agent that leaves the work to a holder who is dead looks wrong."""
    monkeypatch.setattr(recovery, "_MAX_LEASES", -1)
    name = "right_lease_that_runs_out"
    assert explored(agent(name), tmp_path / "explored", **settings(name)).violations


def test_a_dead_run_that_is_not_reaped_accuses_who_looks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the pid of a dead process can be signalled, its lock seems to be held."""
    name = "right_lock_of_a_dead_process"
    monkeypatch.setattr(agent(name), "os", SimpleNamespace(**{**vars(os), "kill": lambda pid, signal: None}))
    result = explored(agent(name), tmp_path / "explored", **{**settings(name), "faults": KILL})
    assert "recovery_succeeds" in breaks(result)
