"""What slipped by the boundary is said: the statement claims no more than was seen."""

import io
import re
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ..exploring import explored


@pytest.mark.parametrize(
    ("opened", "exhaustive"),
    [
        (lambda path: path.open("xb"), True),
        (lambda path: io.FileIO(path, "x"), False),
    ],
)
def test_only_what_was_seen_whole_is_called_exhaustive(opened: Any, exhaustive: bool, tmp_path: Path) -> None:
    """The same agent, once by `open` and once behind the boundary's back."""

    def explore(chaos: Any, folder: Path) -> None:
        shared = folder / "shared"
        shared.mkdir()
        chaos.watch(shared)

        def run() -> None:
            if not (shared / "a").exists():
                with opened(shared / "a") as file:
                    file.write(b"")
            (shared / "b").touch()

        chaos.explore(run=run)

    result = explored(SimpleNamespace(explore=explore), tmp_path / "e")
    assert ("exhaustive" in result.statement) is exhaustive
    assert bool(result.unintercepted) is not exhaustive


def test_a_disk_in_memory_is_a_disk(tmp_path: Path) -> None:
    """Below `/dev` nothing lasts but there: what is written behind the boundary's back is told as elsewhere."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        pytest.skip("no disk in memory here")
    with tempfile.TemporaryDirectory(dir=memory) as name:
        folder = Path(name)
        (folder / "shared").mkdir()

        def explore(chaos: Any, _: Path) -> None:
            chaos.watch(folder / "shared")

            def run() -> None:
                io.FileIO(folder / "shared" / "raw", "w").close()
                io.FileIO(folder / "elsewhere", "w").close()
                (folder / "shared" / "b").touch()

            chaos.explore(run=run)

        result = explored(SimpleNamespace(explore=explore), tmp_path / "e")
    assert "open shared/raw" in result.unintercepted
    assert re.search(r"; \d+ effects? unseen \(.*open shared/raw", result.statement)
    assert "exhaustive" not in result.statement
    assert "unwatched writes" in result.statement
