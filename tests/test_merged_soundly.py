"""What is merged is one to whoever comes after it: clocks, origins of faults and later reads tell states apart."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx

from .exploring import breaks, explored, only, replayed, two_folders

Agent = Callable[[Path, Path], object]


def agent(run: Agent, recover: Agent, *services: str) -> Any:
    """Return an agent with a watched folder, one of its own, and services."""

    def explore(chaos: Any, folder: Path) -> None:
        shared, own = two_folders(chaos, folder)
        for service in services:
            chaos.api(f"https://{service}", token=f"token-of-{service}")
        chaos.explore(run=lambda: run(shared, own), recover=lambda: recover(shared, own))

    return SimpleNamespace(explore=explore)


def test_a_crash_before_and_after_a_long_wait_are_two(tmp_path: Path) -> None:
    """The outside is the same, and a lease in it has run out meanwhile; the token repeats it."""

    def run(shared: Path, own: Path) -> None:
        (own / "job.json").write_text(json.dumps({"expires_at": time.time() + 60}))
        time.sleep(3600)
        (shared / "a.txt").write_text("a")
        (own / "job.json").unlink()

    def recover(shared: Path, own: Path) -> None:
        job = own / "job.json"
        if job.exists() and not (shared / "a.txt").exists():
            text = job.read_text()
            if text.endswith("}") and json.loads(text)["expires_at"] < time.time():
                (shared / "junk.txt").write_text("x")  # the bug
        job.unlink(missing_ok=True)
        (shared / "a.txt").write_text("a")

    wrong = agent(run, recover)
    result = explored(wrong, tmp_path / "it", **only("process.kill"))
    assert breaks(result) == {"all_or_nothing"}
    assert (result.flaky, result.errors) == ((), ())
    again = replayed(wrong, tmp_path / "again", result.violations[0].schedule, **only("process.kill"))
    assert breaks(again) == {"all_or_nothing"}


def test_a_key_that_is_revoked_for_good_is_tried_for_each_service(tmp_path: Path) -> None:
    """Asking changes nothing outside: only whose key is refused tells two such crashes apart."""

    def ask(host: str) -> int:
        return httpx.get(f"https://{host}/things", headers={"Authorization": f"Bearer token-of-{host}"}).status_code

    def run(shared: Path, own: Path) -> None:
        ask("a.test")
        ask("b.test")
        (shared / "a.txt").write_text("a")

    def recover(shared: Path, own: Path) -> None:
        ask("a.test")
        if ask("b.test") == 401:
            (shared / "junk").mkdir(exist_ok=True)  # the bug
        (shared / "a.txt").write_text("a")

    wrong = agent(run, recover, "a.test", "b.test")
    result = explored(wrong, tmp_path / "it", **only("process.kill", "credentials.revoked_for_good"))
    assert "all_or_nothing" in breaks(result)


def write_states(shared: Path, own: Path) -> None:
    """Leave states that differ in a log that a healthy recovery does not read."""
    for text in ("good1", "bad", "good2", "good3", "good4"):
        (own / "log").write_text(text)
    (shared / "a.txt").write_text("a")


def is_bad(own: Path) -> bool:
    """Read the log."""
    return (own / "log").exists() and (own / "log").read_text() == "bad"


def test_states_that_only_a_second_fault_tells_apart_have_second_faults_of_their_own(tmp_path: Path) -> None:
    """The log is read where an error strikes in the recovery, and not before."""

    def recover(shared: Path, own: Path) -> None:
        try:
            (shared / "a.txt").write_text("a")
        except OSError:
            if is_bad(own):
                (shared / "junk").mkdir()  # the bug
            raise

    result = explored(
        agent(write_states, recover), tmp_path / "it", depth=2, **only("process.kill", "storage.io_error")
    )
    assert "all_or_nothing" in breaks(result)


def test_what_is_read_after_a_second_fault_tells_states_apart(tmp_path: Path) -> None:
    """The healthy recovery after it reads the log."""

    def recover(shared: Path, own: Path) -> None:
        if (own / "marker").exists():
            if is_bad(own):
                (shared / "junk").mkdir(exist_ok=True)  # the bug
            (own / "marker").rmdir()
        try:
            (shared / "a.txt").write_text("a")
        except OSError:
            (own / "marker").mkdir()
            raise

    result = explored(
        agent(write_states, recover), tmp_path / "it", depth=2, **only("process.kill", "storage.io_error")
    )
    assert "all_or_nothing" in breaks(result)


def test_a_read_only_folder_has_its_mode_and_time_again(tmp_path: Path) -> None:
    """A file in it is changed in place; putting that back opens the folder for a moment."""

    def explore(chaos: Any, folder: Path) -> None:
        inner = folder / "shared" / "inner"
        inner.mkdir(parents=True)
        (inner / "file").write_text("old")
        os.chmod(inner, 0o555)
        os.utime(inner, (10**9, 10**9))
        chaos.watch(folder / "shared")

        def run() -> None:
            with open(inner / "file", "r+") as file:
                file.write("new")

        chaos.explore(run=run, recover=run)

    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", **only("process.kill"))
    status = (tmp_path / "it" / "shared" / "inner").stat()
    assert (status.st_mode & 0o777, status.st_mtime) == (0o555, 10**9)
    assert (result.violations, result.flaky, result.errors, result.unintercepted) == ((), (), (), ())
