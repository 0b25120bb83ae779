"""What is likeliest comes first, a budget is told by family, and a crash after an error is one fault's business."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from .exploring import explored, options, replayed, two_folders
from .plugin.projects import unwrapped, write_test

MAILS = "https://api.mail.test/mails"


def remind(own: Path, *, twice: bool = True) -> str:
    """Send one mail; each start adds a turn to a session that it reads. The bug: after a timeout it is sent again."""
    with open(own / "session.txt", "a") as session:
        session.write("Continue.\n")
    assert (own / "session.txt").read_text()
    if not httpx.get(MAILS).json():
        try:
            httpx.post(MAILS, json={"to": "boss"})
        except httpx.TimeoutException:
            if twice:
                httpx.post(MAILS, json={"to": "boss"})
    return "done"


def reminder(**how: bool) -> Any:
    """Return that agent."""

    def explore(chaos: Any, folder: Path) -> None:
        own = folder / "own"
        own.mkdir()
        chaos.private(own)
        chaos.api("https://api.mail.test")
        chaos.explore(run=lambda: remind(own, **how))

    return SimpleNamespace(explore=explore)


def test_a_timeout_is_tried_before_crashes_go_deep(tmp_path: Path) -> None:
    """An agent whose state grows with each restart shows the bug that one timeout shows, within a few executions."""
    result = explored(reminder(), tmp_path / "it", first=True)
    assert [finding.schedule for finding in result.violations] == ["http.timeout@http.post:api.mail.test/mails#1:after"]
    assert result.executions < 40
    assert result.skipped["first_finding"] > 0
    assert not result.closed
    assert "exhaustive" not in result.statement


def test_what_grows_and_is_read_ends_soon_and_is_named(tmp_path: Path) -> None:
    """The session makes a new crash state with each crash: the statement says so, and what to do."""
    result = explored(reminder(twice=False), tmp_path / "it", faults=(options().known["process.kill"],))
    assert result.growing == ("own/session.txt",)
    assert result.skipped["grows"] > 0
    assert not result.closed
    assert "grows with each restart: own/session.txt" in result.statement
    assert "ignore=" in result.statement
    assert result.executions < 1500


def test_a_budget_tells_what_it_left_out_by_family(tmp_path: Path) -> None:
    """A family of which nothing was tried is an error, and no violation."""
    result = explored(reminder(), tmp_path / "it", budget_s=1e-9)
    assert result.violations == ()
    assert {tried for tried, _ in result.not_tried.values()} == {0}
    assert set(result.not_tried) == {"faults of models and services", "crashes", "faults of storage", "interruptions"}
    for family, (_, planned) in result.not_tried.items():
        text = f"not explored: 0 of {planned} {family} were tried, --chaos-budget ran out"
        assert any(error.startswith(text) for error in result.errors)
        assert f"0 of {planned} {family} tried" in result.statement


def test_of_each_family_one_comes_first(tmp_path: Path) -> None:
    """Whatever a budget leaves, it is not a whole family, unless hardly anything was tried."""
    result = explored(reminder(), tmp_path / "it", first=True)
    assert all(tried > 0 for tried, _ in result.not_tried.values())
    assert result.errors == ()


def roll_back(shared: Path, own: Path, *, begun: bool) -> None:
    """Take the draft away, then the notes. The bug: what was begun dies where the draft is gone already."""
    (shared / "draft").unlink(missing_ok=not begun)
    (own / "undo").unlink(missing_ok=True)
    (own / "undoing").unlink(missing_ok=True)


def draft_and_send(shared: Path, own: Path) -> None:
    """Write a draft and send it; where that fails, take all of it back."""
    (own / "undo").touch()
    (shared / "draft").write_text("Prices fell.")
    try:
        httpx.post(MAILS, json={"to": "all"}, headers={"Idempotency-Key": "prices"}).raise_for_status()
    except httpx.HTTPError:
        (own / "undoing").touch()
        roll_back(shared, own, begun=True)
        raise
    (own / "undo").unlink()


def finish(shared: Path, own: Path) -> None:
    """Recover as a service does when it starts: what was not sent is taken back."""
    if httpx.get(MAILS).json():
        (own / "undo").unlink(missing_ok=True)
    elif (own / "undo").exists():
        roll_back(shared, own, begun=(own / "undoing").exists())
    (own / "undoing").unlink(missing_ok=True)


def test_a_crash_in_the_handler_of_an_error_is_depth_one(tmp_path: Path) -> None:
    """The rollback is killed half-way: the next start finds the note, not the draft, and dies of it."""

    def explore(chaos: Any, folder: Path) -> None:
        shared, own = two_folders(chaos, folder)
        chaos.api("https://api.mail.test")
        chaos.explore(run=lambda: draft_and_send(shared, own), recover=lambda: finish(shared, own), retry=False)

    agent = SimpleNamespace(explore=explore)
    faults = tuple(options().known[name] for name in ("http.server_error", "process.kill"))
    result = explored(agent, tmp_path / "it", faults=faults)
    handled = "http.server_error@http.post:api.mail.test/mails#1:before + process.kill@file.remove:shared/draft#1:after"
    assert [finding.schedule for finding in result.violations] == [handled]
    assert "recovery_succeeds" in result.violations[0].invariants
    again = replayed(agent, tmp_path / "again", handled, faults=faults)
    assert [finding.invariants for finding in again.violations] == [result.violations[0].invariants]


def test_the_likeliest_of_the_smallest_schedules_is_shown(tmp_path: Path) -> None:
    """What a Ctrl-C between two lines shows as well is told as a crash."""

    def explore(chaos: Any, folder: Path) -> None:
        shared = folder / "shared"
        shared.mkdir()
        chaos.watch(shared)

        def run() -> None:
            (shared / "report.lock").touch()
            (shared / "report").write_text("all of it")
            (shared / "report.lock").unlink()

        chaos.explore(run=run, recover=lambda: None)

    result = explored(SimpleNamespace(explore=explore), tmp_path / "it")
    assert result.violations
    assert all(finding.schedule.startswith("process.kill@") for finding in result.violations)


SLOW_TO_END = """
    def agent():
        for number in range(40):
            with open(own / "session", "a") as session:
                session.write("Continue.")
            (own / "session").read_text()
        (shared / "report.lock").touch()
        (shared / "report").write_text("all of it")
        (shared / "report.lock").unlink()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=agent, recover=lambda: None)
"""


def test_the_first_finding_is_told_and_written_when_it_is_confirmed(pytester: pytest.Pytester) -> None:
    """Who ends pytest then has it on the terminal, and in the file, whole."""
    write_test(pytester, SLOW_TO_END)
    command = [sys.executable, "-m", "pytest", "--chaos", "--chaos-json=found.json", "-p", "no:cacheprovider"]
    with subprocess.Popen(command, cwd=pytester.path, stdout=subprocess.PIPE, text=True, process_group=0) as process:
        assert process.stdout is not None
        told = next((line for line in process.stdout if line.startswith("chaos: found after")), "")
        document = json.loads((pytester.path / "found.json").read_text())
        os.killpg(process.pid, signal.SIGKILL)
    assert told
    (exploration,) = document["explorations"]
    assert exploration["violations"]
    assert "exploring on" in exploration["statement"]


def test_first_and_x_end_an_exploration_at_its_first_finding(pytester: pytest.Pytester) -> None:
    """Both say how much was left, and neither calls a family of faults unexplored."""
    write_test(pytester, SLOW_TO_END.replace("40", "2"))
    for option in ("--chaos-first", "-x"):
        output = pytester.runpytest_subprocess("--chaos", "--chaos-faults=process.kill,storage.*", option).stdout.str()
        assert "schedules left out: it ended at its first finding" in unwrapped(output)
        assert "not explored" not in unwrapped(output)


def test_a_budget_limits_brute_force_too(tmp_path: Path) -> None:
    """It carries out what it can, and says that something was left out."""
    result = explored(reminder(), tmp_path / "it", budget_s=1e-9, reduce=False)
    assert result.skipped["budget"] > 0
    assert "exhaustive" not in result.statement
