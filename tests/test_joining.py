"""What nobody reads does not tell crash states apart; what somebody reads later, or judges, does."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rollproof.values.exploration import Exploration

from .exploring import breaks, explored, options, two_folders

KILL = (options().known["process.kill"],)
Run = Callable[[Path, Path], object]


def agent(run: Run, recover: Run | None = None, check: Callable[[Any], None] | None = None) -> Any:
    """Return an agent with a watched folder and one of its own; recovery is the run again where nothing else is."""

    def explore(chaos: Any, folder: Path) -> None:
        shared, own = two_folders(chaos, folder)
        if check is not None:
            chaos.invariant(check)
        chaos.explore(run=lambda: run(shared, own), recover=recover and (lambda: recover(shared, own)))

    return SimpleNamespace(explore=explore)


def publish(shared: Path) -> None:
    """Publish a report so that nobody sees half of it."""
    (shared / "report.part").write_text("Prices fell by a tenth.")
    os.replace(shared / "report.part", shared / "report.md")


def log(own: Path, *lines: str) -> None:
    """Append to a log that nobody reads."""
    with open(own / "agent.log", "a") as file:
        for line in lines:
            file.write(line)
            file.flush()


def without_a_log(shared: Path, own: Path) -> None:
    """Publish, and say nothing."""
    publish(shared)


def with_a_log(shared: Path, own: Path) -> None:
    """Say that it starts, publish, say that it is done."""
    log(own, "start\n", "go\n")
    publish(shared)
    log(own, "done\n")


def unaccused(result: Exploration) -> bool:
    """Return whether all was explored and nothing found."""
    return result.closed and not (result.violations or result.errors or result.flaky or result.drifted)


def test_a_log_that_nobody_reads_costs_next_to_nothing(tmp_path: Path) -> None:
    """It makes a new crash state with each crash, and hardly an execution; what was merged is audited by itself."""
    plain = explored(agent(without_a_log), tmp_path / "plain", faults=KILL)
    logged = explored(agent(with_a_log), tmp_path / "logged", faults=KILL)
    assert unaccused(plain)
    assert unaccused(logged)
    assert logged.executions <= 1.2 * plain.executions
    assert logged.audited >= 16


def test_a_log_that_is_read_after_a_second_crash_takes_its_states_apart(tmp_path: Path) -> None:
    """The first recovery does not look at it; the second does, and dies of a line that only one crash state has."""

    def recover(shared: Path, own: Path) -> None:
        again = (own / "tried").exists() and (own / "agent.log").exists()
        if again and (own / "agent.log").read_text() == "sta":
            raise RuntimeError("it died while it said so")
        (own / "tried").touch()
        publish(shared)
        (own / "tried").unlink()

    found = explored(agent(with_a_log, recover), tmp_path / "found", faults=KILL)
    assert breaks(found) == {"recovery_succeeds"}  # as brute force finds in ten times as long
    assert {f.schedule.count(" + ") for f in found.violations} == {1}
    assert (found.errors, found.flaky) == ((), ())


@pytest.mark.parametrize("how", ["size", "time", "presence", "listing"])
def test_whoever_asks_for_less_than_the_content_tells_states_apart(how: str, tmp_path: Path) -> None:
    """A recovery that goes by the log's size, its time, or whether it is there."""
    path_of: dict[str, Callable[[Path], bool]] = {
        "size": lambda own: os.path.getsize(own / "agent.log") == 6,
        "time": lambda own: os.path.getmtime(own / "agent.log") > 0 and os.path.getsize(own / "agent.log") == 6,
        "presence": lambda own: not os.path.exists(own / "agent.log"),
        "listing": lambda own: not os.listdir(own),
    }

    def recover(shared: Path, own: Path) -> None:
        if path_of[how](own):
            raise RuntimeError("a log like that")
        publish(shared)

    def run(shared: Path, own: Path) -> None:
        log(own, "start\n", "go\n")
        publish(shared)

    assert "recovery_succeeds" in breaks(explored(agent(run, recover), tmp_path / "it", faults=KILL))


def test_a_check_of_the_users_own_sees_each_state(tmp_path: Path) -> None:
    """It judges a private file that no process reads: no state is merged with another then."""

    def check(world: Any) -> None:
        assert "half" not in world.private_files.get("own/agent.log", b"").decode()

    def run(shared: Path, own: Path) -> None:
        (own / "agent.log").write_text("")
        log(own, "half", " of it\n")
        (own / "agent.log").write_text("all of it\n")
        publish(shared)

    result = explored(agent(run, lambda shared, own: publish(shared), check), tmp_path / "it", faults=KILL)
    assert {"check"} <= breaks(result)


def test_a_credential_in_a_log_is_found(tmp_path: Path) -> None:
    """Nobody reads the log, and what stands in it is judged: a key in the clear."""
    key = "sk-1f9c07b2a46d58e3"

    def explore(chaos: Any, folder: Path) -> None:
        shared, own = two_folders(chaos, folder)
        chaos.api("https://api.mail.test", token=key)

        def run() -> None:
            (own / "state").write_text("")
            log(own, "start\n", f"with {key}\n")
            publish(shared)
            (own / "agent.log").unlink()

        def recover() -> None:
            publish(shared)

        chaos.explore(run=run, recover=recover)

    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", faults=KILL)
    assert "credential_hygiene" in breaks(result)
