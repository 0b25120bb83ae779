"""The closure, through the fixture: it ends where a failure only grows, and says so."""

import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from .exploring import explored, only, options, two_folders


def publish(shared: Path) -> None:
    """Publish by way of a temporary file that nobody clears away after a crash."""
    with tempfile.NamedTemporaryFile("w", dir=shared, delete=False) as file:
        file.write("Prices fell by a tenth.")
    os.replace(file.name, shared / "report.md")


def explore(chaos: Any, folder: Path) -> None:
    """One watched folder; recovery is the run started again."""
    shared = folder / "shared"
    shared.mkdir()
    chaos.watch(shared)
    chaos.explore(run=lambda: publish(shared))


def test_what_every_crash_leaves_more_of_is_one_failure_and_has_an_end(tmp_path: Path) -> None:
    """Each crash leaves one more file under a new name: one violation, its smallest schedule, and no endless search."""
    result = explored(SimpleNamespace(explore=explore), tmp_path / "explored", **only("process.kill"))
    assert [finding.invariants for finding in result.violations] == [("all_or_nothing", "no_leftovers")]
    assert result.violations[0].schedule == "process.kill@file.open:shared/tmp*#1:after"
    assert result.flaky == ()
    assert not result.closed
    assert result.skipped["after_a_failure"] > 0
    assert result.worlds < 200


def test_an_agent_that_is_not_the_same_twice_is_said_to_be_so(tmp_path: Path) -> None:
    """What it does hangs on a number that nobody watches: nothing is called closed, and no finding is made up."""
    counter = tmp_path / "counter"
    counter.write_text("0")

    def explore(chaos: Any, folder: Path) -> None:
        shared = folder / "shared"
        shared.mkdir()
        chaos.watch(shared)

        def run() -> None:
            count = int(counter.read_text()) + 1
            counter.write_text(str(count))
            (shared / "report").write_text("all of it")
            if count < 5 or count % 2:
                (shared / "appendix").write_text("more of it")

        chaos.explore(run=run)

    result = explored(SimpleNamespace(explore=explore), tmp_path / "explored")
    assert result.drifted
    assert not result.closed
    assert "(closed)" not in result.statement
    assert "exhaustive" not in result.statement
    assert result.flaky or result.errors


def work_in_a_temporary_folder(own: Path, shared: Path) -> None:
    """Clear away what an earlier start left, work in a new temporary folder, and publish."""
    for stale in own.iterdir():
        shutil.rmtree(stale)
    folder = tempfile.mkdtemp(dir=own)
    Path(folder, "draft").write_text(f"written in {folder}")
    os.replace(Path(folder, "draft"), shared / "report.md")
    os.rmdir(folder)


def test_the_names_of_temporary_folders_do_not_tell_crash_states_apart(tmp_path: Path) -> None:
    """Each start draws another name: the closure ends all the same, and no such name is taken for a leftover."""

    def explore(chaos: Any, folder: Path) -> None:
        shared, own = two_folders(chaos, folder)
        chaos.explore(run=lambda: work_in_a_temporary_folder(own, shared))

    result = explored(
        SimpleNamespace(explore=explore), tmp_path / "explored", faults=(options().known["process.kill"],)
    )
    assert (result.violations, result.flaky, result.errors, result.skipped) == ((), (), (), {})
    assert result.closed
