"""Before an agent may touch real files, its rollbacks are tried on a copy: one of them is wrong, and the report says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from rollproof import Chaos, World
from rollproof.runtime import Run, Step, rehearse


def steps(data: Path) -> Sequence[Step]:
    """Archive a file, then shorten another; the undo of the second forgets what was cut off."""

    def archive(run: Run) -> None:
        (data / "archive").mkdir()
        (data / "old.txt").rename(data / "archive" / "old.txt")

    def restore(run: Run) -> None:
        if (data / "archive" / "old.txt").exists():
            (data / "archive" / "old.txt").rename(data / "old.txt")
        if (data / "archive").exists():
            (data / "archive").rmdir()

    def shorten(run: Run) -> None:
        (data / "log.txt").write_text("last line\n")

    def lengthen(run: Run) -> None:
        (data / "log.txt").write_text("last line\n")

    return [Step("archive", archive, undo=restore), Step("shorten", shorten, undo=lengthen)]


def report(data: Path, own: Path) -> list[str]:
    """Try every rollback on a copy."""
    return [f"{finding.kind} {finding.when} {finding.step}" for finding in rehearse(data, own / "rehearsal", steps)]


@pytest.mark.chaos(epic="Operations", feature="Dry-run recovery")
def test_the_original_is_never_touched(chaos: Chaos, tmp_path: Path) -> None:
    """Whatever happens to the rehearsal, the real data is as before, and no copy of it stays."""
    data, own = tmp_path / "data", tmp_path / "agent"
    data.mkdir()
    own.mkdir()
    (data / "old.txt").write_text("old")
    (data / "log.txt").write_text("first line\nlast line\n")
    chaos.watch(data)
    chaos.private(own)

    @chaos.invariant
    def no_copy_stays(world: World) -> None:
        """The scratch folder is gone."""
        assert not world.private_entries

    result = chaos.explore(run=lambda: report(data, own))

    assert result.result == [
        "right before archive",
        "right after archive",
        "wrong before shorten",
        "wrong after shorten",
    ]
