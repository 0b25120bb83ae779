"""Before an agent may touch real files, its rollback is tried on a copy: it is wrong, and the report says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from rollproof import Chaos, World
from rollproof.runtime import Run, Step, rehearse


def steps(data: Path) -> Sequence[Step]:
    """Shorten a file; the undo forgets what was cut off."""

    def shorten(run: Run) -> None:
        (data / "log.txt").write_text("last line\n")

    def lengthen(run: Run) -> None:
        (data / "log.txt").touch()

    return [Step("shorten", shorten, undo=lengthen)]


def report(data: Path, own: Path) -> list[str]:
    """Try every rollback on a copy."""
    return [f"{finding.kind} {finding.when} {finding.step}" for finding in rehearse(data, own, steps)]


@pytest.mark.chaos(epic="Operations", feature="Dry-run recovery")
def test_the_original_is_never_touched(chaos: Chaos, tmp_path: Path) -> None:
    """Whatever happens to the rehearsal, the real data is as before, and no copy of it stays."""
    data, own = tmp_path / "data", tmp_path / "agent"
    data.mkdir()
    own.mkdir()
    (data / "log.txt").write_text("first line\nlast line\n")
    chaos.watch(data)
    chaos.private(own)

    @chaos.invariant
    def no_copy_stays(world: World) -> None:
        """The scratch folder is gone."""
        assert not [path for path in world.private_entries if ".rehearsal" in path]

    result = chaos.explore(run=lambda: report(data, own))

    assert result.result == ["right before shorten", "wrong after shorten"]
