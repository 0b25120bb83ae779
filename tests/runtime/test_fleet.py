"""Agents and workers on one database and one drive, and faults in a third of the runs: what `make benchmarks` does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FLEET = Path(__file__).parents[2] / "benchmarks" / "fleet.py"


def test_nothing_is_lost_and_nothing_is_done_twice() -> None:
    """Every process that dies is started again, every one that is paused wakes up, and the outside is right."""
    done = subprocess.run([sys.executable, FLEET, "--runs=80"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "80 runs: " in done.stdout
    assert "paused for longer than a lease" in done.stdout
    assert "killed" in done.stdout
    assert done.stdout.endswith("nothing is lost, nothing was done twice, no lock is left\n")
