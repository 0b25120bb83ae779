"""Who explores a folder has it alone, and nothing of that is left afterwards."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rollproof.guard.claims import claimed
from rollproof.values.errors import ChaosError

from ..exploring import explored, options

HOLDER = """
import sys
from pathlib import Path
from rollproof.guard.claims import claimed
with claimed([Path(sys.argv[1])]):
    print("claimed", flush=True)
    sys.stdin.read()
"""


def is_free(folder: Path) -> bool:
    """Return whether a folder can be claimed."""
    try:
        with claimed([folder]):
            return True
    except ChaosError:
        return False


def explore(chaos: Any, folder: Path) -> None:
    """Explore a folder that is there already."""
    chaos.watch(folder)
    chaos.explore(run=lambda: (folder / "a").write_text("a") and None)


def test_a_folder_that_another_session_explores_is_refused(tmp_path: Path) -> None:
    """Until that one has ended, however it does; nothing in the folder is touched."""
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "b").write_text("b")
    kill = {"faults": (options().known["process.kill"],)}
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "it")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "claimed\n"
        with pytest.raises(ChaosError, match="another session") as refused:
            explored(SimpleNamespace(explore=explore), tmp_path / "it", **kill)
        assert refused.value.code == "in-use"
        assert [path.name for path in (tmp_path / "it").iterdir()] == ["b"]
        holder.kill()
    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", **kill)
    assert result.violations == ()


def test_a_claim_ends_with_its_block_also_where_processes_were_forked(tmp_path: Path) -> None:
    """What was forked meanwhile, and lives on, has no part in it."""
    ours, theirs = os.pipe()
    with claimed([tmp_path]):
        forked = os.fork()
        if forked == 0:
            os.close(theirs)
            os.read(ours, 1)  # until the test's process has closed its end
            os._exit(0)
        assert not is_free(tmp_path)
    assert is_free(tmp_path)
    os.close(theirs)
    os.waitpid(forked, 0)
    os.close(ours)
