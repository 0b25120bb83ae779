"""What `make report` says where there is nothing to report, or nothing to make it with."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent


def made(*words: str, path: str = os.environ["PATH"]) -> str:
    """Run make, which must fail, and return what it says."""
    make = shutil.which("make")
    assert make
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # make runs us
    done = subprocess.run([make, *words], cwd=ROOT, capture_output=True, text=True, env={**environment, "PATH": path})
    assert done.returncode
    return done.stdout


def test_a_report_needs_results(tmp_path: Path) -> None:
    """They come from exploring."""
    assert made("report", f"RESULTS={tmp_path / 'none'}").startswith("no results yet: run make chaos first")


def test_a_report_needs_node(tmp_path: Path) -> None:
    """What to install is said, and nothing is made."""
    said = made("report", f"RESULTS={tmp_path}", path=str(tmp_path))
    assert "node 20 or newer and its npm, which are not here: https://nodejs.org" in said
    assert list(tmp_path.iterdir()) == []
