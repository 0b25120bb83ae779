"""Whatever ends a session that explores, nothing of the user's is lost: a part of `benchmarks/killed.py`."""

from collections import Counter
from pathlib import Path

from benchmarks.killed import run


def test_whatever_ends_a_session_all_is_as_before(tmp_path: Path) -> None:
    """By SIGTERM, SIGHUP and SIGKILL, its guardian too or not, whatever the agent works on, at random moments."""
    assert run(15, seed=1, folder=tmp_path) == Counter(tried=15)
